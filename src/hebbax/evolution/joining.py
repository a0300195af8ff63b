"""How this process joins others, and how it leaves them."""

import atexit
import contextlib
import ctypes
import hashlib
import os
import platform
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
from jax._src import xla_bridge

from hebbax import devices
from hebbax.evolution import meeting
from hebbax.evolution.endings import end_process, say
from hebbax.evolution.environment import jax_settings, version_of
from hebbax.evolution.meeting import Place
from hebbax.evolution.processes import Group, LostProcessError, gather, group, set_group
from hebbax.types import checks

# The exit code of a process whose run cannot go on without another: try again.
LOST = os.EX_TEMPFAIL
STEP = 60.0  # s, of a sleep that never ends.
ADDRESS = re.compile(r"(.+):(\d{1,5})")
PACKAGES = ("hebbax", "jax", "jaxlib", "numpy", "optax", "brax", "mujoco", "evosax", "gymnax")
_kept: list[Any] = []  # What the C library calls, for as long as the process lives.


def join_processes(
    coordinator: str | None = None, processes: int | None = None, process: int | None = None
) -> None:
    """Makes this process one of many that train together; call it before JAX is first used.

    Without arguments the cluster says who they are, as far as JAX knows it: SLURM, Open MPI, Cloud
    TPU, Kubernetes. Within a minute all processes have met, or each is told why not. Once is
    enough: `train`, `evaluate` and `sweep` join by themselves where they are called with
    `distributed=True`.

    Args:
        coordinator: `HOST:PORT` of process 0, as all others reach it; the port must be free.
        processes: how many there are.
        process: which one this is, counted from 0.

    Raises:
        ValueError: if JAX has been used, the arguments do not fit, no cluster is found, a process
            does not come, or they differ in versions, code or settings of JAX.

    Examples:
        >>> from hebbax.evolution import join_processes
        >>> join_processes("10.0.0.1:7654", processes=4, process=4)
        Traceback (most recent call last):
            ...
        ValueError: process is 4, but must be between 0 and 3, as processes is 4
    """
    joined = group()
    is_told = (coordinator, processes, process) != (None, None, None)
    if joined is not None and not is_told:
        return
    place, device_ids = _place(coordinator, processes, process)
    if joined is not None:
        if place != joined.place:
            raise ValueError(
                f"coordinator is {place}, but this process has joined {joined.place} before; one "
                "process can join once"
            )
        return
    if jax.distributed.is_initialized():
        raise ValueError(
            "jax.distributed has been initialised by somebody else; leave it to hebbax, whose "
            "processes meet before"
        )
    if xla_bridge.backends_are_initialized():
        raise ValueError(
            "distributed comes too late: JAX has been used by this process; join the others before "
            "the first array is made"
        )
    met = meeting.meet(place, _facts())
    _sleep_instead_of_abort()
    set_group(Group(place, met.connections))
    # Signals are heard by the training, which knows what must be kept.
    jax.config.update("jax_enable_preemption_service", False)
    if place.num_processes == 1:  # gloo would take the way through the network.
        jax.config.update("jax_cpu_collectives_implementation", None)
    jax.distributed.initialize(
        f"{place.host}:{met.port}",
        place.num_processes,
        place.process,
        local_device_ids=device_ids,
        initialization_timeout=int(meeting.PATIENCE),
        coordinator_bind_address=f"0.0.0.0:{met.port}",
    )
    # After JAX's own, so that it is called before.
    atexit.register(_leave_at_exit)
    with devices.spread():
        _check_devices(gather(_devices_here()))


def _devices_here() -> list[Any]:
    """This process's machine, backend, and what tells its accelerators from those of others."""
    visible = [os.environ.get("CUDA_VISIBLE_DEVICES"), jax.config.read("jax_cuda_visible_devices")]
    found = jax.local_devices()
    kinds = sorted({device.device_kind for device in found})
    names = [f"{visible}:{device.local_hardware_id}" for device in found]
    return [socket.gethostname(), jax.default_backend(), kinds, names]


def _check_devices(claims: list[Any]) -> None:
    """Refuses processes with other kinds of devices, and two with the same accelerator.

    Args:
        claims: what `_devices_here` says in each.
    """
    owners: dict[Any, int] = {}
    _, backend, kinds, _ = claims[0]
    for i, (host, its_backend, its_kinds, names) in enumerate(claims):
        if (its_backend, its_kinds) != (backend, kinds):
            raise ValueError(
                f"process {i} has devices of {its_backend} ({', '.join(its_kinds)}), but process 0 "
                f"of {backend} ({', '.join(kinds)}); all must have the same"
            )
        for name in names if backend != "cpu" else ():
            if (other := owners.setdefault((host, name), i)) != i:
                raise ValueError(
                    f"processes {other} and {i} have the same device of {host}; start fewer, or "
                    "give each its own by CUDA_VISIBLE_DEVICES"
                )


@contextlib.contextmanager
def together(is_distributed: bool) -> Iterator[None]:
    """Within it all processes work as one, on the devices of all, if they shall.

    Joins them where `join_processes` has not been called. Where one is lost the process ends, with
    a sentence and the exit code `LOST`: JAX in it could do nothing more.
    """
    if not is_distributed or devices.are_spread():
        yield
        return
    join_processes()
    joined = group()
    assert joined is not None
    joined.is_at_work = True
    try:
        with devices.spread():
            yield
            gather(None)  # Nobody leaves before all are done.
    except LostProcessError as error:
        say(f"{error}; what was done is kept, and the same command goes on")
        end_process(LOST)
    finally:
        joined.is_at_work = False


def _leave_at_exit() -> None:
    """Says goodbye; where somebody was lost, JAX would wait for them for ever."""
    joined = group()
    if joined is None:
        return
    is_failed = hasattr(sys, "last_value")  # An error that nobody caught ends the program.
    joined.say_goodbye(f"process {joined.place.process} has {'failed' if is_failed else 'ended'}")
    if is_failed or joined.loss:
        end_process(1 if is_failed else LOST)


def _place(
    coordinator: str | None, processes: int | None, process: int | None
) -> tuple[Place, Any]:
    """Where and as which this process joins, and which devices it has, if the cluster says so."""
    given = {"coordinator": coordinator, "processes": processes, "process": process}
    missing = [name for name, value in given.items() if value is None]
    if 0 < len(missing) < len(given):
        raise ValueError(
            f"{' and '.join(missing)} not given; give coordinator, processes and process, or none "
            "of them where a cluster says who they are"
        )
    if not missing:
        return _given_place(coordinator, processes, process), None
    from jax._src.clusters import ClusterEnv  # What `jax.distributed` asks itself.

    try:
        address, count, index, device_ids = ClusterEnv.auto_detect_unset_distributed_params(
            None, None, None, None, None, int(meeting.PATIENCE)
        )
    except Exception as error:  # Each cluster has its own.
        raise ValueError(
            f"distributed is True, but the cluster cannot be asked: {error}"
        ) from error
    if None in (address, count, index):
        raise ValueError(
            "distributed is True, but no cluster says who the processes are (SLURM, Open MPI, "
            "Cloud TPU, Kubernetes); give coordinator, processes and process"
        )
    return _given_place(address, count, index), device_ids


def _given_place(coordinator: Any, processes: Any, process: Any) -> Place:
    found = ADDRESS.fullmatch(str(coordinator))
    if not found or not 0 < int(found[2]) < 2**16:
        raise ValueError(
            f"coordinator is {coordinator!r}, but must be HOST:PORT, with a port between 1 and "
            "65535"
        )
    count = checks.integer(at_least=1)("processes", processes)
    index = checks.integer()("process", process)
    if index >= count:
        raise ValueError(
            f"process is {index}, but must be between 0 and {count - 1}, as processes is {count}"
        )
    return Place(found[1].strip("[]"), int(found[2]), count, index)


def _facts() -> dict[str, Any]:
    """In what processes must agree, whatever they do."""
    return {
        "python": ".".join(platform.python_version_tuple()[:2]),
        **{package: version_of(package) for package in PACKAGES},
        "code": _code_digest(),
        **jax_settings(),
    }


def _code_digest() -> str:
    """A hash of the package's code."""
    digest = hashlib.sha256()
    root = Path(__file__).parents[1]
    for file in sorted(root.rglob("*.py")):
        digest.update(file.relative_to(root).as_posix().encode() + file.read_bytes())
    return digest.hexdigest()[:16]


def _sleep_instead_of_abort() -> None:
    """Lets JAX's threads sleep where they would abort the process.

    When the first process is lost JAX's coordination aborts all others from a thread of its own,
    within a millisecond. Put to sleep, it leaves the main thread the time to keep what it has.
    """

    def on_abort(_: int) -> None:
        is_main = threading.current_thread() is threading.main_thread()
        joined = group()
        if is_main or joined is None or not joined.is_at_work:
            return  # It is aborted as ever.
        joined.lose("JAX has lost the connection to process 0")
        while True:
            time.sleep(STEP)

    handler = ctypes.CFUNCTYPE(None, ctypes.c_int)(on_abort)
    _kept.append(handler)
    with contextlib.suppress(OSError, AttributeError):  # Where there is no C library by this name.
        library = ctypes.CDLL(None)
        library.signal.argtypes = [ctypes.c_int, type(handler)]
        library.signal(signal.SIGABRT, handler)
