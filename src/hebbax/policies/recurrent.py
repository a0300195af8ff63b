"""Networks whose first hidden layer has gates: what LSTM and GRU share."""

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


def check_sizes(policy: feedforward.FixedWeights) -> None:
    """Refuses a network without a hidden layer, of which the first is the recurrent one."""
    if not policy.hidden_sizes:
        raise ValueError(
            "policy.hidden_sizes is (), but must have one size or more: the first is the "
            f"{type(policy).__name__}'s"
        )


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


def zero_output(phenotype: RecurrentPhenotype) -> Float[Array, " hidden"]:
    """The output before the first step."""
    return jnp.zeros(phenotype.from_hidden.shape[0], jnp.float32)
