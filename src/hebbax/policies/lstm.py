"""The recurrent baseline: evolved weights, and an LSTM that remembers."""

import dataclasses
from typing import NamedTuple, final

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from hebbax.policies import feedforward, recurrent
from hebbax.policies.base import TaskShape
from hebbax.policies.recurrent import RecurrentPhenotype
from hebbax.types import PRNGKey


class LSTMMemory(NamedTuple):
    """What an LSTM remembers.

    hidden: `[hidden]` its last output.
    cell: `[hidden]` its cells.
    """

    hidden: Float[Array, " hidden"]
    cell: Float[Array, " hidden"]


@final
@dataclasses.dataclass(frozen=True)
class LSTM(feedforward.FixedWeights):
    """A network whose first hidden layer is an LSTM; others are dense.

    Its weights are inherited and fixed, its memory is empty at birth. Its gates stand in the order
    input, forget, cell, output.

    Source: Palm et al. 2021, https://arxiv.org/abs/2011.06811; Hochreiter and Schmidhuber 1997 for
    the LSTM.
    """

    def __post_init__(self) -> None:
        """Refuses layers without neurons, and no layer at all."""
        super().__post_init__()
        recurrent.check_sizes(self)

    def parameters(self, task: TaskShape) -> PyTree:
        """The weights and biases of the LSTM, and the weights of the layers behind it."""
        return recurrent.parameters(task, self.hidden_sizes, num_gates=4)

    def reset(self, key: PRNGKey, phenotype: RecurrentPhenotype) -> LSTMMemory:
        """Nothing is remembered at birth. The key is consumed."""
        empty = recurrent.zero_output(phenotype)
        return LSTMMemory(hidden=empty, cell=empty)

    def act(
        self,
        phenotype: RecurrentPhenotype,
        memory: LSTMMemory,
        observation: Float[Array, "..."],
        reward: Float[Array, ""],
    ) -> tuple[Float[Array, " action"], LSTMMemory]:
        """One step of the LSTM, then one pass through the layers behind it."""
        new_memory = remember(phenotype, memory, jnp.ravel(observation))
        return self._forward(phenotype.layers, new_memory.hidden), new_memory


def remember(
    phenotype: RecurrentPhenotype, memory: LSTMMemory, inputs: Float[Array, " pre"]
) -> LSTMMemory:
    """One step of the LSTM.

    c' = sigmoid(f) c + sigmoid(i) tanh(g),    h' = sigmoid(o) tanh(c')
    """
    gates = (
        inputs @ phenotype.from_input
        + phenotype.input_bias
        + memory.hidden @ phenotype.from_hidden
        + phenotype.hidden_bias
    )
    i, f, g, o = jnp.split(gates, 4)
    cell = jax.nn.sigmoid(f) * memory.cell + jax.nn.sigmoid(i) * jnp.tanh(g)
    return LSTMMemory(hidden=jax.nn.sigmoid(o) * jnp.tanh(cell), cell=cell)
