"""Every rule and bound: one step by hand, in float64."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hebbax
from hebbax import testing
from hebbax.rules import ABCD, Decay, Every, Modulated, Oja, Signals
from hebbax.rules.bounds import BOUNDS

PRE, POST = np.asarray([0.5, -0.25, 1.0]), np.asarray([0.125, -0.75])
WEIGHTS = np.asarray([[0.5, -1.0], [0.25, 2.0], [-0.125, 0.0]])
SIGNALS = Signals(
    jnp.asarray(PRE, jnp.float32)[:, None],
    jnp.asarray(POST, jnp.float32)[None],
    jnp.asarray(0.0, jnp.float32),
)
FAMILY = [
    *(ABCD(terms, rate) for terms in ("A", "ABC") for rate in ("none", "inside")),
    *(
        ABCD(terms, rate)
        for terms in ("AD", "ABCD")
        for rate in ("none", "inside", "outside", "both")
    ),
]
RULES = [
    *FAMILY,
    *(Oja(), Decay(ABCD(), 0.25), Every(ABCD(), 1), Every(Decay(Oja()), 3)),
    *(Modulated(by=by) for by in ("reward", "surprise", "neuron")),
]


def coefficients_of(rule, seed=0):
    shape = (len(rule.coefficients), *WEIGHTS.shape)
    return np.random.default_rng(seed).choice([-1.5, -0.5, 0.25, 1.0], shape)


def step(rule, coefficients, weights=WEIGHTS, trace=None):
    weights = jnp.asarray(weights, jnp.float32)
    trace = rule.init(weights) if trace is None else trace
    return rule.update(weights, trace, jnp.asarray(coefficients, jnp.float32), SIGNALS)


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_rules_keep_to_their_interface(rule):
    testing.check_rule(rule)


@pytest.mark.parametrize("rule", FAMILY, ids=str)
def test_the_family_by_hand(rule):
    """Synapse by synapse, in float64.

    Mutations: the rate inside where it is outside; B and C exchanged; E times the rate.
    """
    coefficients = coefficients_of(rule)
    expected = WEIGHTS.copy()
    for i, j in itertools.product(range(3), range(2)):
        own = dict(zip(rule.coefficients, coefficients[:, i, j], strict=True))
        rate = own.get("eta", 1.0)
        sums = own["A"] * PRE[i] * POST[j]
        sums += own.get("B", 0.0) * PRE[i] + own.get("C", 0.0) * POST[j]
        constant = own.get("D", 0.0)
        expected[i, j] += rate * sums
        expected[i, j] += constant if rule.rate == "outside" else rate * constant
        expected[i, j] += own.get("E", 0.0)
    np.testing.assert_allclose(step(rule, coefficients)[0], expected, rtol=1e-6, atol=1e-7)


def test_a_place_of_no_constant_is_refused():
    for terms, rate in itertools.product(("A", "ABC"), ("outside", "both")):
        with pytest.raises(ValueError, match=r"rule\.rate is .*allowed are 'none' and 'inside'"):
            ABCD(terms, rate)


def test_oja_by_hand():
    """Mutation: the input's square instead of the output's."""
    eta = coefficients_of(Oja())
    expected = WEIGHTS + eta[0] * (np.outer(PRE, POST) - POST[None] ** 2 * WEIGHTS)
    np.testing.assert_allclose(step(Oja(), eta)[0], expected, rtol=1e-6)


def test_oja_finds_the_first_principal_component():
    """Of a linear neuron, from 2,000 inputs of two correlated numbers; and its length is 1."""
    inputs = np.random.default_rng(0).normal(size=(2000, 2)) @ np.asarray([[2.0, 1.0], [0.0, 0.5]])

    def see(weights, seen):
        seen = seen[:, None]
        signals = Signals(seen, seen.T @ weights, jnp.asarray(0.0))
        return Oja().update(weights, (), jnp.full((1, 2, 1), 0.005), signals)[0], None

    weights = jax.lax.scan(see, jnp.asarray([[0.1], [0.1]]), jnp.asarray(inputs, jnp.float32))[0]
    first = np.linalg.svd(inputs, full_matrices=False)[2][0]
    assert np.linalg.norm(weights) == pytest.approx(1.0, abs=0.05)
    assert abs(float(first @ np.ravel(weights))) > 0.99


def test_weights_decay():
    """By hand; without another change they shrink to nothing.

    Mutation: the share of the changed weights instead of those before.
    """
    rule, coefficients = Decay(ABCD(), 0.25), coefficients_of(ABCD())
    changed = np.asarray(step(ABCD(), coefficients)[0], np.float64) - WEIGHTS
    expected = 0.75 * WEIGHTS + changed
    np.testing.assert_allclose(step(rule, coefficients)[0], expected, rtol=1e-6, atol=1e-7)


def test_updates_wait():
    """Two steps change nothing, the third does, and so on.

    Mutation: an update in the first step.
    """
    rule, coefficients = Every(ABCD(), 3), coefficients_of(ABCD())
    weights, trace, seen = jnp.asarray(WEIGHTS, jnp.float32), None, []
    for _ in range(7):
        after, trace = step(rule, coefficients, weights, trace)
        seen.append(not bool(jnp.all(after == weights)))
        weights = after
    assert seen == [False, False, True, False, False, True, False]


def test_bounds_by_hand():
    """Mutations: rows and columns exchanged; a layer of zeros that becomes NaN."""
    bounded = {name: np.asarray(bound(jnp.asarray(WEIGHTS))) for name, bound in BOUNDS.items()}
    np.testing.assert_allclose(bounded["none"], WEIGHTS)
    np.testing.assert_allclose(bounded["largest"], WEIGHTS / 2.0)
    np.testing.assert_allclose(bounded["clip"], np.clip(WEIGHTS, -1, 1))
    np.testing.assert_allclose(
        bounded["row_norm"], WEIGHTS / np.sqrt((WEIGHTS**2).sum(axis=0)), rtol=1e-6
    )
    for bound in BOUNDS.values():
        np.testing.assert_array_equal(bound(jnp.zeros((2, 3))), 0.0)


@pytest.mark.parametrize("bound", BOUNDS)
def test_policies_stay_within_their_bound(bound):
    """After an episode of large changes."""
    policy = hebbax.Hebbian(hidden_sizes=(3,), rule=ABCD(rate="none"), bound=bound)
    phenotype = jax.tree.map(
        lambda leaf: jnp.full(leaf.shape, 0.5), policy.parameters(hebbax.tasks.Point())
    )
    memory = policy.reset(jax.random.key(0), phenotype)
    for _ in range(5):
        _, memory = policy.act(phenotype, memory, jnp.ones(2), jnp.asarray(0.0))
    for weights in policy.plastic_weights(memory):
        np.testing.assert_allclose(BOUNDS[bound](weights), weights, rtol=1e-6)


@pytest.mark.parametrize("by", ["reward", "surprise", "neuron"])
def test_modulated_by_hand(by):
    """Three steps with other rewards: what was remembered is made, as far as the signal says.

    In float64. Mutations: the change of the same step; an eligibility that does not fade; the mean
    with the new reward.
    """
    rule = Modulated(ABCD(), by=by, decay=0.75, mean_rate=0.25)
    coefficients = coefficients_of(rule)
    own = dict(zip(rule.coefficients, coefficients, strict=True))
    change = own["eta"] * (
        own["A"] * np.outer(PRE, POST) + own["B"] * PRE[:, None] + own["C"] * POST + own["D"]
    )
    weights, eligibility, mean = WEIGHTS.copy(), np.zeros_like(WEIGHTS), 0.0
    found, trace = jnp.asarray(WEIGHTS, jnp.float32), rule.init(jnp.asarray(WEIGHTS, jnp.float32))
    for reward, neuron in ((1.0, 0.5), (-2.0, -1.0), (0.5, 0.25)):
        factor = {"reward": reward, "surprise": reward - mean, "neuron": neuron}[by]
        weights = weights + factor * eligibility
        eligibility, mean = 0.75 * eligibility + change, mean + 0.25 * (reward - mean)
        signals = SIGNALS._replace(reward=jnp.float32(reward), modulation=jnp.float32(neuron))
        found, trace = rule.update(found, trace, jnp.asarray(coefficients, jnp.float32), signals)
        np.testing.assert_allclose(found, weights, rtol=1e-5, atol=1e-6)


def test_a_neuron_modulates():
    """The last layer's last neuron is no part of the action, and its output is the signal.

    Mutations: the first neuron; an action with it.
    """
    rule = Modulated(by="neuron")
    for nested in (rule, Decay(rule), Every(Modulated(rule, by="reward"), 2)):
        with pytest.raises(ValueError, match="has_modulator is False; set it to True"):
            hebbax.Hebbian(rule=nested)
    policy = hebbax.Hebbian(hidden_sizes=(), rule=rule, has_modulator=True)
    parameters = policy.parameters(hebbax.tasks.Point())
    assert [leaf.shape for leaf in parameters.rules] == [(5, 2, 3)]
    testing.check_policy(policy, hebbax.tasks.Point())
    phenotype = jax.tree.map(lambda leaf: jnp.ones(leaf.shape), parameters)
    memory = policy.reset(jax.random.key(0), phenotype)
    observation = jnp.asarray([0.5, -1.0])
    _, once = policy.act(phenotype, memory, observation, jnp.float32(0))
    action, twice = policy.act(phenotype, once, observation, jnp.float32(0))
    outputs = jnp.tanh(observation @ once.weights[0])
    np.testing.assert_allclose(action, outputs[:2], rtol=1e-6)
    expected = once.weights[0] + outputs[2] * once.traces[0].eligibility
    np.testing.assert_allclose(twice.weights[0], expected, rtol=1e-5)
