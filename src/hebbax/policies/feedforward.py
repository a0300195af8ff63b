"""Fully connected layers without biases: what the static and the Hebbian policy share."""

import itertools
import math
from collections.abc import Sequence

import jax.numpy as jnp
from jaxtyping import Array, Float

from hebbax.policies.base import TaskShape
from hebbax.types import Parameter, checks

Layers = tuple[Float[Array, "_pre _post"], ...]  # An underscore: layers differ in size.


hidden_sizes = checks.several(
    checks.integer(at_least=1), "a tuple of whole numbers, each 1 neuron or more"
)


def layers(task: TaskShape, hidden_sizes: Sequence[int]) -> tuple[Parameter, ...]:
    """The `[pre, post]` weights of each layer, from the flattened observation to the action."""
    sizes = [math.prod(task.observation_shape), *hidden_sizes, task.action_size]
    groups = ["observation", *(f"hidden{i}" for i in range(len(hidden_sizes))), "action"]
    return tuple(
        Parameter(shape, axes, "weight")
        for shape, axes in zip(itertools.pairwise(sizes), itertools.pairwise(groups), strict=True)
    )


def activations(
    weights: Layers, observation: Float[Array, "..."], *, is_output_linear: bool = False
) -> list[Float[Array, " _neurons"]]:
    """The activations of every group of neurons, the observation first and the action last.

    Every layer ends in tanh, the last one unless it is linear.
    """
    outputs = [jnp.ravel(observation)]
    for layer in weights[:-1]:
        outputs.append(jnp.tanh(outputs[-1] @ layer))
    last = outputs[-1] @ weights[-1]
    return [*outputs, last if is_output_linear else jnp.tanh(last)]
