"""The eyes: flax's convolution is the oracle of what they see."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen

import hebbax
from hebbax.genomes.joint import Joint
from hebbax.genomes.normal import Normal
from hebbax.policies.convolutional import Convolutional
from hebbax.policies.hebbian import Hebbian

NO_REWARD = jnp.asarray(0.0)


class Picture:
    """A task of pictures."""

    def __init__(self, shape=(84, 84, 3), action_size=3):
        self.observation_shape, self.action_size = shape, action_size


def filters(policy: Convolutional, num_colours: int = 3) -> list[jax.Array]:
    """Kernels of order one."""
    counts = [num_colours, *policy.channels]
    shapes = [(size, size, *counts[i : i + 2]) for i, size in enumerate(policy.kernels)]
    keys = jax.random.split(jax.random.key(0), len(shapes))
    return [0.3 * jax.random.normal(key, shape) for key, shape in zip(keys, shapes, strict=True)]


EYES = [
    (Convolutional(), (84, 84, 3)),
    (Convolutional(), (33, 20, 3)),
    (Convolutional(channels=(4,), kernels=(3,), strides=(3,), pool=1), (10, 11, 4)),
    (
        Convolutional(channels=(5,), kernels=(4,), strides=(2,), pool=3, activation="relu"),
        (30,) * 3,
    ),
]


@pytest.mark.parametrize(("policy", "shape"), EYES)
def test_features_are_those_of_flax(policy: Convolutional, shape: tuple[int, ...]):
    """Convolution, max-pooling and activation, layer by layer, to the roundings of some sums.

    Mutations: a stride of 1 in the second convolution; the mean instead of the maximum; rows and
    columns exchanged; always tanh.
    """
    picture = features = jax.random.uniform(jax.random.key(1), shape)
    kernels = filters(policy, shape[-1])
    activation = {"tanh": jnp.tanh, "relu": linen.relu}[policy.activation]
    for kernel, stride in zip(kernels, policy.strides, strict=True):
        layer = linen.Conv(
            kernel.shape[-1], kernel.shape[:2], strides=stride, padding="VALID", use_bias=False
        )
        square = (policy.pool, policy.pool)
        features = linen.max_pool(
            activation(layer.apply({"params": {"kernel": kernel}}, features)), square, square
        )
    np.testing.assert_allclose(policy.look(kernels, picture), jnp.ravel(features), atol=2e-5)


@pytest.mark.parametrize(("policy", "shape"), EYES)
@pytest.mark.usefixtures("forms_of_accelerators")
def test_features_are_those_of_flax_on_accelerators(policy, shape):
    """Mutation: rows and columns of the patches exchanged."""
    test_features_are_those_of_flax(policy, shape)


def test_the_papers_size():
    """648 features, 91,328 plastic synapses, and 162 + 1,200 numbers of filters."""
    shape = Convolutional().parameters(Picture())
    assert shape.head.rules[0].shape == (5, 648, 128)
    assert sum(rules.size // 5 for rules in shape.head.rules) == 91_328
    assert [leaf.size for leaf in shape.filters] == [162, 1200]


def test_filters_and_rules_have_genomes_of_their_own():
    """A joint genome gives filters as plain weights and shared rules for the synapses."""
    policy = Convolutional(Hebbian((4,), is_output_linear=True))
    genome = Joint((("filters", Normal()), ("head", hebbax.SharedRules(num_rules=2)))).init(
        jax.random.key(0), policy.parameters(Picture((20, 20, 3)))
    )
    genotype = genome.with_std(jnp.asarray(0.0)).sample(jax.random.key(1))
    rules = np.concatenate([np.reshape(layer, (5, -1)) for layer in genotype.head.rules], axis=1)
    assert len(np.unique(rules, axis=1).T) == 2
    assert [kernel.shape for kernel in genotype.filters] == [(3, 3, 3, 6), (5, 5, 6, 8)]


def test_the_head_acts_on_the_features():
    """Its outputs are the action, its memory the memory."""
    head = Hebbian((4,), is_output_linear=True)
    policy, task = Convolutional(head), Picture((20, 20, 3), action_size=2)
    genotype = Normal(init_scale=0.5).init(jax.random.key(0), policy.parameters(task)).mean
    picture = jax.random.uniform(jax.random.key(1), task.observation_shape)
    memory = policy.reset(jax.random.key(2), genotype)
    results = policy.act(genotype, memory, picture, NO_REWARD)
    features = policy.look(genotype.filters, picture)
    expected = head.act(genotype.head, memory, features, NO_REWARD)
    for one, other in zip(jax.tree.leaves(results), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_what_does_not_fit_is_refused():
    """No picture, too small a picture, and convolutions without a size of their own."""
    for task in (Picture((28,)), Picture((15, 84, 3))):
        with pytest.raises(ValueError, match="allowed are pictures of 16 x 16 pixels or more"):
            Convolutional().parameters(task)
    with pytest.raises(ValueError, match="must have one number each for every convolution"):
        Convolutional(channels=(3,))
    picture = jax.ShapeDtypeStruct((16, 16, 3), jnp.float32)
    assert jax.eval_shape(Convolutional().look, filters(Convolutional()), picture).size > 0
