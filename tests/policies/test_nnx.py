"""Networks of Flax's nnx: those of linen and the hand-written ones are their oracles."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jaxtyping import Array

import hebbax
from hebbax import testing
from hebbax.policies.nnx import NNX
from hebbax.policies.static import Static
from small_run import small_config
from small_task import Cart

NO_REWARD = jnp.asarray(0.0)


class Network(nnx.Module):
    """The static network, layer by layer."""

    def __init__(self, num_hidden: int, rngs: nnx.Rngs) -> None:
        self.second = nnx.Linear(num_hidden, 1, use_bias=False, rngs=rngs)
        self.first = nnx.Linear(2, num_hidden, use_bias=False, rngs=rngs)

    def __call__(self, observation: Array) -> Array:
        return nnx.tanh(self.second(nnx.tanh(self.first(observation))))


class Recurrent(nnx.Module):
    """A GRU, and a layer behind it."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.cell = nnx.GRUCell(2, 4, rngs=rngs)
        self.last = nnx.Linear(4, 1, rngs=rngs)

    def initialize_carry(self, input_shape: tuple[int, ...], rngs: nnx.Rngs) -> Array:
        return self.cell.initialize_carry(input_shape, rngs)

    def __call__(self, carry: Array, observation: Array) -> tuple[Array, Array]:
        carry, hidden = self.cell(carry, observation)
        return carry, nnx.tanh(self.last(hidden))


class Normalised(nnx.Module):
    """A network that keeps running means."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.norm = nnx.BatchNorm(2, rngs=rngs)


class Half(nnx.Module):
    """A network of other numbers."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.first = nnx.Linear(2, 1, param_dtype=jnp.bfloat16, rngs=rngs)


def test_it_is_the_static_network():
    """To the roundings of a few sums. Mutation: parameters in the order of their making."""
    policy = NNX(Network, (("num_hidden", 3),))
    shapes = policy.parameters(Cart())
    assert sorted(shapes) == ["first.kernel", "second.kernel"]
    layers = (jnp.arange(6.0).reshape(2, 3) / 10, jnp.arange(3.0).reshape(3, 1) / 7)
    genotype = dict(zip(["first.kernel", "second.kernel"], layers, strict=True))
    observation = jnp.array([0.3, -1.2])
    action, memory = policy.act(genotype, (), observation, NO_REWARD)
    assert memory == ()
    expected, _ = Static((3,)).act(layers, (), observation, NO_REWARD)
    np.testing.assert_allclose(action, expected, rtol=1e-6)


@pytest.mark.parametrize(
    "policy", [NNX(Network, (("num_hidden", 3),)), NNX(Recurrent)], ids=["feedforward", "recurrent"]
)
def test_it_evolves_and_is_read_back(policy: NNX, tmp_path: Any):
    """It fits its interface, moves, and comes back from the run's folder."""
    testing.check_policy(policy, Cart())
    config = dataclasses.replace(small_config(generations=2), policy=policy)
    result = hebbax.train(config, tmp_path)
    assert all(metrics["update_norm"] > 0 for metrics in result.history)
    assert hebbax.Config.load(tmp_path) == config


def test_a_carry_is_kept():
    """The same observation twice gives another action. Mutation: the carry is thrown away."""
    policy = NNX(Recurrent)
    genotype = jax.tree.map(lambda leaf: jnp.full(leaf.shape, 0.5), policy.parameters(Cart()))
    memory = policy.reset(jax.random.key(0), genotype)
    first, memory = policy.act(genotype, memory, jnp.ones(2), NO_REWARD)
    second, _ = policy.act(genotype, memory, jnp.ones(2), NO_REWARD)
    assert abs(float(first[0] - second[0])) > 1e-3


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: NNX(3), "policy.network is 3, but must be a class derived from flax.nnx.Module"),
        (lambda: NNX(Network, "sizes"), "policy.arguments"),
        (lambda: NNX(Normalised).parameters(Cart()), "variables of BatchStat"),
        (lambda: NNX(Half).parameters(Cart()), "of bfloat16, but only float32 can evolve"),
    ],
)
def test_mistakes_are_named(make: Any, words: str):
    with pytest.raises(ValueError, match=words):
        make()
