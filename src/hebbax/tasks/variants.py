"""Variations of environments that are written elsewhere: numbers of theirs, changed by name."""

import dataclasses
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, Self

import jax.numpy as jnp
from jaxtyping import Array

from hebbax.types import checks

DEFAULT = "default"


@dataclasses.dataclass(frozen=True)
class Variants(Mapping[str, dict[str, Array]]):
    """Named changes of an environment's numbers, each a dictionary of arrays.

    All have the same names, so that they stack: what one does not change has the environment's own
    value. The first one, "default", changes nothing.

    environment: the environment's name.
    changes: of each variation its name, and the names and values of what it changes.
    """

    environment: str
    changes: tuple[tuple[str, tuple[tuple[str, float], ...]], ...] = ()

    @classmethod
    def of(cls, environment: str, changes: Any) -> Self:
        """Of a mapping such as `{"heavy": {"masspole": 0.5}}`.

        Raises:
            ValueError: if it is none, or a value is no number.
        """
        if isinstance(changes, cls):
            return changes
        example = 'such as {"heavy": {"mass": 2.0}}'
        if not isinstance(changes, Mapping):
            raise ValueError(
                f"task.variations is {changes!r}, but must be a mapping from names to changed "
                f"numbers, {example}"
            )
        settled = []
        for name, numbers in changes.items():
            place = f"task.variations[{name!r}]"
            if not isinstance(numbers, Mapping) or not all(
                isinstance(value, int | float) for value in numbers.values()
            ):
                raise ValueError(
                    f"{place} is {numbers!r}, but must be a mapping from names to numbers, "
                    f"{example}"
                )
            checks.file_name("the name of one of task.variations", name)
            settled.append((name, tuple(sorted(numbers.items()))))
        if DEFAULT not in changes:
            settled.insert(0, (DEFAULT, ()))
        return cls(environment, tuple(settled))

    @abstractmethod
    def own_numbers(self) -> Mapping[str, Any]:
        """The environment's own numbers by name."""

    def __getitem__(self, name: str) -> dict[str, Array]:
        """All that any variation changes, with the values of this one.

        Raises:
            KeyError: if there is no such variation.
            ValueError: if the environment has no such number.
        """
        changed = dict(dict(self.changes)[name])
        own = self.own_numbers()
        fields = sorted({field for _, numbers in self.changes for field, _ in numbers})
        for field in fields:
            if field not in own:
                raise ValueError(
                    f"task.variations changes {field!r}, but {self.environment} has no such "
                    f"number; it has {', '.join(own)}"
                )
        return {
            field: jnp.asarray(changed.get(field, own[field]), jnp.asarray(own[field]).dtype)
            for field in fields
        } or {"": jnp.zeros(())}  # Where nothing varies there is still something to stack.

    def __iter__(self) -> Iterator[str]:
        """The names."""
        return iter(name for name, _ in self.changes)

    def __len__(self) -> int:
        """How many there are."""
        return len(self.changes)
