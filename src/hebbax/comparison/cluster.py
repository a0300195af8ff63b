"""Jobs on a SLURM cluster."""

import os
import signal
from pathlib import Path
from typing import Any

from hebbax.evolution import interrupts
from hebbax.types import checks


def slurm_executor(
    log_folder: Path, partition: str, *, hours: int, gpus: int, nodes: int = 1
) -> Any:
    """Makes an executor for `hebbax.sweep` whose jobs run on a cluster.

    Args:
        log_folder: for what the jobs print; every node must see it.
        partition: SLURM's name for the nodes to use.
        hours: that a job may take. What it has not done by then the next call of the sweep goes on
            with.
        gpus: accelerators of each job on each of its nodes; 0 leaves the work to a CPU.
        nodes: machines of each job. On more than one its processes train together, one for each
            accelerator, or one on each node without.

    Raises:
        ValueError: if submitit is not installed, or there is no SLURM on this machine.

    Examples:
        >>> from pathlib import Path
        >>> import hebbax
        >>> from hebbax.comparison.cluster import slurm_executor
        >>> jobs = slurm_executor(Path("logs"), "gpu", hours=8, gpus=1)  # doctest: +SKIP
        >>> methods = {"hebbian": hebbax.presets.PRESETS["quadruped-hebbian"]()}
        >>> runs = hebbax.sweep(methods, "sweep", executor=jobs)  # doctest: +SKIP
    """
    hours, gpus, nodes = (
        checks.integer(at_least=1)("slurm_hours", hours),
        checks.integer()("slurm_gpus", gpus),
        checks.integer(at_least=1)("nodes", nodes),
    )
    try:
        import submitit
    except ImportError:
        raise ValueError(
            "slurm needs submitit, which is not installed; install hebbax with its extra: pip "
            "install 'hebbax[slurm]'"
        ) from None
    try:
        executor = submitit.AutoExecutor(log_folder, cluster="slurm")
    except RuntimeError as error:
        raise ValueError(
            f"slurm is {partition!r}, but this machine is no part of a SLURM cluster: {error}"
        ) from error
    executor.update_parameters(
        name="hebbax",
        slurm_partition=partition,
        timeout_min=60 * hours,
        nodes=nodes,
        gpus_per_node=gpus,
        tasks_per_node=max(1, gpus) if nodes > 1 else 1,
    )
    return executor


def again(function: Any, *arguments: Any) -> Any:
    """What submitit's hook `checkpoint` returns to have a job called again when it is requeued."""
    import submitit

    return submitit.helpers.DelayedSubmission(function, *arguments)


def has_many_processes() -> bool:
    """Whether this process is one of several of a job of submitit."""
    return "SUBMITIT_EXECUTOR" in os.environ and int(os.environ.get("SLURM_NTASKS", "1")) > 1


def keep_before_requeue() -> None:
    """Lets a training keep its state before submitit has its job requeued.

    submitit does so in the handler of the signal that SLURM sends before it ends a job. It passes
    over SIGTERM, which comes half a minute before the end.
    """
    if "SUBMITIT_EXECUTOR" not in os.environ:
        return
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    requeue = signal.getsignal(signal.SIGUSR2)
    if callable(requeue):
        interrupts.handle_with(signal.SIGUSR2, requeue)
