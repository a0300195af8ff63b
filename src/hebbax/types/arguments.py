"""Numbers of a specification that a compiled program takes as arguments.

Specifications that differ in them alone share a program. A field of a frozen dataclass says so:
`dataclasses.field(default=0.1, metadata=ARGUMENT)`.
"""

import copy
import dataclasses
import enum
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

ARGUMENT: Mapping[str, bool] = MappingProxyType({"is_argument": True})


class _Gap(enum.Enum):
    """What stands in a specification for a number that was taken out."""

    GAP = enum.auto()


def take_numbers(specification: Any) -> tuple[Any, tuple[np.float32, ...]]:
    """Takes the numbers out of a specification that are arguments of its program.

    Returns:
        The specification with gaps, which are all equal, and the numbers in the order of the gaps.

    Examples:
        >>> import hebbax
        >>> from hebbax.types import arguments
        >>> one, other = hebbax.Schedule(0.5), hebbax.Schedule(0.25)
        >>> arguments.take_numbers(one)[0] == arguments.take_numbers(other)[0]
        True
        >>> [float(number) for number in arguments.take_numbers(other)[1]]
        [0.25, 1.0, 0.0]
    """
    numbers: list[np.float32] = []

    def take(value: Any) -> Any:
        if type(value) not in (int, float):
            return value
        numbers.append(np.float32(value))
        return _Gap.GAP

    return _replace(specification, take), tuple(numbers)


def put_numbers(specification: Any, numbers: Sequence[Any]) -> Any:
    """Puts numbers into the gaps that `take_numbers` left. They may be traced."""
    left = iter(numbers)
    return _replace(specification, lambda value: next(left) if value is _Gap.GAP else value)


def _replace(value: Any, function: Callable[[Any], Any], *, is_argument: bool = False) -> Any:
    """Replaces what arguments are by what a function makes of it, in dataclasses and tuples."""
    if type(value) is tuple:
        members = [_replace(member, function, is_argument=is_argument) for member in value]
        is_same = all(new is old for new, old in zip(members, value, strict=True))
        return value if is_same else tuple(members)
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return function(value) if is_argument else value
    changes = {}
    for field in dataclasses.fields(value):
        old = getattr(value, field.name)
        new = _replace(old, function, is_argument=field.metadata.get("is_argument", False))
        if new is not old:
            changes[field.name] = new
    if not changes:
        return value
    # Not `dataclasses.replace`, which would check numbers that are traced.
    changed = copy.copy(value)
    for name, new in changes.items():
        object.__setattr__(changed, name, new)
    return changed
