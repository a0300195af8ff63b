"""Shared rules: their density, its gradient, their samples, and how far noise moves them."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hebbax import platforms
from hebbax.genomes.base import learned_of, with_learned
from hebbax.genomes.joint import Joint
from hebbax.genomes.normal import Normal, NormalGenome
from hebbax.genomes.shared import FixedRules, SharedRules, SharedRulesGenome
from hebbax.policies.hebbian import Hebbian
from hebbax.rules import ABCD
from hebbax.strategies.optimizers import Natural, PerPart, Sgd
from hebbax.strategies.score_function import ScoreFunction, score_gradient
from hebbax.strategies.shaping import centred_ranks, standardize
from hebbax.types import Parameter
from small_task import Cart

SHAPE = Hebbian(hidden_sizes=(3, 2)).parameters(Cart())  # 2 x 3 + 3 x 2 + 2 x 1 = 14 synapses.
NUM_SYNAPSES = 14


def mixture(
    num_rules: int = 4, seed: int = 0, shape: Any = SHAPE, std: float = 0.3, sharpness: float = 1.0
) -> SharedRulesGenome:
    return (
        SharedRules(num_rules=num_rules, sharpness=sharpness)
        .init(jax.random.key(seed), shape)
        .with_std(jnp.asarray(std))
    )


def sample_many(genome: Any, count: int, seed: int = 1) -> Any:
    return jax.jit(jax.vmap(genome.sample))(jax.random.split(jax.random.key(seed), count))


def closed_form(
    logits: np.ndarray, rules: np.ndarray, std: float, synapses: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, ...]:
    """Mean weighted log-likelihood and its gradients in float64, straight from the formulas."""
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    differences = synapses[:, :, None, :] - rules
    density = (
        p * np.exp(-0.5 * np.sum(differences**2, axis=-1) / std**2) / (2 * np.pi * std**2) ** 2.5
    )
    r = density / density.sum(axis=-1, keepdims=True)
    value = np.mean(weights * np.sum(np.log(density.sum(axis=-1)), axis=1))
    by_logits = np.mean(weights[:, None, None] * (r - p), axis=0)
    by_rules = (
        np.mean(weights[:, None, None] * np.einsum("jik,jikd->jkd", r, differences), axis=0)
        / std**2
    )
    return value, by_logits, by_rules


@pytest.mark.device
@pytest.mark.parametrize("num_rules", [1, 4, NUM_SYNAPSES])
@pytest.mark.parametrize("block", [1, 5, 2**16])
def test_gradient_is_the_closed_form(monkeypatch: pytest.MonkeyPatch, num_rules: int, block: int):
    """In float32 to 1e-5 of the largest, however the synapses are cut into blocks.

    Mutations: r without p; a block's filling counted.
    """
    sizes = platforms.sizes()._replace(block=block * num_rules)
    monkeypatch.setattr(platforms, "sizes", lambda: sizes)
    genome = mixture(num_rules)
    population = sample_many(genome, 6)
    weights = jax.random.normal(jax.random.key(2), (6,))

    @jax.jit
    def measure(
        genome: SharedRulesGenome, population: Any, weights: jax.Array
    ) -> tuple[jax.Array, SharedRulesGenome]:
        return jnp.mean(weights * genome.log_probs(population)), score_gradient(
            genome, population, weights
        )

    measured, gradient = measure(genome, population, weights)
    wide = [
        np.asarray(part, np.float64)
        for part in (
            genome.logits,
            genome.rules,
            genome.std,
            jax.vmap(genome.layout.to_synapses)(population),
            weights,
        )
    ]
    value, by_logits, by_rules = closed_form(*wide)
    np.testing.assert_allclose(measured, value, rtol=1e-5)
    np.testing.assert_allclose(
        gradient.logits, by_logits, rtol=0, atol=1e-5 * max(np.max(np.abs(by_logits)), 0.1)
    )
    np.testing.assert_allclose(
        gradient.rules, by_rules, rtol=0, atol=1e-5 * np.max(np.abs(by_rules))
    )
    assert gradient.std is None, "it is not learned"


def test_gradient_is_the_closed_form_far_from_all_rules():
    """Some hundred nats off, where every density vanishes in float32.

    Mutation: a `SMALLEST_SUM` of zero.
    """
    genome = mixture(std=0.05)
    population = jax.tree.map(lambda leaf: leaf.at[0].add(0.6), sample_many(genome, 6))
    weights = jax.random.normal(jax.random.key(2), (6,))
    gradient = score_gradient(genome, population, weights)
    synapses = jax.vmap(genome.layout.to_synapses)(population)
    _, by_logits, by_rules = closed_form(
        *(
            np.asarray(part, np.float64)
            for part in (genome.logits, genome.rules, genome.std, synapses, weights)
        )
    )
    # A density some hundred nats down is rounded by 300 x 1.2e-7 several times.
    np.testing.assert_allclose(
        gradient.logits, by_logits, rtol=0, atol=1e-3 * np.max(np.abs(by_logits))
    )
    np.testing.assert_allclose(
        gradient.rules, by_rules, rtol=0, atol=1e-5 * np.max(np.abs(by_rules))
    )


def test_gradient_is_the_closed_form_in_float64():
    """To 1e-10: what float32 shows is rounding alone."""
    with jax.enable_x64(True):
        genome = mixture()
        genome = jax.tree.map(lambda leaf: leaf.astype(jnp.float64), genome)
        population = sample_many(genome, 6)
        weights = jax.random.normal(jax.random.key(2), (6,), jnp.float64)
        gradient = score_gradient(genome, population, weights)
        synapses = np.asarray(jax.vmap(genome.layout.to_synapses)(population))
        value, by_logits, by_rules = closed_form(
            *map(np.asarray, (genome.logits, genome.rules)),
            float(genome.std),
            synapses,
            np.asarray(weights),
        )
        np.testing.assert_allclose(
            jnp.mean(weights * genome.log_probs(population)), value, rtol=1e-10
        )
        np.testing.assert_allclose(gradient.logits, by_logits, rtol=0, atol=1e-10)
        np.testing.assert_allclose(gradient.rules, by_rules, rtol=1e-10)


def test_one_rule_per_synapse_is_the_normal_genome():
    """With a rule for every synapse the gradient is that of independent Gaussians' means."""
    genome = mixture(NUM_SYNAPSES, std=0.1)
    genome = genome.replace(logits=50.0 * jnp.eye(NUM_SYNAPSES))
    normal = NormalGenome(mean=genome.mode(), std=genome.std)
    population = sample_many(normal, 8)
    weights = jax.random.normal(jax.random.key(2), (8,))
    ours, theirs = (
        score_gradient(genome, population, weights),
        score_gradient(normal, population, weights),
    )
    expected = genome.layout.to_synapses(theirs.mean)
    np.testing.assert_allclose(
        ours.rules, expected, rtol=0, atol=1e-5 * float(jnp.max(jnp.abs(expected)))
    )
    np.testing.assert_allclose(
        genome.log_probs(population), jax.vmap(normal.log_prob)(population), rtol=1e-5
    )


def test_density_integrates_to_one():
    """Two synapses, two rules.

    The mean over proposals from a wider Gaussian of p / q is one, within five standard errors.
    """
    genome = SharedRules(num_rules=2, sharpness=1.0, init_scale=0.3).init(
        jax.random.key(0), Parameter((5, 2), ("coefficient", ""), "rule", ABCD().coefficients)
    )
    genome = genome.with_std(jnp.asarray(0.7))
    proposal = NormalGenome(mean=jnp.zeros((5, 2)), std=jnp.asarray(1.0))
    points = sample_many(proposal, 20_000)
    ratios = jnp.exp(genome.log_probs(points) - jax.vmap(proposal.log_prob)(points))
    error = float(jnp.std(ratios)) / np.sqrt(ratios.size)
    assert error < 0.05
    assert abs(float(jnp.mean(ratios)) - 1) < 5 * error


def test_rules_are_drawn_as_often_as_the_logits_say():
    """Frequencies of each rule at each synapse within five standard errors of softmax.

    Rules are far apart. Mutation: edges without the last bin.
    """
    count = 4000
    genome = mixture(4, std=1e-3)
    genome = genome.replace(logits=jax.random.normal(jax.random.key(5), genome.logits.shape))
    synapses = jax.vmap(genome.layout.to_synapses)(sample_many(genome, count))
    chosen = jnp.argmin(
        jnp.sum(jnp.square(synapses[:, :, None, :] - genome.rules[None, None]), axis=-1), axis=-1
    )
    frequencies = np.stack(
        [np.mean(np.asarray(chosen) == rule, axis=0) for rule in range(4)], axis=1
    )
    p = np.asarray(jax.nn.softmax(genome.logits))
    assert np.all(np.abs(frequencies - p) < 5 * np.sqrt(p * (1 - p) / count))


def test_score_has_mean_zero():
    """Over the genome's own samples the gradient of log p averages to zero.

    Within five standard errors in every component.
    """
    genome = mixture(3, std=0.5)
    gradients = jax.vmap(jax.grad(lambda genome, genotype: genome.log_prob(genotype)), (None, 0))(
        genome, sample_many(genome, 4000)
    )
    for leaf in (gradients.logits, gradients.rules):
        error = jnp.std(leaf, axis=0) / jnp.sqrt(leaf.shape[0])
        assert jnp.all(jnp.abs(jnp.mean(leaf, axis=0)) < 5 * error)


def test_layout_is_there_and_back():
    """A genotype listed by synapses and put back is the same.

    The third synapse of the first layer is the third of the list.
    """
    genome = mixture()
    genotype = genome.sample(jax.random.key(3))
    back = genome.layout.to_genotype(genome.layout.to_synapses(genotype))
    for one, two in zip(jax.tree.leaves(back), jax.tree.leaves(genotype), strict=True):
        np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(
        genome.layout.to_synapses(genotype)[2], genotype.rules[0][:, 0, 2]
    )


def test_figures_for_the_log():
    """No preference: entropy log k and all rules in use.

    All synapses sure of one rule: none and one.
    """
    undecided = mixture(4, sharpness=0.0).describe()
    np.testing.assert_allclose(
        [undecided["assignment_entropy"], undecided["rules_in_use"]], [np.log(4), 4.0], rtol=1e-5
    )
    genome = mixture(4)
    sure = genome.replace(
        logits=jnp.zeros_like(genome.logits).at[:, 1].set(100.0), rules=jnp.zeros((4, 5))
    ).describe()
    np.testing.assert_allclose(list(sure.values()), [0.0, 1.0, 0.0], atol=1e-6)


@pytest.mark.parametrize(
    ("rho", "expected"),
    [(1, 14), (4, 4), (13, 1), (14, 1)],
)
def test_rho_gives_the_number_of_rules(rho: float, expected: int):
    """The paper's M = N / rho, rounded."""
    assert SharedRules(rho=rho).init(jax.random.key(0), SHAPE).rules.shape == (expected, 5)


def test_a_fixed_assignment_stays():
    """Adding steps moves the rules and leaves the assignment, exactly."""
    strategy = ScoreFunction(population_size=8, optimizer=Natural(Sgd()))
    genome = FixedRules(num_rules=3).init(jax.random.key(0), SHAPE)
    state = strategy.init(jax.random.key(1), genome)
    after, _ = strategy.tell(state, strategy.ask(jax.random.key(2), state), jnp.arange(8.0))
    np.testing.assert_array_equal(after.genome.assignment, genome.assignment)
    assert np.max(np.abs(after.genome.rules - genome.rules)) > 1e-3
    assert len(np.unique(genome.assignment)) == 3


def test_joint_is_its_parts():
    """Densities add, samples and modes are the parts' own."""
    policy = Hebbian(hidden_sizes=(3,), has_evolved_weights=True)
    genome = Joint((("rules", FixedRules(num_rules=2)), ("weights", Normal()))).init(
        jax.random.key(0), policy.parameters(Cart())
    )
    genotype = genome.sample(jax.random.key(1))
    parts = [genome.parts[name].log_prob(getattr(genotype, name)) for name in ("rules", "weights")]
    np.testing.assert_allclose(genome.log_prob(genotype), sum(parts), rtol=1e-6)
    np.testing.assert_allclose(
        genome.log_probs(jax.tree.map(lambda leaf: leaf[None], genotype))[0], sum(parts), rtol=1e-6
    )
    np.testing.assert_array_equal(genome.mode().weights[0], genome.parts["weights"].mean[0])


@pytest.mark.parametrize(
    "num_rules",
    [pytest.param(1, marks=pytest.mark.slow), 16, 96, pytest.param(768, marks=pytest.mark.slow)],
)
def test_even_steps_are_as_long_for_any_number_of_rules(num_rules: int):
    """Under random fitness rules and probabilities move as far as worked out, to 20%.

    A rule's coefficient by std^2 / P in the mean square, and a synapse's probabilities by (1 - 1 /
    M) / P in sum.

    Both are what one rule per synapse has. Along the plain gradient they move by N / M / std^2 / P
    and by 1 / M^2 (1 - 1 / M) / P, 768 and 590,000 times as differently for the M here. Mutation:
    the scaled gradient without one of its two scales.
    """
    std, size, num_synapses = 0.01, 16, 1536
    shape = Parameter((5, num_synapses), ("coefficient", ""), "rule", ABCD().coefficients)
    genome = (
        SharedRules(num_rules=num_rules).init(jax.random.key(0), shape).with_std(jnp.asarray(std))
    )

    @jax.jit
    def squares(genome: SharedRulesGenome, key: jax.Array) -> list[jax.Array]:
        sample_key, fitness_key = jax.random.split(key)
        population = jax.vmap(genome.sample)(jax.random.split(sample_key, size))
        weights = standardize(centred_ranks(jax.random.normal(fitness_key, (size,))))
        plain = score_gradient(genome, population, weights)
        return [
            square
            for step in (genome.even_gradient(plain), plain)
            for square in squares_of(genome, step)
        ]

    def squares_of(
        genome: SharedRulesGenome, step: SharedRulesGenome
    ) -> tuple[jax.Array, jax.Array]:
        p = jax.nn.softmax(genome.logits)
        moved = p * (step.logits - jnp.sum(p * step.logits, axis=1, keepdims=True))
        return jnp.mean(jnp.square(step.rules)), jnp.mean(jnp.sum(jnp.square(moved), axis=1))

    repeats = max(3, 300 // num_rules)
    measured = np.mean(
        [squares(genome, key) for key in jax.random.split(jax.random.key(7), repeats)], axis=0
    )
    rules, assignment, plain_rules, plain_assignment = measured * size
    np.testing.assert_allclose(rules / std**2, 1.0, rtol=0.2)
    np.testing.assert_allclose(assignment, 1 - 1 / num_rules, rtol=0.2, atol=1e-6)
    np.testing.assert_allclose(plain_rules * std**2, num_synapses / num_rules, rtol=0.2)
    np.testing.assert_allclose(
        plain_assignment, (1 - 1 / num_rules) / num_rules**2, rtol=0.2, atol=1e-9
    )


@pytest.mark.parametrize("genome", [SharedRules(num_rules=3), FixedRules(num_rules=3)])
def test_natural_gradient_is_that_over_the_fisher_information(genome: Any):
    """The mean square of the score, parameter by parameter, over 4,000 samples, to 20%.

    That of a rule is n_k / std^2 and that of a logit p (1 - p), which `natural_gradient` takes for
    p. Small std, so that samples tell which rule they are of.

    Mutation: the scale of `even_gradient`.
    """
    std, count = 0.01, 4000
    genome = genome.init(jax.random.key(0), SHAPE).with_std(jnp.asarray(std))
    population = sample_many(genome, count)

    def score(genotype: Any) -> Any:
        return jax.grad(lambda learned: with_learned(genome, learned).log_prob(genotype))(
            learned_of(genome)
        )

    fisher = jax.tree.map(
        lambda leaf: jnp.mean(jnp.square(leaf), axis=0), jax.jit(jax.vmap(score))(population)
    )
    natural = genome.natural_gradient(jax.tree.map(jnp.ones_like, learned_of(genome)))
    np.testing.assert_allclose(fisher.rules * natural.rules, 1.0, rtol=0.2)
    if isinstance(genome, SharedRulesGenome):
        p = jax.nn.softmax(genome.logits)
        np.testing.assert_allclose(fisher.logits * natural.logits, 1 - p, rtol=0.2)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda: SharedRules(rho=0.5),
            "genome.rho is 0.5, but must be between 1 and the number of synapses",
        ),
        (
            lambda: SharedRules(rho=15).init(jax.random.key(0), SHAPE),
            "genome.rho is 15, but must be between 1 and 14",
        ),
        (
            lambda: SharedRules(num_rules=15).init(jax.random.key(0), SHAPE),
            "genome.num_rules is 15, but must be between 1 and 14",
        ),
        (lambda: FixedRules(num_rules=0), "genome.num_rules is 0"),
        (
            lambda: SharedRules(rho=2, num_rules=7),
            "genome.rho is 2 and genome.num_rules is 7, but one of them",
        ),
        (lambda: FixedRules(), "genome.rho is None and genome.num_rules is None, but one of them"),
        (lambda: SharedRules(rho=2, init_scale=-1.0), "genome.init_scale is -1.0"),
        (lambda: SharedRules(rho=2, sharpness=-1.0), "genome.sharpness is -1.0"),
        (
            lambda: SharedRules(rho=2).init(
                jax.random.key(0), Parameter((3, 4), ("observation", "action"), "weight")
            ),
            r"a part of shape \(3, 4\)",
        ),
        (
            lambda: ScoreFunction(4).ask(
                jax.random.key(0), ScoreFunction(4).init(jax.random.key(1), mixture())
            ),
            "strategy.is_mirrored is True",
        ),
        (
            lambda: Joint((("rules", Normal()),)).init(jax.random.key(0), SHAPE),
            r"genome.parts names \['rules'\], but must name each of \['rules', 'weights'\]",
        ),
        (
            lambda: PerPart((("bias", Sgd()),)).build().init(mixture()),
            "strategy.optimizer.parts names 'bias', but the genome has logits, rules, std",
        ),
    ],
)
def test_mistakes_are_named(make: Any, words: str):
    with pytest.raises(ValueError, match=words):
        make()
