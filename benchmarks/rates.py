"""What one core of a CPU does at best: the rates over which floors are counted."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from harness import repeat

SIDE = 512  # Of the matrices.


def fastest(call: Callable[[], Any], times: int = 20) -> float:
    """Seconds of the shortest of some calls, after one that compiles."""
    return min(repeat(call, times))


def copy_bytes_per_second() -> float:
    """Bytes read and written, as NumPy copies within the cache."""
    # 2 MiB each, as rules and weights of a dozen lifetimes.
    source, target = np.ones(2**19, np.float32), np.ones(2**19, np.float32)
    return 2 * source.nbytes / fastest(lambda: np.copyto(target, source), 50)


def operations_per_second() -> float:
    """Operations of a product of matrices, as NumPy makes it."""
    matrix = np.ones((SIDE, SIDE), np.float32)
    return 2 * SIDE**3 / fastest(lambda: matrix @ matrix)


def exponentials_per_second() -> float:
    """Exponentials, as XLA computes them within the cache."""
    loops, values = 200, jnp.linspace(-5.0, 0.0, 2**14)
    decay = jax.jit(
        lambda values: jax.lax.fori_loop(0, loops, lambda _, now: jnp.exp(now) - 1.0, values)
    )
    return loops * values.size / fastest(lambda: decay(values))
