"""What keeps a layer's weights bounded after every update."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import jax.numpy as jnp
from jaxtyping import Array, Float


def unbounded(weights: Float[Array, "pre post"]) -> Float[Array, "pre post"]:
    """Leaves a layer as it is."""
    return weights


def divide_by_largest(weights: Float[Array, "pre post"]) -> Float[Array, "pre post"]:
    """Divides a layer by its largest magnitude, so that all its weights are in [-1, 1].

    A layer of zeros stays as it is.
    """
    largest = jnp.max(jnp.abs(weights))
    return weights / jnp.where(largest > 0, largest, jnp.ones_like(largest))


def clip(weights: Float[Array, "pre post"]) -> Float[Array, "pre post"]:
    """Cuts weights off at -1 and 1."""
    return jnp.clip(weights, -1.0, 1.0)


def divide_by_norm(weights: Float[Array, "pre post"]) -> Float[Array, "pre post"]:
    """Divides what leads to each neuron by its Euclidean length.

    Those are the rows of the matrix, where it stands in front of the activations. Zeros stay as
    they are.
    """
    length = jnp.linalg.norm(weights, axis=0, keepdims=True)
    return weights / jnp.where(length > 0, length, jnp.ones_like(length))


BOUNDS: Mapping[str, Callable[[Array], Array]] = MappingProxyType(
    {
        "none": unbounded,
        "largest": divide_by_largest,
        "clip": clip,
        "row_norm": divide_by_norm,
    }
)
