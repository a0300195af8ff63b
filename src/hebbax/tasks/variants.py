"""Variations of environments that are written elsewhere: numbers of theirs, changed by name."""

import dataclasses
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, Self

from jaxtyping import Array

from hebbax.types import checks

DEFAULT = "default"

Numbers = tuple[tuple[str, float], ...]
Changes = tuple[tuple[str, Numbers], ...]


@dataclasses.dataclass(frozen=True)
class Variants(Mapping[str, dict[str, Array]]):
    """Named changes of an environment's numbers, each a dictionary of arrays.

    The first one, "default", changes nothing, unless the changes have one of that name.

    environment: the environment's name.
    changes: of each variation its name, and the names and values of what it changes.
    """

    environment: str
    changes: Changes = ()

    @classmethod
    def of(cls, environment: str, changes: Any, **others: Any) -> Self:
        """Of a mapping such as `{"heavy": {"masspole": 0.5}}`, or of variations of this class.

        Args:
            environment: whose numbers are changed.
            changes: of its numbers.
            others: fields that a subclass has beside these.

        Raises:
            ValueError: if the changes are no mapping, or a value is no number.
        """
        if isinstance(changes, cls):
            return dataclasses.replace(changes, environment=environment, **others)
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
        return cls(environment, tuple(settled), **others)

    @abstractmethod
    def __getitem__(self, name: str) -> dict[str, Array]:
        """The arrays of a variation; all have the same names and shapes, so that they stack."""

    def __iter__(self) -> Iterator[str]:
        """The names."""
        return iter(name for name, _ in self.changes)

    def __len__(self) -> int:
        """How many there are."""
        return len(self.changes)
