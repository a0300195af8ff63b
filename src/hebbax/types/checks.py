"""What a field of a specification may be.

NumPy's and JAX's numbers become Python's, so that specifications can be hashed, compared and
written down.

A rule takes a field's name and its value; it returns the value that is kept, or raises `ValueError`
with the name, what was given and what is allowed.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

Rule = Callable[[str, Any], Any]

LARGEST_INTEGER = 2**31 - 1  # Counts become int32.
# What float32 holds, beside 0.
SMALLEST, LARGEST = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)


def settle(specification: Any, prefix: str = "", **rules: Rule) -> None:
    """Replaces fields of a frozen dataclass by what their rules make of them.

    For its `__post_init__`.
    """
    for field, rule in rules.items():
        object.__setattr__(
            specification, field, rule(prefix + field, getattr(specification, field))
        )


def integer(at_least: int = 0, at_most: int = LARGEST_INTEGER, allowed: str | None = None) -> Rule:
    """Whole numbers within bounds. A boolean is no number."""
    too_large, allowed = allowed or f"at most {at_most}", allowed or f"{at_least} or more"

    def rule(name: str, given: Any) -> int:
        value = _plain(name, given, f"a whole number, {allowed}", int)
        if not at_least <= value <= at_most:
            raise ValueError(
                f"{name} is {given!r}, but must be {allowed if value < at_least else too_large}"
            )
        return value

    return rule


def number(allowed: str, is_allowed: Callable[[float], bool]) -> Rule:
    """Finite numbers of which a condition holds. A boolean is no number.

    Args:
        allowed: the condition in words.
        is_allowed: the condition.
    """

    def rule(name: str, given: Any) -> float | int:
        value = _plain(name, given, f"a number, {allowed}", int, float)
        if not is_allowed(value):
            raise ValueError(f"{name} is {given!r}, but must be {allowed}")
        if value and not SMALLEST <= abs(value) <= LARGEST:
            raise ValueError(
                f"{name} is {given!r}, but must be {allowed}, and a number that float32 holds"
            )
        return value

    return rule


positive = number("above 0", lambda value: value > 0)
not_negative = number("0 or more", lambda value: value >= 0)
below_one = number("in [0, 1)", lambda value: 0 <= value < 1)


def flag(name: str, value: Any) -> bool:
    """True or False."""
    return _plain(name, value, "True or False", bool)


def choice(*allowed: str) -> Rule:
    """One of some texts."""

    def rule(name: str, value: Any) -> str:
        if not isinstance(value, str) or value not in allowed:
            raise ValueError(f"{name} is {value!r}, but must be one of {', '.join(allowed)}")
        return value

    return rule


def file_name(name: str, value: Any) -> str:
    """A text that can name a folder or a file: without `/`, and not beginning with a dot."""
    if not isinstance(value, str) or not re.fullmatch(r"[^./\0][^/\0]*", value):
        raise ValueError(
            f"{name} is {value!r}, but must be a text that can name a folder, without / and not "
            "beginning with a dot"
        )
    return value


def hashable(name: str, value: Any) -> Any:
    """A specification that JAX can tell from another."""
    try:
        hash(value)
    except TypeError as error:
        raise ValueError(
            f"{name} cannot be hashed ({error}); make it a frozen dataclass of numbers, texts and "
            "tuples"
        ) from error
    return value


def optional(rule: Rule) -> Rule:
    """None, or what another rule allows."""
    return lambda name, value: None if value is None else rule(name, value)


def several(rule: Rule, allowed: str) -> Rule:
    """A tuple, or any other sequence, of what another rule allows.

    Args:
        rule: for each member.
        allowed: what the whole must be, in words.
    """

    def all_of(name: str, value: Any) -> tuple:
        value = value.tolist() if isinstance(value, np.ndarray | jax.Array) else value
        if isinstance(value, str) or not isinstance(value, Sequence):
            raise ValueError(f"{name} is {value!r}, but must be {allowed}")
        try:
            return tuple(rule(name, member) for member in value)
        except ValueError as error:
            raise ValueError(f"{name} is {tuple(value)}, but must be {allowed}") from error

    return all_of


def named(rule: Rule, example: str) -> Rule:
    """Pairs of a name, each once, and of what another rule allows.

    Args:
        rule: for each name's value.
        example: of such pairs.
    """

    def all_of(name: str, value: Any) -> tuple[tuple[str, Any], ...]:
        pairs = several(lambda _, pair: pair, f"pairs such as {example}")(name, value)
        for pair in pairs:
            if (
                isinstance(pair, str)
                or not isinstance(pair, Sequence)
                or len(pair) != 2
                or not isinstance(pair[0], str)
                or not pair[0]
            ):
                raise ValueError(
                    f"{name} has {pair!r}, but must be pairs of a name and its value, such as "
                    f"{example}"
                )
        names = [pair[0] for pair in pairs]
        if len(set(names)) < len(names):
            raise ValueError(f"{name} names {names}, but must name each once")
        return tuple((key, rule(f"{name}[{key!r}]", member)) for key, member in pairs)

    return all_of


def having(*members: str, example: str) -> Rule:
    """Any object that has some members.

    Args:
        members: names of what it must have.
        example: of such an object.
    """

    def rule(name: str, value: Any) -> Any:
        if isinstance(value, type):
            raise ValueError(
                f"{name} is the class {value.__name__}, but must be an object, such as {example}"
            )
        for member in members:
            # Looked up without reading it: a task's variations may take seconds to build.
            if not hasattr(type(value), member) and not hasattr(value, member):
                raise ValueError(
                    f"{name} is {value!r}, which has no {member!r}; needed "
                    f"{'are' if len(members) > 1 else 'is'} {', '.join(members)}, as {example} has"
                )
        return value

    return rule


def _plain(name: str, value: Any, allowed: str, *kinds: type) -> Any:
    """A number of NumPy or JAX as Python's, refused where it is of another kind."""
    is_array = isinstance(value, np.ndarray | jax.Array) and value.shape == ()
    plain = value.item() if is_array or isinstance(value, np.generic) else value
    # The kind itself: a boolean is an integer to `isinstance`.
    if type(plain) not in kinds:
        raise ValueError(f"{name} is {value!r}, but must be {allowed}")
    return plain
