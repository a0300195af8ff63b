"""Fully connected layers without biases: what the static and the Hebbian policy share."""

import dataclasses
import itertools
import math
from collections.abc import Sequence

import jax.numpy as jnp
from jaxtyping import Array, Float

from hebbax.policies.base import TaskShape
from hebbax.types import Memory, Parameter, checks

Layers = tuple[Float[Array, "_pre _post"], ...]  # An underscore: layers differ in size.


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

    def __post_init__(self) -> None:
        """Refuses layers without neurons."""
        checks.settle(self, "policy.", hidden_sizes=hidden_sizes, is_output_linear=checks.flag)

    def plastic_weights(self, memory: Memory) -> tuple[()]:
        """None: weights do not change."""
        return ()


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
    biases: Layers = (),
    is_output_linear: bool = False,
) -> list[Float[Array, " _neurons"]]:
    """The activations of every group of neurons, the observation first and the action last.

    Every layer ends in tanh, the last one unless it is linear. Biases are `[1, post]` for each
    layer, or `()` where there are none.
    """
    outputs = [jnp.ravel(observation)]
    for i, layer in enumerate(weights):
        total = outputs[-1] @ layer
        if biases:
            total = total + biases[i][0]
        is_linear = is_output_linear and i == len(weights) - 1
        outputs.append(total if is_linear else jnp.tanh(total))
    return outputs
