"""The ground everything stands on: immutable pytrees and names for common types."""

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Generic, Literal, Self, TypeAlias, TypeVar, dataclass_transform, final

import jax
import numpy as np
from jaxtyping import Array, Float, Key, PyTree

PRNGKey: TypeAlias = Key[Array, ""]
Action: TypeAlias = Float[Array, " action"]
Genotype: TypeAlias = PyTree
Phenotype: TypeAlias = PyTree
Wiring: TypeAlias = PyTree
Memory: TypeAlias = PyTree
Variation: TypeAlias = PyTree

Kind: TypeAlias = Literal["rule", "weight", "bias", "filter"]
Value = TypeVar("Value")


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


@final
@dataclasses.dataclass(frozen=True)
class Parameter:
    """One array of what a network lives with: its shape, and what its axes and numbers are.

    JAX sees a leaf, which it takes for the shape of an array. All arrays are float32.

    shape: of the array.
    axes: a name for each axis: "coefficient", or a group of neurons such as "hidden0"; axes with
        equal names are of the same neurons. Empty for what is neither, as a kernel's rows.
    kind: what its numbers are. A penalty counts rules, and an encoding pools numbers of one kind.
    names: of the coefficients, where an axis is "coefficient"; for tables and pictures.
    """

    shape: tuple[int, ...]
    axes: tuple[str, ...]
    kind: Kind
    names: tuple[str, ...] = ()

    @property
    def dtype(self) -> np.dtype:
        """The type of the numbers."""
        return np.dtype(np.float32)

    @property
    def size(self) -> int:
        """How many numbers there are."""
        return math.prod(self.shape)

    @property
    def ndim(self) -> int:
        """How many axes there are."""
        return len(self.shape)


def shapes_of(parameters: PyTree) -> PyTree:
    """The shapes of parameters, as JAX's own `jax.ShapeDtypeStruct`."""
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), parameters)


@final
class Lazy(Mapping[str, Value], Generic[Value]):
    """A mapping whose values are made when they are asked for; its names cost nothing."""

    def __init__(self, names: Iterable[str], make: Callable[[str], Value]) -> None:
        """Of some names, and of what makes the value of each."""
        self._names = tuple(names)
        self._make = make

    def __getitem__(self, name: str) -> Value:
        """The value of a name."""
        if name not in self._names:
            raise KeyError(name)
        return self._make(name)

    def __iter__(self) -> Iterator[str]:
        """The names."""
        return iter(self._names)

    def __len__(self) -> int:
        """How many names there are."""
        return len(self._names)
