"""How annotations are checked while the tests run: shapes and dtypes at every call."""

from collections.abc import Callable, Iterator
from typing import Any, Self, get_args

from beartype import BeartypeConf, FrozenDict, beartype


def check(function: Callable[..., Any]) -> Callable[..., Any]:
    """Returns the function with its annotations checked at every call.

    Constructors are left alone: JAX calls them whenever it rebuilds a `Struct`, with a population's
    leaves, with axes, with None. Interfaces are left to pyright and to `hebbax.testing`, and
    `Self`, which has a meaning in whole classes only, to pyright.
    """
    if function.__name__ == "__init__":
        return function
    unchecked = {
        Self,
        *(
            interface
            for hint in function.__annotations__.values()
            for interface in interfaces_in(hint)
        ),
    }
    return beartype(
        function, conf=BeartypeConf(hint_overrides=FrozenDict(dict.fromkeys(unchecked, object)))
    )


def interfaces_in(hint: Any) -> Iterator[type]:
    """The protocols that an annotation mentions."""
    if getattr(hint, "_is_protocol", False):
        yield hint
    for part in hint if isinstance(hint, list) else get_args(hint):
        yield from interfaces_in(part)
