"""A file of scores stands for the folders of runs: what it holds is not made again."""

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import hebbax
from hebbax.comparison import archive, sweeps
from hebbax.comparison.results import collect
from hebbax.evolution.run_dir import read_metrics
from small_run import small_config


def config(**changes: Any) -> hebbax.Config:
    return small_config(generations=2, **changes)


def sweep(folder: Path, file: Path, seeds: int = 1, **changes: Any) -> list[sweeps.Run]:
    methods = {"plastic": config(**changes)}
    return hebbax.sweep(methods, folder, ["heavy"], seeds, 3, archive=file)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an archive of one run, whose own folder is there too."""
    folder = tmp_path_factory.mktemp("kept")
    sweep(folder / "sweep", folder / "scores.jsonl", evaluate_every=2)
    return folder


def test_run_of_the_archive_is_not_made_again(
    kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """In a new folder it has the scores and the history that it had, to seven digits.

    Mutations: the run made again; a history without the scores on the way.
    """
    monkeypatch.setattr(sweeps, "train_together", None)
    [run] = sweep(tmp_path / "again", kept / "scores.jsonl", evaluate_every=2)
    assert collect(tmp_path / "again").rows == collect(kept / "sweep").rows
    first, again = (
        read_metrics(folder / run.path.relative_to(tmp_path / "again"))
        for folder in (kept / "sweep", tmp_path / "again")
    )
    assert [set(metrics) for metrics in again] == [set(metrics) for metrics in first]
    assert "scores" in first[1]
    assert "scores" not in first[0]
    for one, other in zip(first, again, strict=True):
        assert other["fitness_mean"] == pytest.approx(one["fitness_mean"], rel=1e-6)
        assert other["returns"] == pytest.approx(one["returns"], rel=1e-6)
    assert len(archive.read(kept / "scores.jsonl")) == 1


def test_other_runs_are_made(kept: Path, tmp_path: Path):
    """Another seed, rate, or number of episodes is another run.

    Lengths of intervals do not count. Mutation: runs by method, fold and seed alone.
    """
    file = Path(shutil.copy(kept / "scores.jsonl", tmp_path))
    sweep(tmp_path / "a", file, seeds=2, checkpoint_every=7)
    assert [line["seed"] for line in archive.read(file)] == [0, 1]
    sweep(tmp_path / "b", file, penalty=0.5)
    assert len(archive.read(file)) == 3
    hebbax.sweep({"plastic": config()}, tmp_path / "c", ["heavy"], 1, 4, archive=file)
    assert [line["episodes"] for line in archive.read(file)] == [3, 3, 3, 4]


def test_restored_run_can_grow(kept: Path, tmp_path: Path):
    """More generations begin anew, for the archive keeps no genome, and come to the same."""
    file = Path(shutil.copy(kept / "scores.jsonl", tmp_path))
    longer = {"plastic": dataclasses.replace(config(), generations=3)}
    sweep(tmp_path / "sweep", file)
    [run] = hebbax.sweep(longer, tmp_path / "sweep", ["heavy"], 1, 3, archive=file)
    alone = hebbax.train(dataclasses.replace(longer["plastic"], held_out="heavy"))
    assert read_metrics(run.path)[2]["fitness_mean"] == alone.history[2]["fitness_mean"]
    assert [line["generations"] for line in archive.read(file)] == [2, 3]
    # The folder is ahead of what is asked for: it has no line of two generations to give.
    (tmp_path / "scores.jsonl").unlink()
    sweep(tmp_path / "sweep", file)
    assert archive.read(file) == []


def test_damaged_archives(kept: Path, tmp_path: Path):
    """A half-written last line is ignored, and replaced; anything else is refused."""
    file = Path(shutil.copy(kept / "scores.jsonl", tmp_path))
    with file.open("a") as stream:
        stream.write('{"format": 1, "meth')
    assert len(archive.read(file)) == 1
    sweep(tmp_path / "sweep", file, seeds=2)
    assert [line["seed"] for line in archive.read(file)] == [0, 1]
    assert all(map(json.loads, file.read_text().splitlines()))
    # An editor that takes the end of the last line away takes no line away.
    file.write_text(file.read_text().rstrip())
    assert len(archive.read(file)) == 2
    sweep(tmp_path / "sweep", file, seeds=3)
    assert [line["seed"] for line in archive.read(file)] == [0, 1, 2]

    file.write_text('{"format": 9}\n')
    with pytest.raises(ValueError, match=r"scores\.jsonl cannot be read: a line has format 9"):
        sweep(tmp_path / "third", file)
    file.write_text('{"format": 1, "method": "plastic"}\n')
    with pytest.raises(ValueError, match=r"scores\.jsonl cannot be read: a line has no 'fold'"):
        sweep(tmp_path / "third", file)
    file.write_text("no JSON\n")
    with pytest.raises(ValueError, match=r"scores\.jsonl cannot be read"):
        sweep(tmp_path / "third", file)
    assert not (tmp_path / "third/runs").exists()


def test_fields_that_came_later_have_their_defaults(
    kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A line of an older version stands for the run; another value does not.

    Mutation: a fingerprint of all fields.
    """
    [line] = archive.read(str(kept / "scores.jsonl"))
    del line["config"]["policy"]["has_biases"]
    (tmp_path / "old.jsonl").write_text(json.dumps(line) + "\n")
    monkeypatch.setattr(sweeps, "train_together", None)
    sweep(tmp_path / "old", tmp_path / "old.jsonl", evaluate_every=2)
    line["config"]["policy"]["has_biases"] = True
    (tmp_path / "other.jsonl").write_text(json.dumps(line) + "\n")
    with pytest.raises(TypeError):
        sweep(tmp_path / "other", tmp_path / "other.jsonl", evaluate_every=2)


def test_run_that_is_ahead_is_left_alone(kept: Path, tmp_path: Path):
    """A longer run that was not scored yet keeps its metrics and its checkpoint.

    Mutation: a folder that is always written as the line has it.
    """
    longer = {"plastic": small_config(generations=3)}
    [run] = hebbax.sweep(longer, tmp_path / "sweep", ["heavy"], 1, 3)
    (run.path / "evaluation.json").unlink()
    before = read_metrics(run.path)
    sweep(tmp_path / "sweep", Path(shutil.copy(kept / "scores.jsonl", tmp_path)))
    assert read_metrics(run.path) == before
    assert len(before) == 3
    assert len(hebbax.sweep(longer, tmp_path / "sweep", ["heavy"], 1, 3)) == 1


def test_finished_sweep_fills_an_archive(kept: Path, tmp_path: Path):
    """Runs that were done before anybody asked for an archive."""
    shutil.copytree(kept / "sweep", tmp_path / "sweep")
    sweep(tmp_path / "sweep", tmp_path / "new/scores.jsonl", evaluate_every=2)
    assert archive.read(tmp_path / "new/scores.jsonl") == archive.read(kept / "scores.jsonl")
