"""The recurrent baseline: evolved weights, and an LSTM that remembers."""

import dataclasses
from typing import Any, NamedTuple, final

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from hebbax.policies import feedforward
from hebbax.policies.base import TaskShape
from hebbax.types import Parameter, PRNGKey, Struct


@final
class LSTMPhenotype(Struct):
    """Weights of a network whose first layer is an LSTM.

    Its gates stand in the order input, forget, cell, output.

    from_input: `[pre, 4 hidden]` weights from the observation to the gates.
    from_hidden: `[hidden, 4 hidden]` weights from the last output to the gates.
    input_bias: `[4 hidden]` bias of the first.
    hidden_bias: `[4 hidden]` bias of the second; its sum with the other is what counts, but each
        has its own search noise, as in the paper.
    layers: per layer `[pre, post]` the dense layers behind the LSTM.
    """

    from_input: Float[Array, "pre gates"]
    from_hidden: Float[Array, "hidden gates"]
    input_bias: Float[Array, " gates"]
    hidden_bias: Float[Array, " gates"]
    layers: feedforward.Layers


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
    """A network whose first hidden layer is an LSTM.

    Its weights are inherited and fixed, its memory is empty at birth.

    Source: Palm et al. 2021, https://arxiv.org/abs/2011.06811; Hochreiter and Schmidhuber 1997 for
    the LSTM.
    """

    hidden_sizes: tuple[int, ...] = (128, 64)
    """Neurons in each hidden layer; the first is the LSTM."""

    def __post_init__(self) -> None:
        """Refuses layers without neurons, and no layer at all."""
        super().__post_init__()
        if not self.hidden_sizes:
            raise ValueError(
                "policy.hidden_sizes is (), but must have one size or more: the first is the LSTM's"
            )

    def parameters(self, task: TaskShape) -> PyTree:
        """The weights and biases of the LSTM, and the weights of the layers behind it."""
        first, *others = feedforward.layers(task, self.hidden_sizes)
        (pre, hidden), (observation, group) = first.shape, first.axes
        gates = f"{group} gates"
        phenotype: Any = LSTMPhenotype  # Of parameters here, not of arrays.
        return phenotype(
            from_input=Parameter((pre, 4 * hidden), (observation, gates), "weight"),
            from_hidden=Parameter((hidden, 4 * hidden), (group, gates), "weight"),
            input_bias=Parameter((4 * hidden,), (gates,), "bias"),
            hidden_bias=Parameter((4 * hidden,), (gates,), "bias"),
            layers=tuple(others),
        )

    def reset(self, key: PRNGKey, phenotype: LSTMPhenotype) -> LSTMMemory:
        """Nothing is remembered at birth. The key is consumed."""
        empty = jnp.zeros(phenotype.from_hidden.shape[0], jnp.float32)
        return LSTMMemory(hidden=empty, cell=empty)

    def act(
        self,
        phenotype: LSTMPhenotype,
        memory: LSTMMemory,
        observation: Float[Array, "..."],
        reward: Float[Array, ""],
    ) -> tuple[Float[Array, " action"], LSTMMemory]:
        """One step of the LSTM, then one pass through the layers behind it."""
        new_memory = remember(phenotype, memory, jnp.ravel(observation))
        return feedforward.activations(
            phenotype.layers, new_memory.hidden, is_output_linear=self.is_output_linear
        )[-1], new_memory


def remember(
    phenotype: LSTMPhenotype, memory: LSTMMemory, inputs: Float[Array, " pre"]
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
