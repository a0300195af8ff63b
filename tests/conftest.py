"""Every test runs strictly.

Annotations are checked, promotions of dtype and rank and the second use of a key are errors.
"""

import importlib.metadata
import os
from collections.abc import Iterator
from pathlib import Path

# Most of the time goes into compiling what runs once. Without LLVM's optimisation that is two to
# four times as fast, and without the detour of fusions over MLIR, which jaxlib 0.11 and later
# always take, it is nearly twice as fast again: a flag that XLA does not know ends the process.
# `XLA_FLAGS= make test` tests the programs that users run. It comes before JAX reads it.
os.environ.setdefault(
    "XLA_FLAGS",
    "--xla_backend_optimization_level=0"
    + " --xla_cpu_use_fusion_emitters=false"
    * importlib.metadata.version("jaxlib").startswith("0.10."),
)

import jax
import pytest
from jaxtyping import install_import_hook

# The hook sees only what is imported after it.
install_import_hook("hebbax", "runtime_types.check")

from hebbax import devices, platforms  # noqa: E402
from hebbax.evolution import programs  # noqa: E402

CACHE = Path(__file__).parents[1] / ".cache" / "jax"

# Two devices on any machine, so that a population is really split. This comes before anything
# starts JAX's backend.
devices.use_cpu_cores(2)
# Variables reach the processes that tests start as well.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(CACHE))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")
jax.config.update("jax_compilation_cache_dir", os.environ["JAX_COMPILATION_CACHE_DIR"])
jax.config.update(
    "jax_persistent_cache_min_compile_time_secs",
    float(os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"]),
)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_debug_key_reuse", True)


@pytest.fixture
def lenient_promotion() -> Iterator[None]:
    """Lets dtypes and ranks promote: Brax's physics relies on it, nothing of ours does."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


@pytest.fixture(scope="session", autouse=True)
def shared_programs() -> Iterator[None]:
    """Lets tests share compiled programs, as the runs of a sweep do.

    Most train the same small networks.
    """
    with programs.shared():
        yield


@pytest.fixture
def unshared_programs() -> Iterator[None]:
    """Compiles anew at every call, as it is outside of a sweep."""
    with programs.shared(is_shared=False):
        yield


@pytest.fixture
def forms_of_accelerators(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has programs take the forms that they have where there is no CPU, on this CPU."""
    monkeypatch.setattr(platforms, "is_cpu", lambda: False)
