"""Compiled programs, which the generations of a training and the runs of a comparison share.

Nobody else does: between two calls of a user the code of a task or policy may have changed, of
which a program that is kept would know nothing.
"""

import functools
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import jax

Program = TypeVar("Program", bound=Callable[..., Any])

_kept: ContextVar[dict[str, tuple[Hashable, Any]] | None] = ContextVar("kept", default=None)


@contextmanager
def shared(*, is_shared: bool = True) -> Iterator[None]:
    """Within it `compiled` keeps the last program of each kind, or none.

    One within another keeps what that one keeps.
    """
    kept = {} if _kept.get() is None else _kept.get()
    token = _kept.set(kept if is_shared else None)
    try:
        yield
    finally:
        _kept.reset(token)


def compiled(kind: str, key: Hashable, make: Callable[[], Program]) -> Program:
    """Makes a program, unless the last of its kind was made for an equal key.

    Args:
        kind: what the program does. One is kept: what a comparison is done with need not stay in
            memory.
        key: all that the program depends on.
        make: makes it.
    """
    kept = _kept.get()
    if kept is None:
        return make()
    key = (key, jax.config.read("jax_enable_x64"))  # With it arguments have other types.
    if kind not in kept or kept[kind][0] != key:
        kept[kind] = (key, make())
    return kept[kind][1]


def with_precision(precision: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Traces a function with a precision of products of matrices.

    By itself JAX rounds to TF32 on GPUs, which plasticity adds up.
    """

    @functools.wraps(function)
    def traced(*arguments: Any) -> Any:
        with jax.default_matmul_precision(precision):
            return function(*arguments)

    return traced
