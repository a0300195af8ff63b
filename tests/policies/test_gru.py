"""The GRU policy: flax's cell is the oracle of its recurrence."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen

from hebbax.policies.convolutional import Features
from hebbax.policies.gru import GRU, remember
from hebbax.policies.recurrent import RecurrentPhenotype

PRE, HIDDEN = 3, 5


def test_recurrence_is_that_of_flax():
    """Five steps from an empty memory. flax has no bias of reset and update from the last output.

    Mutations: gates in the order z, r, n; the reset before the product.
    """
    shapes = [(PRE, 3 * HIDDEN), (HIDDEN, 3 * HIDDEN), (3 * HIDDEN,), (3 * HIDDEN,)]
    keys = jax.random.split(jax.random.key(0), len(shapes))
    ours = RecurrentPhenotype(
        *(jax.random.normal(key, shape) for key, shape in zip(keys, shapes, strict=True)), layers=()
    )
    ours = ours.replace(hidden_bias=ours.hidden_bias.at[: 2 * HIDDEN].set(0.0))
    parts = (ours.from_input, ours.from_hidden, ours.input_bias, ours.hidden_bias)
    theirs = {}
    for gate, *of_gate in zip("rzn", *(jnp.split(part, 3, axis=-1) for part in parts), strict=True):
        theirs[f"i{gate}"] = {"kernel": of_gate[0], "bias": of_gate[2]}
        theirs[f"h{gate}"] = {"kernel": of_gate[1]}
    theirs["hn"]["bias"] = ours.hidden_bias[2 * HIDDEN :]

    cell = linen.GRUCell(features=HIDDEN)
    memory = carry = jnp.zeros(HIDDEN)
    for inputs in jax.random.normal(jax.random.key(1), (5, PRE)):
        memory = remember(ours, memory, inputs)
        carry, _ = cell.apply({"params": theirs}, carry, inputs)
        np.testing.assert_allclose(memory, carry, rtol=0, atol=1e-5)


def test_the_dense_layers_stand_behind():
    """The activation is theirs, the last one linear if so asked. Mutation: tanh everywhere."""
    policy = GRU(hidden_sizes=(4, 3), activation="relu", is_output_linear=True)
    parameters = policy.parameters(Features((PRE,), 2))
    numbers = jax.tree.map(lambda leaf: jnp.full(leaf.shape, 0.7), parameters)
    memory = policy.reset(jax.random.key(0), numbers)
    action, memory = policy.act(numbers, memory, jnp.ones(PRE), jnp.asarray(0.0))
    hidden = np.maximum(np.asarray(memory) @ np.full((4, 3), 0.7), 0)
    np.testing.assert_allclose(action, hidden @ np.full((3, 2), 0.7), rtol=1e-5)
