"""Where a population lives: the only place that knows of devices, meshes and shardings."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, PyTree

from hebbax import checks

AXIS = "population"
# Individuals: sixteen of the paper's quadrupeds at a time, plastic, live faster than thirty-two.
CPU_CHUNK = 4
CPU_CACHE = (
    # Bytes: two of the paper's plastic drivers in four variations. With eight, network and
    # plasticity take three times as long.
    7_000_000
)
CPU_BLOCK = 2**17  # Numbers: 512 kB, which stay in a core's caches with what is made of them.
# Numbers: enough to keep a large accelerator busy. A guess, not measured.
ACCELERATOR_BLOCK = 2**24


def use_cpu_cores(count: int | None = None) -> None:
    """Makes every core of the CPU a device of its own, so that populations use them all.

    Call it before JAX is first used.

    XLA's CPU backend runs one program of small operations on one core; with a device per core each
    runs its share of the population. Setting the variables `JAX_NUM_CPU_DEVICES` and `NPROC` to the
    number of cores and twice that does the same from outside.

    Args:
        count: the number of devices; as many as the process may use cores if None.
    """
    cores: int = (
        len(os.sched_getaffinity(0))
        if count is None
        else checks.integer(at_least=1)("count", count)
    )
    # The programs of the devices occupy a thread each and wait for tasks within them. With as many
    # threads as programs nobody is left to run the tasks and all sleep for ever, so the pool is
    # made larger; XLA reads its size from NPROC.
    os.environ.setdefault("NPROC", str(2 * cores))
    jax.config.update("jax_num_cpu_devices", cores)


def use_compilation_cache() -> None:
    """Keeps compiled programs on disk between processes.

    They are kept in the folder that the variable `JAX_COMPILATION_CACHE_DIR` names, by default
    `~/.cache/hebbax`; `JAX_ENABLE_COMPILATION_CACHE=false` switches the cache off.
    """
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        jax.config.update("jax_compilation_cache_dir", str(Path.home() / ".cache" / "hebbax"))


def is_cpu() -> bool:
    """Whether programs run on a CPU, where what is needed again should stay in a core's cache.

    Elsewhere few large operations are fast.
    """
    return jax.default_backend() == "cpu"


def memory_bytes() -> int:
    """Bytes of memory that a device has: an accelerator's own, or what the cores of a CPU share."""
    statistics = jax.local_devices()[0].memory_stats() or {}
    return statistics.get("bytes_limit") or os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def chunk_size(num_bytes: int) -> int | None:
    """How many individuals live best at a time on a device.

    On a CPU as many as stay in a core's cache, elsewhere all (None).

    Args:
        num_bytes: what one individual inherits and remembers in all its lifetimes.
    """
    return min(CPU_CHUNK, max(1, CPU_CACHE // max(1, num_bytes))) if is_cpu() else None


def groups(num_individuals: int) -> list[slice]:
    """Slices of the individuals that live at a time, each of which acts together.

    Elsewhere there is one slice; on a CPU each individual acts alone.

    Alone, what an individual remembers and inherits stays in a core's cache for as long as it is
    needed, and XLA leaves it to one thread: it splits large operations over threads, and these wait
    for cores that are busy with other individuals. On a CPU there are no more than `CPU_CHUNK`
    groups.
    """
    count = min(num_individuals, CPU_CHUNK) if is_cpu() else 1
    size = -(-num_individuals // count)
    return [slice(start, start + size) for start in range(0, num_individuals, size)]


def block_size() -> int:
    """How many numbers are worked on at a time where many more would be too many.

    On a CPU as many as its cores' caches hold with what is made of them.
    """
    return CPU_BLOCK if is_cpu() else ACCELERATOR_BLOCK


def population_mesh(population_size: int) -> Mesh:
    """A mesh of as many local devices as divide the population evenly."""
    devices = jax.local_devices()
    count = max(n for n in range(1, len(devices) + 1) if population_size % n == 0)
    return Mesh(np.asarray(devices[:count]), (AXIS,), axis_types=(AxisType.Auto,))


def over_population(function: Callable[..., Any], mesh: Mesh) -> Callable[..., Any]:
    """Splits the leading axis of all arguments and results of a function over a mesh.

    Each device runs its own share, at its own pace.
    """
    return jax.shard_map(
        function,
        mesh=mesh,
        in_specs=PartitionSpec(AXIS),
        out_specs=PartitionSpec(AXIS),
        check_vma=False,
    )


def split(array: Array, axis: int) -> Array:
    """Splits an axis over the mesh that the program around it is traced for.

    Without one, or where they don't divide the axis, it stays whole.

    A program is traced for a mesh inside of `jax.sharding.use_abstract_mesh`.
    """
    mesh = jax.sharding.get_abstract_mesh()
    if mesh.empty or array.shape[axis] % mesh.size:
        return array
    return jax.lax.with_sharding_constraint(array, PartitionSpec(*[None] * axis, AXIS))


def everywhere(mesh: Mesh) -> NamedSharding:
    """The sharding of arrays of which every device of a mesh has a copy."""
    return NamedSharding(mesh, PartitionSpec())


def put_everywhere(tree: PyTree, mesh: Mesh) -> PyTree:
    """Copies every array of a tree to all devices of a mesh."""
    return jax.device_put(tree, everywhere(mesh))
