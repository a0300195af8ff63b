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


BOUNDS: Mapping[str, Callable[[Array], Array]] = MappingProxyType(
    {"none": unbounded, "largest": divide_by_largest}
)
