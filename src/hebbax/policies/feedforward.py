"""Fully connected layers: what all of our networks share."""

import dataclasses
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from hebbax.policies.base import TaskShape
from hebbax.types import Memory, Parameter, checks

Layers = tuple[Float[Array, "_pre _post"], ...]  # An underscore: layers differ in size.

Activation = Literal["tanh", "relu", "sigmoid", "elu", "gelu", "silu", "linear"]
ACTIVATIONS: Mapping[str, Callable[[Array], Array]] = MappingProxyType(
    {
        "tanh": jnp.tanh,
        "relu": jax.nn.relu,
        "sigmoid": jax.nn.sigmoid,
        "elu": jax.nn.elu,
        "gelu": jax.nn.gelu,
        "silu": jax.nn.silu,
        "linear": lambda total: total,
    }
)

activation = checks.choice(*ACTIVATIONS)

hidden_sizes = checks.several(
    checks.integer(at_least=1), "a tuple of whole numbers, each 1 neuron or more"
)


@dataclasses.dataclass(frozen=True)
class FixedWeights:
    """What networks have in common whose weights are inherited and fixed."""

    hidden_sizes: tuple[int, ...] = (128, 64)
    """Neurons in each hidden layer."""
    is_output_linear: bool = False
    """Whether the last layer has no tanh."""
    activation: Activation = "tanh"
    """What a dense hidden layer makes of its sums."""

    def __post_init__(self) -> None:
        """Refuses layers without neurons."""
        checks.settle(
            self,
            "policy.",
            hidden_sizes=hidden_sizes,
            is_output_linear=checks.flag,
            activation=activation,
        )

    def plastic_weights(self, memory: Memory) -> tuple[()]:
        """None: weights do not change."""
        return ()

    def _forward(self, weights: Layers, inputs: Float[Array, "..."]) -> Float[Array, " action"]:
        """What dense layers make of their inputs."""
        return activations(
            weights, inputs, activation=self.activation, is_output_linear=self.is_output_linear
        )[-1]


def layers(
    task: TaskShape, hidden_sizes: Sequence[int], num_extra: int = 0
) -> tuple[Parameter, ...]:
    """The `[pre, post]` weights of each layer, from the flattened observation to the action.

    The last layer may have some neurons more than the action has components.
    """
    sizes = [math.prod(task.observation_shape), *hidden_sizes, task.action_size + num_extra]
    groups = ["observation", *(f"hidden{i}" for i in range(len(hidden_sizes))), "action"]
    return tuple(
        Parameter(shape, axes, "weight")
        for shape, axes in zip(itertools.pairwise(sizes), itertools.pairwise(groups), strict=True)
    )


def activations(
    weights: Layers,
    observation: Float[Array, "..."],
    *,
    offsets: Sequence[Float[Array, " _post"]] = (),
    activation: Activation = "tanh",
    is_output_linear: bool = False,
) -> list[Float[Array, " _neurons"]]:
    """The activations of every group of neurons, the observation first and the action last.

    Args:
        weights: `[pre, post]` of each layer.
        observation: what enters the first.
        offsets: `[post]` what is added to the sums of each of the first layers.
        activation: of all layers but the last, which ends in tanh.
        is_output_linear: whether the last has no tanh.
    """
    hidden, last = ACTIVATIONS[activation], ACTIVATIONS["linear" if is_output_linear else "tanh"]
    outputs = [jnp.ravel(observation)]
    for i, layer in enumerate(weights):
        total = outputs[-1] @ layer
        if i < len(offsets):
            total = total + offsets[i]
        outputs.append(last(total) if i == len(weights) - 1 else hidden(total))
    return outputs
