"""The rules of a genome: each genome's own, and pictures that show them."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hebbax
from hebbax.evolution.result import Result
from hebbax.genomes.joint import Joint, JointGenome
from hebbax.genomes.normal import Normal
from hebbax.genomes.shared import FixedRules, FixedRulesGenome, SharedRules, SharedRulesGenome
from hebbax.watching.visualization.rule_use import _principal_components, draw_rule_use
from hebbax.watching.visualization.rules import Rules, rules_of
from hebbax.watching.visualization.weight_changes import (
    ACTIVATIONS,
    draw_weight_changes,
    weight_changes,
)
from small_run import small_config
from small_task import Cart

POLICY = hebbax.Hebbian(hidden_sizes=(3,))  # 2 x 3 and 3 x 1: nine synapses.


def genome_of(specification, policy=POLICY):
    return specification.init(jax.random.key(0), policy.parameters(Cart()))


def result_of(genome, policy=POLICY):
    """A run whose last genome is given."""
    return Result(small_config(policy=policy), genome, genome, None, wiring=(), history=[])


def test_individual_rules_are_those_of_the_synapses():
    """Layer by layer, each by rows.

    Mutation: a reshape without the transpose mixes coefficients.
    """
    genome = genome_of(Normal())
    rules = rules_of(result_of(genome))
    first, second = genome.mode().rules
    np.testing.assert_array_equal(rules.coefficients[1], first[:, 0, 1])
    np.testing.assert_array_equal(rules.coefficients[3], first[:, 1, 0])
    np.testing.assert_array_equal(rules.coefficients[8], second[:, 2, 0])
    np.testing.assert_allclose(rules.use, 1 / 9)
    assert rules.entropies is None


def test_shared_rules_are_used_as_their_probabilities_say():
    """Three synapses in four decided for the first rule.

    The others are torn between the last two: entropy log 2.
    """
    genome = genome_of(SharedRules(num_rules=3))
    logits = jnp.where(
        (jnp.arange(9) < 6)[:, None],
        jnp.asarray([200.0, 0.0, 0.0]),
        jnp.asarray([-200.0, 0.0, 0.0]),
    )
    assert isinstance(genome, SharedRulesGenome)
    rules = rules_of(result_of(genome.replace(logits=logits)))
    np.testing.assert_array_equal(rules.coefficients, genome.rules)
    np.testing.assert_allclose(rules.use, [6 / 9, 1.5 / 9, 1.5 / 9], rtol=1e-6)
    np.testing.assert_allclose(
        rules.entropies, [0.0] * 6 + [math.log(2)] * 3, rtol=1e-6, atol=1e-12
    )


def test_fixed_rules_are_counted():
    """A rule that nobody uses has its place.

    Mutation: counts without a length have no place for the last one.
    """
    genome = genome_of(FixedRules(num_rules=3))
    assert isinstance(genome, FixedRulesGenome)
    rules = rules_of(result_of(genome.replace(assignment=jnp.asarray([0] * 6 + [1] * 3))))
    np.testing.assert_allclose(rules.use, [6 / 9, 3 / 9, 0])
    assert rules.entropies is None


@pytest.mark.parametrize("specification", [SharedRules(num_rules=2), Normal()])
def test_rules_are_found_in_a_joint_genome(specification):
    """Beside evolved weights, wherever they stand.

    Mutation: the first part, whatever it is, has no rules.
    """
    policy = dataclasses.replace(POLICY, has_evolved_weights=True)
    joint = genome_of(Joint((("weights", Normal()), ("rules", specification))), policy)
    rules = rules_of(result_of(joint, policy)).coefficients
    alone = rules_of(
        result_of(
            JointGenome(
                {"rules": joint.parts["rules"], "weights": joint.parts["weights"]}, kind=joint.kind
            ),
            policy,
        )
    ).coefficients
    np.testing.assert_array_equal(rules, alone)
    assert rules.shape == ((2 if isinstance(specification, SharedRules) else 9), 5)


def test_genome_without_rules_is_refused():
    static = hebbax.Static(hidden_sizes=(3,))
    with pytest.raises(ValueError, match="policy is Static, which has no plasticity rules"):
        rules_of(result_of(genome_of(Normal(), static), static))


def test_weight_changes_are_those_of_the_rule():
    """At every pair of activations eta (A o_i o_j + B o_i + C o_j + D), in single precision."""
    coefficients = np.random.default_rng(0).normal(size=(4, 5))
    changes = weight_changes(hebbax.ABCD(), coefficients)
    assert changes.shape == (4, ACTIVATIONS.size, ACTIVATIONS.size)
    pre, post = ACTIVATIONS[:, None], ACTIVATIONS[None, :]
    for (eta, a, b, c, d), change in zip(coefficients, changes, strict=True):
        expected = eta * (a * pre * post + b * pre + c * post + d)
        np.testing.assert_allclose(change, expected, rtol=1e-5, atol=1e-6)


@dataclasses.dataclass(frozen=True)
class Decay:
    """A rule with one coefficient, which a weight moves towards."""

    coefficients: tuple[str, ...] = ("target",)

    def init(self, weights):
        return jnp.zeros_like(weights)

    def update(self, weights, trace, coefficients, signals):
        return weights + 0.5 * (coefficients[0] - weights), trace + 1


def test_pictures_show_any_rule():
    """A rule with another number of coefficients is drawn and counted. Mutation: five of them."""
    policy = hebbax.Hebbian(hidden_sizes=(3,), rule=Decay())
    rules = rules_of(result_of(genome_of(SharedRules(num_rules=2), policy), policy))
    assert rules.coefficients.shape == (2, 1)
    figure = draw_rule_use(rules)
    assert [label.get_text() for label in figure.axes[-1].get_xticklabels()] == ["target"]
    changes = weight_changes(rules.rule, rules.coefficients)
    np.testing.assert_allclose(changes, 0.5 * rules.coefficients[:, :, None] + 0 * changes)
    draw_weight_changes(rules).draw_without_rendering()


def rules_with(num_rules: int, *, has_choice: bool) -> Rules:
    random = np.random.default_rng(0)
    use = random.dirichlet(np.ones(num_rules)) if has_choice else np.full(num_rules, 1 / num_rules)
    return Rules(
        hebbax.ABCD(),
        random.normal(size=(num_rules, 5)),
        use,
        random.uniform(0, math.log(max(num_rules, 2)), 50) if has_choice else None,
    )


def test_few_rules_have_a_panel_each():
    """The most used comes first, with its number in the genome; many have three quantiles."""
    rules = Rules(hebbax.ABCD(), np.eye(5)[:3], np.asarray([0.2, 0.5, 0.3]), None)
    titles = [axes.get_title(loc="left") for axes in draw_weight_changes(rules).axes[:3]]
    assert titles == ["rule 2: 50% of use", "rule 3: 30% of use", "rule 1: 20% of use"]
    figure = draw_weight_changes(rules_with(40, has_choice=True), "many")
    assert [axes.get_title(loc="left") for axes in figure.axes[:3]] == [
        "10% quantile",
        "median",
        "90% quantile",
    ]
    figure.draw_without_rendering()


@pytest.mark.parametrize(
    ("num_rules", "has_choice", "expected"),
    [
        (1, True, ["coefficients"]),
        (2, True, ["use of the rules", "entropy of the assignment", "coefficients"]),
        (
            30,
            True,
            [
                "use of the rules",
                "entropy of the assignment",
                "principal components",
                "coefficients",
            ],
        ),
        (30, False, ["principal components", "coefficients"]),
        (2000, False, ["principal components", "coefficients"]),
    ],
)
def test_panels_are_those_with_something_to_see(
    num_rules: int, has_choice: bool, expected: list[str]
):
    figure = draw_rule_use(rules_with(num_rules, has_choice=has_choice), "rules")
    assert [
        axes.get_title(loc="left") for axes in figure.axes if axes.get_title(loc="left")
    ] == expected
    figure.draw_without_rendering()


def test_principal_components_by_hand():
    """Rules on a line vary in that direction alone; a rule that nobody uses does not turn it.

    Mutation: without the use as weights it does.
    """
    rules = np.asarray([[-2.0, 0, 0, 0, 0], [2, 0, 0, 0, 0], [0, 0, 0, 1, 0], [0, 0, 0, 50, 0]])
    points, shares = _principal_components(rules, np.asarray([0.4, 0.4, 0.2, 0.0]))
    # Weighted variances: 0.8 x 4 along the first coefficient, 0.2 x 0.8 along the fourth.
    np.testing.assert_allclose(shares, [3.2 / 3.36, 0.16 / 3.36])
    np.testing.assert_allclose(np.abs(points[:3, 0]), [2, 2, 0], atol=1e-12)
    points, shares = _principal_components(np.ones((3, 5)), np.full(3, 1 / 3))
    assert np.max(np.abs(points)) < 1e-12
    assert shares.tolist() == [0.0, 0.0]
