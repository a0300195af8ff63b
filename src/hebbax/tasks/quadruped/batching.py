"""Makes one batch axis out of nested ones.

A population lives in several bodies under two nested `vmap`s, of which one leaves the bodies'
arrays unbatched. XLA then compiles every small matrix product of the physics for operands of
unequal batches, with transpositions around it: on a CPU that takes half as long again to run, and
twice as long to compile, as the same episodes along one axis.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_batching import custom_vmap
from jaxtyping import PyTree


def flat_vmap(function: Callable[..., PyTree]) -> Callable[..., PyTree]:
    """Returns the same function of one example, whose nested `vmap`s all run along a single axis.

    Args:
        function: from pytrees of arrays to a pytree of arrays.
    """

    @custom_vmap
    def along_axis(*arguments: PyTree) -> PyTree:
        return jax.vmap(function)(*arguments)

    @along_axis.def_vmap
    def merge_axes(
        axis_size: int, is_batched: list[Any], *arguments: PyTree
    ) -> tuple[PyTree, PyTree]:
        def merge(leaf: jax.Array, is_leaf_batched: bool) -> jax.Array:
            whole = leaf if is_leaf_batched else jnp.broadcast_to(leaf, (axis_size, *leaf.shape))
            return whole.reshape(-1, *whole.shape[2:])

        results = along_axis(*jax.tree.map(merge, arguments, tuple(is_batched)))
        split = jax.tree.map(lambda leaf: leaf.reshape(axis_size, -1, *leaf.shape[1:]), results)
        return split, jax.tree.map(lambda _: True, split)

    def of_one(*arguments: PyTree) -> PyTree:
        results = along_axis(*jax.tree.map(lambda leaf: leaf[None], arguments))
        return jax.tree.map(lambda leaf: leaf[0], results)

    return of_one
