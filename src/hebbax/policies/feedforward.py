"""Fully connected layers without biases: what the static and the Hebbian policy share."""

import itertools
import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from hebbax import checks
from hebbax.policies.base import TaskShape

Layers = tuple[Float[Array, "_pre _post"], ...]  # An underscore: layers differ in size.


hidden_sizes = checks.several(
    checks.integer(at_least=1), "a tuple of whole numbers, each 1 neuron or more"
)


def layer_shapes(task: TaskShape, hidden_sizes: Sequence[int]) -> list[tuple[int, int]]:
    """The `(pre, post)` sizes of each layer, from the flattened observation to the action."""
    sizes = [math.prod(task.observation_shape), *hidden_sizes, task.action_size]
    return list(itertools.pairwise(sizes))


def activations(
    layers: Layers, observation: Float[Array, "..."], *, is_output_linear: bool = False
) -> list[Float[Array, " _neurons"]]:
    """What every group of neurons says, the observation first and the action last.

    Every layer ends in tanh, the last one unless it is linear.
    """
    said = [jnp.ravel(observation)]
    for weights in layers[:-1]:
        said.append(jnp.tanh(said[-1] @ weights))
    last = said[-1] @ layers[-1]
    return [*said, last if is_output_linear else jnp.tanh(last)]


def float_shapes(shapes: Sequence[tuple[int, ...]]) -> tuple[jax.ShapeDtypeStruct, ...]:
    """Shapes of float32 arrays."""
    return tuple(jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes)
