"""Where a population lives: the only place that knows of devices, meshes and shardings."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.sharding import AbstractMesh, AxisType, Mesh, NamedSharding, PartitionSpec
from jaxtyping import PyTree

from hebbax.types import checks

AXIS = "population"


def use_cpu_cores(count: int | None = None) -> None:
    """Makes every core of the CPU a device of its own, so that populations use them all.

    Call it before JAX is first used.

    XLA's CPU backend runs one program of small operations on one core; with a device per core each
    runs its share of the population. Setting the variables `JAX_NUM_CPU_DEVICES` and `NPROC` to the
    number of cores and twice that does the same from outside.

    Args:
        count: the number of devices; as many as the process may use cores if None.

    Examples:
        >>> import hebbax
        >>> import jax
        >>> hebbax.use_cpu_cores(2)
        >>> len(jax.devices("cpu"))
        2
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


def memory_bytes() -> int:
    """Bytes of memory that a device has: an accelerator's own, or what the cores of a CPU share."""
    statistics = jax.local_devices()[0].memory_stats() or {}
    return statistics.get("bytes_limit") or os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def population_mesh(population_size: int) -> Mesh:
    """A mesh of as many local devices as divide the population evenly."""
    devices = jax.local_devices()
    count = max(n for n in range(1, len(devices) + 1) if population_size % n == 0)
    return Mesh(np.asarray(devices[:count]), (AXIS,), axis_types=(AxisType.Auto,))


def over_population(
    function: Callable[..., Any], mesh: Mesh, *, num_whole: int = 0
) -> Callable[..., Any]:
    """Splits the leading axis of arguments and results of a function over a mesh.

    Each device runs its own share, at its own pace.

    Args:
        function: of arguments that every device has whole, then of those that are split. What it
            took from outside instead, JAX could not use as an index.
        mesh: the devices.
        num_whole: how many of the arguments are whole.
    """
    return _split(function, mesh, num_whole, PartitionSpec(AXIS))


def mean_over_population(
    function: Callable[..., Any], mesh: AbstractMesh, *, num_whole: int
) -> Callable[..., Any]:
    """Makes a mean over a population of one that a function computes over a share of it.

    Args:
        function: of arguments that every device has whole, then of shares of the population along
            the leading axis; returns a tree of means over its share.
        mesh: the devices that share the population evenly.
        num_whole: how many of the arguments are whole.
    """

    def mean(*share: Any) -> Any:
        return jax.lax.pmean(function(*share), AXIS)

    return _split(mean, mesh, num_whole, PartitionSpec())


def _split(
    function: Callable[..., Any],
    mesh: Mesh | AbstractMesh,
    num_whole: int,
    results: PartitionSpec,
) -> Callable[..., Any]:
    def split(*arguments: Any) -> Any:
        shares = (PartitionSpec(AXIS),) * (len(arguments) - num_whole)
        return jax.shard_map(
            function,
            mesh=mesh,
            in_specs=(PartitionSpec(),) * num_whole + shares,
            out_specs=results,
            check_vma=False,
        )(*arguments)

    return split


def everywhere(mesh: Mesh) -> NamedSharding:
    """The sharding of arrays of which every device of a mesh has a copy."""
    return NamedSharding(mesh, PartitionSpec())


def put_everywhere(tree: PyTree, mesh: Mesh) -> PyTree:
    """Copies every array of a tree to all devices of a mesh."""
    return jax.device_put(tree, everywhere(mesh))
