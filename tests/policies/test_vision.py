"""The eyes: flax's convolution is the oracle of what they see.

What the head says is squashed after it has learnt.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen

import hebbax
from hebbax.genomes.joint import Joint
from hebbax.genomes.normal import Normal
from hebbax.policies.hebbian import Hebbian
from hebbax.policies.lstm import LSTM
from hebbax.policies.static import Static
from hebbax.policies.vision import FIRST, SECOND, Features, Vision, look

NO_REWARD = jnp.asarray(0.0)


class Picture:
    """A task of pictures."""

    def __init__(self, shape=(84, 84, 3), action_size=3):
        self.observation_shape, self.action_size = shape, action_size


def filters(seed=0):
    keys = jax.random.split(jax.random.key(seed), 2)
    return tuple(
        0.3 * jax.random.normal(key, shape)
        for key, shape in zip(keys, (FIRST, SECOND), strict=True)
    )


@pytest.mark.parametrize("shape", [(84, 84, 3), (33, 20, 3)])
def test_features_are_those_of_flax(shape):
    """Convolution, tanh and max-pooling twice, in the order of the paper.

    Sums of up to 150 numbers of order one.

    Mutations: a stride of 1 in the second convolution; the mean instead of the maximum; rows and
    columns exchanged.
    """
    picture = jax.random.uniform(jax.random.key(1), shape)
    features = picture
    for kernel, stride in zip(filters(), (1, 2), strict=True):
        layer = linen.Conv(
            kernel.shape[-1], kernel.shape[:2], strides=stride, padding="VALID", use_bias=False
        )
        features = linen.max_pool(
            jnp.tanh(layer.apply({"params": {"kernel": kernel}}, features)), (2, 2), strides=(2, 2)
        )
    np.testing.assert_allclose(look(filters(), picture), jnp.ravel(features), rtol=0, atol=1e-5)


@pytest.mark.parametrize("shape", [(84, 84, 3), (33, 20, 3)])
@pytest.mark.usefixtures("forms_of_accelerators")
def test_features_are_those_of_flax_on_accelerators(shape):
    """Mutation: rows and columns of the patches exchanged."""
    test_features_are_those_of_flax(shape)


def test_the_papers_size():
    """648 features, 91,328 plastic synapses, and 162 + 1,200 numbers of filters."""
    shape = Vision().parameters(Picture())
    assert shape.head.rules[0].shape == (5, 648, 128)
    assert sum(rules.size // 5 for rules in shape.head.rules) == 91_328
    assert [leaf.size for leaf in shape.filters] == [162, 1200]


@pytest.mark.parametrize(
    "head",
    [
        Hebbian((4,), is_output_linear=True),
        Static((4,), is_output_linear=True),
        LSTM((4,), is_output_linear=True),
    ],
)
def test_what_the_head_says_is_squashed(head):
    """Steering is the tanh of the head's first number, gas and brake the sigmoid of the others.

    The head's memory is its own.

    Mutation: a head that squashes too gives other controls.
    """
    policy, task = Vision(head), Picture((20, 20, 3))
    genotype = Normal(init_scale=0.5).init(jax.random.key(0), policy.parameters(task)).mean
    picture = jax.random.uniform(jax.random.key(1), task.observation_shape)
    memory = policy.reset(jax.random.key(2), genotype)
    action, after = policy.act(genotype, memory, picture, NO_REWARD)
    outputs, expected = head.act(genotype.head, memory, look(genotype.filters, picture), NO_REWARD)
    np.testing.assert_allclose(
        action,
        [np.tanh(outputs[0]), 1 / (1 + np.exp(-outputs[1])), 1 / (1 + np.exp(-outputs[2]))],
        rtol=1e-5,
    )
    for one, other in zip(jax.tree.leaves(after), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_filters_and_rules_have_genomes_of_their_own():
    """A joint genome gives filters as plain weights and shared rules for the synapses."""
    policy = Vision(Hebbian((4,), is_output_linear=True))
    genome = Joint((("filters", Normal()), ("head", hebbax.SharedRules(num_rules=2)))).init(
        jax.random.key(0), policy.parameters(Picture((20, 20, 3)))
    )
    genotype = genome.with_std(jnp.asarray(0.0)).sample(jax.random.key(1))
    rules = np.concatenate([np.reshape(layer, (5, -1)) for layer in genotype.head.rules], axis=1)
    assert len(np.unique(rules, axis=1).T) == 2
    assert [kernel.shape for kernel in genotype.filters] == [FIRST, SECOND]


def test_what_does_not_fit_is_refused():
    """No picture, too small a picture, other controls, and a head that squashes."""
    for task in (Picture((28,)), Picture((84, 84, 1)), Picture((15, 84, 3))):
        with pytest.raises(ValueError, match="allowed are pictures of 16 x 16 x 3 or more"):
            Vision().parameters(task)
    with pytest.raises(
        ValueError, match="action has 8 numbers; allowed are steering, gas and brake"
    ):
        Vision().parameters(Picture(action_size=8))
    with pytest.raises(
        ValueError, match=r"policy.head.is_output_linear is False, but must be True"
    ):
        Vision(Static())
    assert jax.eval_shape(look, filters(), jax.ShapeDtypeStruct((16, 16, 3), jnp.float32)).size > 0
    assert Features((5,)).action_size == 3
