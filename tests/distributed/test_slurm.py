"""Jobs of many processes on a cluster, which is preempted: SLURM's commands are stand-ins."""

import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import fake_slurm
import numpy as np
import pytest
from many import HERE, PATIENCE, changed, configurations, numbers
from submitit.slurm import slurm

import hebbax
from hebbax.comparison.cluster import slurm_executor
from hebbax.evolution.run_dir import read_starts

pytestmark = pytest.mark.slow
LENGTH = 60  # Generations, so that there is time for a signal.


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with SLURM's commands, which are in PATH."""
    for name, value in fake_slurm.install(tmp_path / "slurm").items():
        monkeypatch.setenv(name, value)
    path = f"{HERE.parent}:{HERE}"
    monkeypatch.setenv("PYTHONPATH", f"{path}:{os.environ.get('PYTHONPATH', '')}")
    return tmp_path / "slurm"


def wait_until(is_true: Callable[[], bool]) -> None:
    """Waits for something."""
    deadline = time.monotonic() + 3 * PATIENCE
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def length(run: Path) -> int:
    """How many generations a run's folder has."""
    file = run / "metrics.jsonl"
    return file.read_bytes().count(b"\n") if file.exists() else 0


def test_a_requeued_job_goes_on(tmp_path: Path, cluster: Path):
    """`sbatch --requeue` with `srun` in a script, preempted once."""
    told = {
        "names": ["plastic"],
        "changes": {"generations": LENGTH, "checkpoint_every": 10**6},
        "cluster": True,
        "folder": str(tmp_path / "runs"),
    }
    script = tmp_path / "job.sh"
    command = shlex.join([sys.executable, str(HERE / "program.py"), json.dumps(told)])
    script.write_text(f"#!/bin/sh\n#SBATCH --nodes=2\n#SBATCH --requeue\nsrun {command}\n")
    said = subprocess.run(["sbatch", str(script)], capture_output=True, text=True, check=True)
    job = said.stdout.split()[-1]
    run = tmp_path / "runs" / "plastic"
    wait_until(lambda: length(run) >= 5)
    fake_slurm.requeue(job)
    wait_until(lambda: (cluster / job / "state").read_text() != "RUNNING")
    logs = "".join(log.read_text() for log in (cluster / job).glob("*task*"))
    assert (cluster / job / "state").read_text() == "COMPLETED", logs
    assert "terminated after generation" in logs
    assert len(read_starts(run)) == 2
    assert hebbax.load(run).best_generation is not None
    assert length(run) == LENGTH


def test_a_sweep_of_jobs_of_two_nodes_is_preempted(
    tmp_path: Path, cluster: Path, monkeypatch: pytest.MonkeyPatch
):
    """submitit has its job requeued once the training has kept its state."""
    monkeypatch.setattr(slurm.SlurmJob, "watcher", slurm.SlurmInfoWatcher(delay_s=1))
    changes = {"generations": LENGTH, "checkpoint_every": 10**6}
    methods = {"plastic": changed(configurations()["plastic"], changes)}
    folder = tmp_path / "sweep"
    executor = slurm_executor(folder / "jobs", "cpu", hours=1, gpus=0, nodes=2)
    run = folder / "runs" / "plastic" / "heavy" / "seed-0"

    def preempt() -> None:
        wait_until(lambda: length(run) >= 5)
        [job] = [path.name for path in cluster.iterdir() if path.name.isdigit()]
        fake_slurm.send(job, signal.SIGUSR2)

    thread = threading.Thread(target=preempt)
    thread.start()
    hebbax.sweep(methods, folder, ["heavy"], 1, 4, executor=executor)
    thread.join()
    assert len(read_starts(run)) == 2
    assert length(run) == LENGTH
    expected = hebbax.train(methods["plastic"])
    found = hebbax.load(run)
    for one, other in zip(numbers(found)["genome"], numbers(expected)["genome"], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-3)
