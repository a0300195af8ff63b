"""The command line of many processes: from training to the report."""

import subprocess
import sys
from pathlib import Path

import pytest
from many import free_port

from small_run import newest_checkpoint

HEBBAX = (sys.executable, "-c", "from hebbax.cli import main; main()")
pytestmark = pytest.mark.slow


def run_all(count: int, *command: str) -> list[str]:
    """Runs a command of hebbax as each of some processes; returns what they print."""
    options = ["--cores", "1", "--coordinator", f"127.0.0.1:{free_port()}"]
    options += ["--processes", str(count)]
    started = [
        subprocess.Popen(
            [*HEBBAX, *command, *options, "--process", str(i)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for i in range(count)
    ]
    said = [one.communicate(timeout=300)[0] for one in started]
    assert [one.returncode for one in started] == [0] * count, said
    return said


def test_train_evaluate_and_report(tmp_path: Path):
    """Only the first process prints and writes; the report is made of its folder."""
    pytest.importorskip("gymnax")
    run = str(tmp_path / "run")
    options = ["--generations", "3", "--strategy.population-size", "8", "--run-dir", run]
    first, second = run_all(2, "train", "--task", "gymnax:Pendulum-v1", *options)
    assert "3 generations in" in first
    assert "generations in" not in second
    assert newest_checkpoint(tmp_path / "run") == 3
    first, second = run_all(2, "evaluate", run, "--episodes", "4")
    assert "4 episodes in each variation" in first
    assert "episodes" not in second
    subprocess.run([*HEBBAX, "report", run], check=True)
    assert (tmp_path / "run" / "report.html").exists()
