"""Jobs on a SLURM cluster."""

from pathlib import Path
from typing import Any

from hebbax.types import checks


def slurm_executor(log_folder: Path, partition: str, *, hours: int, gpus: int) -> Any:
    """Makes an executor for `hebbax.sweep` whose jobs run on a cluster.

    Args:
        log_folder: for what the jobs print; every node must see it.
        partition: SLURM's name for the nodes to use.
        hours: that a job may take. What it has not done by then the next call of the sweep goes on
            with.
        gpus: accelerators of each job; 0 leaves the work to a CPU.

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
    hours, gpus = (
        checks.integer(at_least=1)("slurm_hours", hours),
        checks.integer()("slurm_gpus", gpus),
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
        name="hebbax", slurm_partition=partition, timeout_min=60 * hours, gpus_per_node=gpus
    )
    return executor
