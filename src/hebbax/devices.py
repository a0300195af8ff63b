"""Where a population lives: the only place that knows of devices, meshes and shardings.

The devices are this process's own, unless it works with others: then the mesh has those of all.
"""

import contextlib
import math
import os
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AbstractMesh, AxisType, Mesh, NamedSharding, PartitionSpec
from jaxtyping import PyTree

from hebbax.types import checks

AXIS = "population"
MEMBERSHIP, GROUPS = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")  # Linux, containers too.


def use_cpu_cores(count: int | None = None) -> None:
    """Makes every core of the CPU a device of its own, so that populations use them all.

    Call it before JAX is first used.

    XLA's CPU backend runs one program of small operations on one core; with a device per core each
    runs its share of the population. Setting the variables `JAX_NUM_CPU_DEVICES` and `NPROC` to the
    number of cores and twice that does the same from outside.

    Args:
        count: the number of devices; as many as the process may use cores if None, which a
            container's quota may limit.

    Raises:
        RuntimeError: if JAX has been used, and has other devices.

    Examples:
        >>> import hebbax
        >>> import jax
        >>> hebbax.use_cpu_cores(2)
        >>> len(jax.devices("cpu"))
        2
    """
    cores: int = num_cores() if count is None else checks.integer(at_least=1)("count", count)
    # The programs of the devices occupy a thread each and wait for tasks within them. With as many
    # threads as programs nobody is left to run the tasks and all sleep for ever, so the pool is
    # made larger; XLA reads its size from NPROC.
    os.environ.setdefault("NPROC", str(2 * cores))
    try:
        jax.config.update("jax_num_cpu_devices", cores)
    except RuntimeError as error:
        raise RuntimeError(
            f"use_cpu_cores({cores}) comes too late: JAX has been used and has "
            f"{jax.local_device_count()} devices; call it before the first array is made, or set "
            f"JAX_NUM_CPU_DEVICES={cores} and NPROC={2 * cores} from outside"
        ) from error


def use_compilation_cache() -> None:
    """Keeps compiled programs on disk between processes.

    They are kept in the folder that the variable `JAX_COMPILATION_CACHE_DIR` names, by default
    `~/.cache/hebbax`; `JAX_ENABLE_COMPILATION_CACHE=false` switches the cache off.
    """
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        jax.config.update("jax_compilation_cache_dir", str(Path.home() / ".cache" / "hebbax"))


def num_cores() -> int:
    """How many cores the process may use, the quotas of control groups included."""
    quotas = [
        math.ceil(int(quota) / int(period))
        for quota, period in (*_group_limits("cpu.max"), *_old_quotas())
        if quota not in {"max", "-1"}
    ]
    return max(1, min([len(os.sched_getaffinity(0)), *quotas]))


def memory_bytes() -> int:
    """Bytes of memory that a device has: an accelerator's own, or what the cores of a CPU share.

    The latter is the machine's, or the least that a control group of the process allows.
    """
    statistics = jax.local_devices()[0].memory_stats() or {}
    if "bytes_limit" in statistics:
        return statistics["bytes_limit"]
    allowed = (*_group_limits("memory.max"), *_group_limits("memory.limit_in_bytes"))
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([machine, *(int(limit) for [limit] in allowed if limit != "max")])


def free_bytes() -> int:
    """Bytes of a device's memory that no array has; on a CPU all, as only the system knows more."""
    statistics = jax.local_devices()[0].memory_stats() or {}
    return memory_bytes() - statistics.get("bytes_in_use", 0)


def _group_limits(name: str) -> Iterator[list[str]]:
    """The words of a file in each control group that the process is in, from the innermost out.

    The second version of control groups has one tree, the first one for each controller.
    """
    with contextlib.suppress(OSError):  # Other systems have no such groups.
        for line in MEMBERSHIP.read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers and name.split(".")[0] not in controllers.split(","):
                continue
            root = GROUPS / controllers
            group = root / path.strip("/")
            for folder in (group, *group.parents):
                if not folder.is_relative_to(root):
                    break
                with contextlib.suppress(OSError):  # Seen from a container, some are not there.
                    yield (folder / name).read_text().split()


def _old_quotas() -> Iterator[list[str]]:
    """Quota and period of the first version's groups."""
    pairs = zip(_group_limits("cpu.cfs_quota_us"), _group_limits("cpu.cfs_period_us"), strict=False)
    yield from ([*quota, *period] for quota, period in pairs)


_is_spread: ContextVar[bool] = ContextVar("is_spread", default=False)


@contextlib.contextmanager
def spread(is_spread: bool = True) -> Iterator[None]:
    """Within it meshes are made of the devices of all processes, or of this one's again."""
    token = _is_spread.set(is_spread)
    try:
        yield
    finally:
        _is_spread.reset(token)


def are_spread() -> bool:
    """Whether meshes are made of the devices of all processes."""
    return _is_spread.get()


def population_mesh(population_size: int) -> Mesh:
    """A mesh of all devices here, or of as many as there are individuals.

    Where processes work together it has the devices of all, for each must take part.
    """
    devices = jax.devices() if are_spread() else jax.local_devices()[:population_size]
    return Mesh(np.asarray(devices), (AXIS,), axis_types=(AxisType.Auto,))


def share_of(population_size: int, mesh: Mesh) -> int:
    """How many individuals each device has."""
    return -(-population_size // mesh.size)


def over_population(
    function: Callable[..., Any], mesh: Mesh, *, num_whole: int = 0
) -> Callable[..., Any]:
    """Splits the leading axis of arguments and results of a function over a mesh.

    Each device runs its own share, at its own pace. Shares are equal: the last one is filled up
    with copies of the last individual, whose results are dropped.

    Args:
        function: of arguments that every device has whole, then of those that are split. What it
            took from outside instead, JAX could not use as an index.
        mesh: the devices.
        num_whole: how many of the arguments are whole.
    """
    split = _split(function, mesh, num_whole, PartitionSpec(AXIS))

    def run(*arguments: Any) -> Any:
        whole, shared = arguments[:num_whole], arguments[num_whole:]
        population_size = jax.tree.leaves(shared)[0].shape[0]
        results = split(*whole, *fill_up(shared, mesh))
        return jax.tree.map(lambda leaf: leaf[:population_size], results)

    return run


def fill_up(tree: PyTree, mesh: Mesh | AbstractMesh) -> PyTree:
    """Appends copies of the last row of each array until a mesh can share the rows evenly."""
    num_rows = jax.tree.leaves(tree)[0].shape[0]
    missing = -num_rows % mesh.size
    if not missing:
        return tree
    rows = jnp.minimum(jnp.arange(num_rows + missing), num_rows - 1)
    return jax.tree.map(lambda leaf: leaf[rows], tree)


def sum_over_population(
    function: Callable[..., Any], mesh: AbstractMesh, *, num_whole: int
) -> Callable[..., Any]:
    """Makes a sum over a population of one that a function computes over a share of it.

    Args:
        function: of arguments that every device has whole, then of shares of the population along
            the leading axis; returns a tree of sums over its share.
        mesh: the devices, which share the population evenly, see `fill_up`.
        num_whole: how many of the arguments are whole.
    """

    def add(*share: Any) -> Any:
        return jax.lax.psum(function(*share), AXIS)

    return _split(add, mesh, num_whole, PartitionSpec())


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
    """Copies every array of a tree to all devices of a mesh.

    Where the mesh has devices of other processes, these call it with equal arrays.
    """
    if not mesh.is_multi_process:
        return jax.device_put(tree, everywhere(mesh))

    def put(leaf: Any) -> jax.Array:
        if isinstance(leaf, jax.Array) and not leaf.is_fully_addressable:
            return leaf  # It is everywhere.
        copies = [jax.device_put(leaf, device) for device in mesh.local_devices]
        return jax.make_array_from_single_device_arrays(np.shape(leaf), everywhere(mesh), copies)

    return jax.tree.map(put, tree)


def here(tree: PyTree) -> PyTree:
    """This process's own copy of arrays that `put_everywhere` or a program put everywhere.

    The others need not take part in what is done with it.
    """
    return jax.tree.map(
        lambda leaf: leaf if leaf.is_fully_addressable else leaf.addressable_data(0), tree
    )


def put_here(tree: PyTree) -> PyTree:
    """Puts every array of a tree on this process's first device."""
    return jax.device_put(here(tree), jax.local_devices()[0])
