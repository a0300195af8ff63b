"""Networks of Flax: the hand-written ones are their oracles."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen
from jaxtyping import Array

import hebbax
from hebbax import testing
from hebbax.config import Config
from hebbax.policies.convolutional import Features
from hebbax.policies.flax import Flax
from hebbax.policies.lstm import LSTM
from hebbax.policies.recurrent import RecurrentPhenotype
from hebbax.policies.static import Static
from small_run import small_config
from small_task import Cart

NO_REWARD = jnp.asarray(0.0)


class Network(linen.Module):
    """The static network, layer by layer."""

    sizes: tuple[int, ...] = (3, 1)

    @linen.compact
    def __call__(self, observation: Array) -> Array:
        activation = observation
        for size in self.sizes:
            activation = linen.tanh(linen.Dense(size, use_bias=False)(activation))
        return activation


class Recurrent(linen.Module):
    """The LSTM, and a layer behind it."""

    features: int = 4
    num_actions: int = 1

    def initialize_carry(self, key: Array, input_shape: tuple[int, ...]) -> Any:
        cell = linen.OptimizedLSTMCell(self.features, parent=None)
        return cell.initialize_carry(key, input_shape)

    @linen.compact
    def __call__(self, carry: Any, observation: Array) -> tuple[Any, Array]:
        carry, hidden = linen.OptimizedLSTMCell(self.features)(carry, observation)
        return carry, linen.tanh(linen.Dense(self.num_actions, use_bias=False)(hidden))


class Normalised(linen.Module):
    """A network that keeps running means."""

    @linen.compact
    def __call__(self, observation: Array) -> Array:
        return linen.Dense(1)(linen.BatchNorm(use_running_average=False)(observation))


def numbers(shape: Any) -> Any:
    leaves, structure = jax.tree.flatten(shape)
    keys = jax.random.split(jax.random.key(1), len(leaves))
    drawn = [jax.random.normal(key, leaf.shape) for key, leaf in zip(keys, leaves, strict=True)]
    return structure.unflatten(drawn)


PAPERS = Features((28,), 8)


@pytest.mark.parametrize(("task", "sizes"), [(Cart(), (3, 1)), (PAPERS, (128, 64, 8))])
def test_it_is_the_static_network(task: Any, sizes: tuple[int, ...]):
    """Also the paper's, to the roundings of some sums. Mutation: layers in another order."""
    policy, static = Flax(Network(sizes)), Static(hidden_sizes=sizes[:-1])
    genotype = jax.tree.map(lambda leaf: 0.1 * leaf, numbers(policy.parameters(task)))
    layers = tuple(genotype[f"Dense_{number}"]["kernel"] for number in range(len(sizes)))
    observation = jax.random.normal(jax.random.key(2), task.observation_shape)
    action, memory = policy.act(
        genotype, policy.reset(jax.random.key(0), genotype), observation, NO_REWARD
    )
    assert memory == ()
    np.testing.assert_allclose(
        action, static.act(layers, (), observation, NO_REWARD)[0], rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize(("task", "num_hidden"), [(Cart(), 4), (PAPERS, 128)])
def test_it_is_the_lstm(task: Any, num_hidden: int):
    """Also the paper's first layer, over five steps, to the roundings of some sums.

    Mutation: the carry is not kept.
    """
    policy = Flax(Recurrent(num_hidden, task.action_size))
    lstm = LSTM(hidden_sizes=(num_hidden,))
    genotype = jax.tree.map(lambda leaf: 0.3 * leaf, numbers(policy.parameters(task)))
    cell = genotype["OptimizedLSTMCell_0"]
    ours = RecurrentPhenotype(
        from_input=jnp.concatenate([cell[f"i{gate}"]["kernel"] for gate in "ifgo"], axis=1),
        from_hidden=jnp.concatenate([cell[f"h{gate}"]["kernel"] for gate in "ifgo"], axis=1),
        input_bias=jnp.zeros(4 * num_hidden),
        hidden_bias=jnp.concatenate([cell[f"h{gate}"]["bias"] for gate in "ifgo"]),
        layers=(genotype["Dense_0"]["kernel"],),
    )
    memory, our_memory = (
        each.reset(jax.random.key(0), inherited)
        for each, inherited in ((policy, genotype), (lstm, ours))
    )
    for step in range(5):
        observation = jax.random.normal(jax.random.key(step), task.observation_shape)
        action, memory = policy.act(genotype, memory, observation, NO_REWARD)
        expected, our_memory = lstm.act(ours, our_memory, observation, NO_REWARD)
        np.testing.assert_allclose(action, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("module", [Network(), Recurrent()], ids=["feedforward", "recurrent"])
def test_it_evolves_and_is_read_back(module: linen.Module, tmp_path: Any):
    """It fits its interface, moves, and comes back from the run's folder."""
    policy = Flax(module)
    testing.check_policy(policy, Cart())
    config = dataclasses.replace(small_config(generations=2), policy=policy)
    result = hebbax.train(config, tmp_path)
    assert all(metrics["update_norm"] > 0 for metrics in result.history)
    assert Config.load(tmp_path) == config
    assert hash(Config.load(tmp_path)) == hash(config)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Flax(3), "policy.module is 3, but must be a module of flax.linen"),
        (lambda: Flax(Network), "but must be a module of flax.linen"),
        (lambda: Flax(Normalised()).parameters(Cart()), "variables of batch_stats"),
        (
            lambda: hebbax.check(small_config(policy=Flax(Network((3, 2))))),
            r"the action that policy.act returns has shape \(2,\)",
        ),
    ],
)
def test_mistakes_are_named(make: Any, words: str):
    with pytest.raises(ValueError, match=words):
        make()


class InSetup(linen.Module):
    """A cell that is made where linen's own modules make theirs."""

    def setup(self) -> None:
        self.cell = linen.GRUCell(4)
        self.last = linen.Dense(1)

    def initialize_carry(self, key: Array, shape: tuple[int, ...]) -> Array:
        return self.cell.initialize_carry(key, shape)

    def __call__(self, carry: Array, observation: Array) -> tuple[Array, Array]:
        carry, hidden = self.cell(carry, observation)
        return carry, self.last(hidden)


class Loose(linen.Module):
    """A cell that is made where linen does not allow it."""

    def initialize_carry(self, key: Array, shape: tuple[int, ...]) -> Array:
        return linen.GRUCell(4).initialize_carry(key, shape)

    @linen.compact
    def __call__(self, carry: Array, observation: Array) -> tuple[Array, Array]:
        carry, hidden = linen.GRUCell(4)(carry, observation)
        return carry, linen.Dense(1)(hidden)


def test_cells_may_be_made_in_setup():
    """Mutation: the module itself is asked, which has no cell before it is applied."""
    testing.check_policy(Flax(InSetup()), Cart())
    with pytest.raises(ValueError, match=r"initialize_carry cannot be run.*or with parent=None"):
        testing.check_policy(Flax(Loose()), Cart())
