"""Jobs on a cluster: what is said where there is none."""

import sys
from pathlib import Path

import pytest

from hebbax.comparison.cluster import slurm_executor


def test_missing_submitit_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Without submitit there is a word on how to install it."""
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(ValueError, match=r"slurm needs submitit, .* pip install 'hebbax\[slurm\]'"):
        slurm_executor(tmp_path, "gpu", hours=1, gpus=1)


def test_missing_slurm_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Where SLURM's commands are not installed that is said, and nothing is written."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        ValueError, match="slurm is 'gpu', but this machine is no part of a SLURM cluster"
    ):
        slurm_executor(tmp_path / "jobs", "gpu", hours=1, gpus=1)
    assert not (tmp_path / "jobs").exists()
