import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hebbax.policies import feedforward
from hebbax.policies.hebbian import Hebbian, HebbianMemory, HebbianPhenotype
from hebbax.policies.static import Static


@dataclasses.dataclass(frozen=True)
class Shape:
    observation_shape: tuple[int, ...]
    action_size: int


NO_REWARD = jnp.asarray(0.0)
QUADRUPED = Shape(observation_shape=(28,), action_size=8)


def test_the_papers_network_has_the_papers_numbers():
    """28-128-64-8 has 12,288 synapses and five coefficients for each.

    Mutation: biases, or four coefficients.
    """
    static = Static().parameters(QUADRUPED)
    assert [leaf.shape for leaf in static] == [(28, 128), (128, 64), (64, 8)]
    assert sum(math.prod(leaf.shape) for leaf in static) == 12_288
    hebbian = Hebbian().parameters(QUADRUPED)
    assert sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(hebbian)) == 61_440
    evolved = Hebbian(has_evolved_weights=True).parameters(QUADRUPED)
    assert sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(evolved)) == 61_440 + 12_288


def test_images_are_flattened():
    """An observation of several axes enters as one row of neurons.

    No hidden layer is a network too.
    """
    policy, shape = Static(hidden_sizes=()), Shape(observation_shape=(2, 3), action_size=2)
    assert [leaf.shape for leaf in policy.parameters(shape)] == [(6, 2)]
    weights = jnp.arange(12.0).reshape(6, 2) / 100
    action, _ = policy.act((weights,), (), jnp.arange(6.0).reshape(2, 3), NO_REWARD)
    np.testing.assert_allclose(action, np.tanh(np.arange(6.0) @ np.asarray(weights)), rtol=1e-6)


def test_activations_by_hand():
    """tanh after every layer, the action's included. Mutation: a linear last layer."""
    layers = (jnp.asarray([[0.5, -1.0]]), jnp.asarray([[2.0], [1.0]]))
    observation, hidden, action = feedforward.activations(layers, jnp.asarray([0.8]))
    np.testing.assert_allclose(observation, [0.8])
    np.testing.assert_allclose(hidden, np.tanh([0.4, -0.8]), rtol=1e-6)
    np.testing.assert_allclose(action, [np.tanh(2 * np.tanh(0.4) + np.tanh(-0.8))], rtol=1e-6)


def test_static_policy_remembers_nothing():
    """The same observation gives the same action, however often. Mutation: a memory with leaves."""
    policy = Static(hidden_sizes=(3,))
    genotype = (jnp.full((2, 3), 0.4), jnp.full((3, 1), 0.3))
    memory = policy.reset(jax.random.key(0), genotype)
    assert jax.tree.leaves(memory) == []
    first, memory = policy.act(genotype, memory, jnp.ones(2), NO_REWARD)
    second, _ = policy.act(genotype, memory, jnp.ones(2), NO_REWARD)
    np.testing.assert_array_equal(first, second)


def test_all_layers_learn_from_the_same_step_after_acting():
    """Two layers of one synapse each, by hand.

    The action comes from the weights before learning, and so do the activations both layers learn
    from.

    Mutations: act with the learnt weights; the second layer learns from the first one's new
    weights; post of layer 1 is its input.
    """
    policy = Hebbian(hidden_sizes=(1,))
    # w1: eta 0.5, A 1, B 2, C 3, D 4; w2: eta 0.1, A -1, B 1, C 2, D -3
    rules = tuple(
        jnp.asarray(rule).reshape(5, 1, 1)
        for rule in ([0.5, 1.0, 2.0, 3.0, 4.0], [0.1, -1.0, 1.0, 2.0, -3.0])
    )
    genotype = HebbianPhenotype(rules=rules, weights=())
    weights = (jnp.asarray([[0.3]]), jnp.asarray([[-0.7]]))
    memory = HebbianMemory(weights, traces=((), ()))
    action, memory = policy.act(genotype, memory, jnp.asarray([0.9]), NO_REWARD)
    new_weights = policy.plastic_weights(memory)

    x, h = 0.9, np.tanh(0.27)
    y = np.tanh(-0.7 * h)
    np.testing.assert_allclose(action, [y], rtol=1e-6)
    np.testing.assert_allclose(
        new_weights[0], [[0.3 + 0.5 * (x * h + 2 * x + 3 * h + 4)]], rtol=1e-6
    )
    np.testing.assert_allclose(new_weights[1], [[-0.7 + 0.1 * (-h * y + h + 2 * y - 3)]], rtol=1e-6)


def test_what_is_learnt_acts_in_the_next_step():
    """With D alone, a weight grows by eta D at each step, and actions follow.

    Mutation: memory returned unchanged.
    """
    policy = Hebbian(hidden_sizes=(), has_evolved_weights=True)
    rules = jnp.asarray([0.5, 0.0, 0.0, 0.0, 0.2]).reshape(5, 1, 1)
    genotype = HebbianPhenotype(rules=(rules,), weights=(jnp.asarray([[0.1]]),))
    memory = policy.reset(jax.random.key(0), genotype)
    actions = []
    for _ in range(3):
        action, memory = policy.act(genotype, memory, jnp.ones(1), NO_REWARD)
        actions.append(float(action[0]))
    np.testing.assert_allclose(actions, np.tanh([0.1, 0.2, 0.3]), rtol=1e-6)


def test_bounded_weights_stay_within_one():
    """After every update the largest magnitude of each layer is one.

    Mutation: bound all layers by the largest of all.
    """
    policy = Hebbian(hidden_sizes=(3,), bound="largest")
    shape = Shape(observation_shape=(2,), action_size=2)
    genotype = jax.tree.map(lambda leaf: jnp.full(leaf.shape, 2.0), policy.parameters(shape))
    memory = policy.reset(jax.random.key(1), genotype)
    for _ in range(3):
        _, memory = policy.act(genotype, memory, jnp.asarray([0.5, -1.0]), NO_REWARD)
        # A quotient is known to one rounding.
        np.testing.assert_allclose(
            [jnp.max(jnp.abs(weights)) for weights in memory.weights], [1.0, 1.0], rtol=1.2e-7
        )


def test_weights_at_birth_are_uniform_and_new_in_every_episode():
    """They fill [-0.1, 0.1] uniformly; no two episodes or layers share them.

    Mean and deviation within five standard errors.

    Mutations: a normal of deviation 0.1; the genotype's key; one key for all layers.
    """
    policy = Hebbian(hidden_sizes=(60, 60))
    genotype = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape), policy.parameters(Shape((60,), 60)))
    first, second = (
        policy.reset(jax.random.key(2), genotype),
        policy.reset(jax.random.key(3), genotype),
    )
    weights = np.concatenate([np.ravel(layer) for layer in first.weights])
    assert weights.min() >= -0.1
    assert weights.max() <= 0.1
    # Of 10,800 uniform numbers none is in the outermost hundredth with probability exp(-54).
    assert weights.min() < -0.099
    assert weights.max() > 0.099
    deviation = 0.1 / np.sqrt(3)
    assert abs(weights.mean()) / deviation * np.sqrt(weights.size) < 5
    # The variance of (x^2 / var) is 4 / 5 for a uniform x.
    assert abs(np.mean(weights**2) / deviation**2 - 1) * np.sqrt(weights.size / 0.8) < 5
    assert not np.any(np.equal(first.weights[0], second.weights[0]))
    assert not np.any(np.equal(first.weights[0], first.weights[1]))


def test_evolved_weights_are_inherited():
    """With has_evolved_weights an episode begins with the genotype's weights, whatever the key.

    Mutation: draw them nevertheless.
    """
    policy = Hebbian(hidden_sizes=(2,), has_evolved_weights=True)
    shape = policy.parameters(Shape((2,), 1))
    genotype = jax.tree.map(lambda leaf: jnp.full(leaf.shape, 0.7), shape)
    for seed in range(2):
        memory = policy.reset(jax.random.key(seed), genotype)
        assert jax.tree.structure(memory.weights) == jax.tree.structure(genotype.weights)
        assert all(np.all(np.asarray(layer) == np.float32(0.7)) for layer in memory.weights)


def test_biases_are_plastic():
    """One step by hand: a bias is a synapse from a neuron that is always 1.

    Mutations: no bias in the forward pass; biases that learn from the layer's input.
    """
    policy = Hebbian(hidden_sizes=(1,), has_biases=True, has_evolved_weights=True)
    shape = policy.parameters(Shape((1,), 1))
    assert [leaf.shape for leaf in shape.rules] == [(5, 1, 1)] * 4
    assert [leaf.axes[1] for leaf in shape.rules] == ["observation", "hidden0", "bias", "bias"]
    rule = jnp.asarray([0.5, 1.0, 2.0, 3.0, 4.0]).reshape(5, 1, 1)
    still = jnp.zeros((5, 1, 1))
    weights = tuple(jnp.asarray([[value]]) for value in (0.3, -0.7, 0.2, 0.1))
    genotype = HebbianPhenotype(rules=(still, still, rule, rule), weights=weights)
    memory = policy.reset(jax.random.key(0), genotype)
    action, memory = policy.act(genotype, memory, jnp.asarray([0.9]), NO_REWARD)
    h = np.tanh(0.3 * 0.9 + 0.2)
    y = np.tanh(-0.7 * h + 0.1)
    np.testing.assert_allclose(action, [y], rtol=1e-6)
    changed = [0.2 + 0.5 * (h + 2 + 3 * h + 4), 0.1 + 0.5 * (y + 2 + 3 * y + 4)]
    np.testing.assert_allclose(np.ravel(memory.weights), [0.3, -0.7, *changed], rtol=1e-6)


def test_biases_are_bounded_with_their_layer():
    """The largest of a layer's weights and biases becomes one. Mutation: each by itself."""
    policy = Hebbian(hidden_sizes=(3,), bound="largest", has_biases=True)
    shape = Shape(observation_shape=(2,), action_size=2)
    genotype = jax.tree.map(lambda leaf: jnp.full(leaf.shape, 0.1), policy.parameters(shape))
    memory = policy.reset(jax.random.key(1), genotype)
    assert len({layer.tobytes() for layer in map(np.asarray, memory.weights)}) == 4
    _, memory = policy.act(genotype, memory, jnp.asarray([0.5, -1.0]), NO_REWARD)
    for layer, bias in zip(memory.weights[:2], memory.weights[2:], strict=True):
        both = np.concatenate([np.ravel(layer), np.ravel(bias)])
        assert np.max(np.abs(both)) == pytest.approx(1.0)
        assert min(np.max(np.abs(layer)), np.max(np.abs(bias))) < 0.999


def test_recurrent_weights_are_plastic():
    """Two steps by hand: a hidden layer hears itself as it was a step before.

    Mutations: its own activation of the same step; a recurrent synapse that learns from its input.
    """
    policy = Hebbian(hidden_sizes=(1,), is_recurrent=True, has_evolved_weights=True)
    shape = policy.parameters(Shape((1,), 1))
    assert [leaf.axes[1:] for leaf in shape.rules][2] == ("hidden0", "hidden0")
    still = jnp.zeros((5, 1, 1))
    rule = jnp.asarray([0.5, 1.0, 2.0, 3.0, 4.0]).reshape(5, 1, 1)
    weights = tuple(jnp.asarray([[value]]) for value in (0.3, -0.7, 0.2))
    genotype = HebbianPhenotype(rules=(still, still, rule), weights=weights)
    memory = policy.reset(jax.random.key(0), genotype)
    _, memory = policy.act(genotype, memory, jnp.asarray([0.9]), NO_REWARD)
    first = np.tanh(0.3 * 0.9)
    recurrent = 0.2 + 0.5 * (3 * first + 4)
    np.testing.assert_allclose(np.ravel(memory.weights), [0.3, -0.7, recurrent], rtol=1e-6)
    action, memory = policy.act(genotype, memory, jnp.asarray([-0.4]), NO_REWARD)
    second = np.tanh(0.3 * -0.4 + recurrent * first)
    np.testing.assert_allclose(action, [np.tanh(-0.7 * second)], rtol=1e-6)
    recurrent += 0.5 * (first * second + 2 * first + 3 * second + 4)
    np.testing.assert_allclose(np.ravel(memory.weights), [0.3, -0.7, recurrent], rtol=1e-6)


def test_all_that_leads_to_a_layer_is_bounded_together():
    """Layer, recurrent weights and biases. Mutation: each by itself."""
    policy = Hebbian((2,), bound="row_norm", is_recurrent=True, has_biases=True)
    shape = policy.parameters(Shape((3,), 2))
    genotype = jax.tree.map(lambda leaf: jnp.full(leaf.shape, 0.1), shape)
    memory = policy.reset(jax.random.key(1), genotype)
    _, memory = policy.act(genotype, memory, jnp.asarray([0.5, -1.0, 0.3]), NO_REWARD)
    first, last, recurrent, first_bias, last_bias = map(np.asarray, memory.weights)
    for parts in ((first, recurrent, first_bias), (last, last_bias)):
        lengths = np.linalg.norm(np.concatenate(parts), axis=0)
        np.testing.assert_allclose(lengths, 1.0, rtol=1e-6)


@pytest.mark.parametrize("name", feedforward.ACTIVATIONS)
def test_activations_are_of_hidden_layers(name: str):
    """The last layer ends in tanh nevertheless. Mutation: it has the same."""
    layers = (jnp.asarray([[0.5, -1.0]]), jnp.asarray([[2.0], [1.0]]))
    policy = Static(hidden_sizes=(2,), activation=name)
    action, _ = policy.act(layers, (), jnp.asarray([0.8]), NO_REWARD)
    hidden = feedforward.ACTIVATIONS[name](jnp.asarray([0.4, -0.8]))
    np.testing.assert_allclose(action, [np.tanh(2 * hidden[0] + hidden[1])], rtol=1e-6)


@pytest.mark.parametrize("policy", [Static, Hebbian])
def test_layers_without_neurons_are_refused(policy):
    """The error names the field, what was given and what is allowed."""
    with pytest.raises(ValueError, match=r"policy\.hidden_sizes is \(8, 0\).*1 neuron or more"):
        policy(hidden_sizes=(8, 0))


def test_recurrence_needs_a_hidden_layer():
    """Mutation: nothing is recurrent, and nobody says so."""
    with pytest.raises(
        ValueError, match=r"policy\.hidden_sizes is \(\), so that there is no hidden"
    ):
        Hebbian(hidden_sizes=(), is_recurrent=True)


def test_a_negative_range_is_refused():
    """The error names the field, what was given and what is allowed."""
    with pytest.raises(ValueError, match=r"policy\.initial_range is -0\.1, but must be 0 or more"):
        Hebbian(initial_range=-0.1)
