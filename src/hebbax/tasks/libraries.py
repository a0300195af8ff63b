"""What physics that is written elsewhere needs around it: silence, and other rules of JAX."""

import contextlib
import functools
import io
import sys
import threading
import warnings
from collections.abc import Iterator
from typing import Any

import jax

LOADING = threading.Lock()


@contextlib.contextmanager
def quiet_loading() -> Iterator[None]:
    """Loads Brax and MuJoCo, one thread at a time, without what they say of themselves.

    They print that they did without warp, which nobody needs here. Of two threads that redirect,
    the later would put back what the earlier had put there, and nothing would be seen any more.
    """
    with LOADING, contextlib.redirect_stdout(io.StringIO()), without_brax_warning():
        yield


@contextlib.contextmanager
def without_brax_warning() -> Iterator[None]:
    """Silences one warning alone.

    Brax warns on every load that its environments are not maintained; what stands on MuJoCo is.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore",
            message="Brax System, piplines and environments are not actively",
            category=UserWarning,
        )
        yield


@contextlib.contextmanager
def physics_rules() -> Iterator[None]:
    """Lets libraries promote dtypes and ranks, and has every device multiply in full float32.

    With TF32, bodies sink and explode.
    """
    builder = sys.modules.get("mujoco.mjx._src.io")
    if builder is not None and jax.process_count() > 1:
        _build_here(builder)
    with (
        jax.numpy_dtype_promotion("standard"),
        jax.numpy_rank_promotion("allow"),
        jax.default_matmul_precision("highest"),
    ):
        yield


@functools.cache
def _build_here(builder: Any) -> None:
    """Has MJX put what it builds on a device of this process.

    It takes the first device of all processes, which is out of reach of most of them.
    """
    theirs = builder._resolve_impl_and_device

    def resolve(impl: Any, device: Any = None) -> Any:
        return theirs(impl, device or jax.local_devices()[0])

    builder._resolve_impl_and_device = resolve
