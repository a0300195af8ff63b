"""The ground everything stands on: immutable pytrees and names for common types."""

import dataclasses
from typing import Any, Self, TypeAlias, dataclass_transform

import jax
from jaxtyping import Array, Float, Key, PyTree

PRNGKey: TypeAlias = Key[Array, ""]
Action: TypeAlias = Float[Array, " action"]
Genotype: TypeAlias = PyTree
Memory: TypeAlias = PyTree
Variation: TypeAlias = PyTree


@dataclass_transform(frozen_default=True)
class Struct:
    """An immutable record of arrays that JAX sees as a pytree.

    Subclasses list annotated fields, as for a dataclass; every field is a child of the pytree.
    """

    def __init_subclass__(cls, **options: Any) -> None:
        """Makes every subclass a frozen dataclass and a pytree node."""
        super().__init_subclass__(**options)
        dataclasses.dataclass(frozen=True)(cls)
        jax.tree_util.register_dataclass(cls)

    def replace(self, **changes: Any) -> Self:
        """Returns a copy with some fields changed."""
        struct: Any = self
        return dataclasses.replace(struct, **changes)
