"""Networks whose first hidden layer has gates: what LSTM and GRU share."""

import dataclasses
from typing import Any, final

import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from hebbax.policies import feedforward
from hebbax.policies.base import TaskShape
from hebbax.types import Parameter, Struct


@final
class RecurrentPhenotype(Struct):
    """Weights of a network whose first layer has gates.

    from_input: `[pre, gates]` weights from the observation to the gates, one gate's `hidden` behind
        another's.
    from_hidden: `[hidden, gates]` weights from the last output to the gates.
    input_bias: `[gates]` bias of the first.
    hidden_bias: `[gates]` bias of the second; each has its own search noise, as in the paper.
    layers: per layer `[pre, post]` the dense layers behind.
    """

    from_input: Float[Array, "pre gates"]
    from_hidden: Float[Array, "hidden gates"]
    input_bias: Float[Array, " gates"]
    hidden_bias: Float[Array, " gates"]
    layers: feedforward.Layers


@dataclasses.dataclass(frozen=True)
class FirstRecurrent(feedforward.FixedWeights):
    """What networks have in common whose first hidden layer has gates."""

    hidden_sizes: tuple[int, ...] = (128, 64)
    """Neurons in each hidden layer; the first is the recurrent one."""

    def __post_init__(self) -> None:
        """Refuses layers without neurons, and no layer at all."""
        super().__post_init__()
        if not self.hidden_sizes:
            raise ValueError(
                "policy.hidden_sizes is (), but must have one size or more: the first is the "
                f"{type(self).__name__}'s"
            )

    def dense(
        self, layers: feedforward.Layers, hidden: Float[Array, " hidden"]
    ) -> Float[Array, " action"]:
        """What the layers behind make of the first one's output."""
        return feedforward.activations(
            layers, hidden, activation=self.activation, is_output_linear=self.is_output_linear
        )[-1]


def parameters(task: TaskShape, hidden_sizes: tuple[int, ...], num_gates: int) -> PyTree:
    """The weights and biases of the first layer, and the weights of the layers behind it."""
    first, *others = feedforward.layers(task, hidden_sizes)
    (pre, hidden), (observation, group) = first.shape, first.axes
    size, gates = num_gates * hidden, f"{group} gates"
    phenotype: Any = RecurrentPhenotype  # Of parameters here, not of arrays.
    return phenotype(
        from_input=Parameter((pre, size), (observation, gates), "weight"),
        from_hidden=Parameter((hidden, size), (group, gates), "weight"),
        input_bias=Parameter((size,), (gates,), "bias"),
        hidden_bias=Parameter((size,), (gates,), "bias"),
        layers=tuple(others),
    )


def nothing(phenotype: RecurrentPhenotype) -> Float[Array, " hidden"]:
    """The output before the first step."""
    return jnp.zeros(phenotype.from_hidden.shape[0], jnp.float32)
