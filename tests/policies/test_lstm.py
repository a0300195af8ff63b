"""The LSTM policy: flax's cell is the oracle of its recurrence."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen

from hebbax.genomes.normal import Normal
from hebbax.policies.lstm import LSTM, LSTMMemory, remember
from hebbax.policies.recurrent import RecurrentPhenotype
from small_task import Cart

NO_REWARD = jnp.asarray(0.0)

PRE, HIDDEN = 3, 5


def genotype(policy: LSTM, seed: int = 0) -> RecurrentPhenotype:
    return Normal().init(jax.random.key(seed), policy.parameters(Cart())).mean


def test_recurrence_is_that_of_flax():
    """Five steps from an empty memory. flax has one bias, the sum of ours.

    Mutation: gates in the order i, f, o, g.
    """
    shapes = [(PRE, 4 * HIDDEN), (HIDDEN, 4 * HIDDEN), (4 * HIDDEN,), (4 * HIDDEN,)]
    keys = jax.random.split(jax.random.key(0), len(shapes))
    ours = RecurrentPhenotype(
        *(jax.random.normal(key, shape) for key, shape in zip(keys, shapes, strict=True)), layers=()
    )
    cell = linen.LSTMCell(features=HIDDEN)
    gates = zip(
        "ifgo",
        *(jnp.split(part, 4, axis=-1) for part in (ours.from_input, ours.from_hidden)),
        strict=True,
    )
    biases = jnp.split(ours.input_bias + ours.hidden_bias, 4)
    theirs = {}
    for (gate, from_input, from_hidden), bias in zip(gates, biases, strict=True):
        theirs[f"i{gate}"] = {"kernel": from_input}
        theirs[f"h{gate}"] = {"kernel": from_hidden, "bias": bias}

    memory = LSTMMemory(jnp.zeros(HIDDEN), jnp.zeros(HIDDEN))
    carry = (jnp.zeros(HIDDEN), jnp.zeros(HIDDEN))  # flax's order is cell, hidden.
    for inputs in jax.random.normal(jax.random.key(1), (5, PRE)):
        memory = remember(ours, memory, inputs)
        carry, said = cell.apply({"params": theirs}, carry, inputs)
        np.testing.assert_allclose(memory.cell, carry[0], rtol=0, atol=1e-5)
        np.testing.assert_allclose(memory.hidden, said, rtol=0, atol=1e-5)


def test_actions_depend_on_the_past():
    """The same observation twice gives another action the second time, and the same from birth."""
    policy = LSTM(hidden_sizes=(4, 3))
    weights = genotype(policy)
    observation = jnp.asarray([0.5, -0.2])
    birth = policy.reset(jax.random.key(1), weights)
    first, memory = policy.act(weights, birth, observation, NO_REWARD)
    second, _ = policy.act(weights, memory, observation, NO_REWARD)
    again, _ = policy.act(weights, policy.reset(jax.random.key(2), weights), observation, NO_REWARD)
    assert np.max(np.abs(first - second)) > 1e-3
    np.testing.assert_array_equal(first, again)


def test_the_papers_size():
    """28 senses into an LSTM of 128 with two biases, then 64 and 8.

    4 (28 + 128) 128 + 2 x 512 + 128 x 64 + 64 x 8 numbers.
    """

    class Shape:
        observation_shape = (28,)
        action_size = 8

    sizes = [leaf.size for leaf in jax.tree.leaves(LSTM().parameters(Shape()))]
    assert sum(sizes) == 4 * (28 + 128) * 128 + 2 * 512 + 128 * 64 + 64 * 8


@pytest.mark.parametrize(
    ("sizes", "words"),
    [((), "one size or more"), ((0, 3), r"\(0, 3\), but must be .* each 1 neuron or more")],
)
def test_networks_without_neurons_are_refused(sizes: tuple[int, ...], words: str):
    with pytest.raises(ValueError, match=words):
        LSTM(hidden_sizes=sizes)
