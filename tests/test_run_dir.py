"""A run's folder: it belongs to one configuration, and is never seen half-written."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import hebbax
from hebbax import run_dir as folders
from hebbax.run_dir import MetricsFile, read_metrics, write_whole
from small_run import contents, small_config, without_clock
from small_task import Cart


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "deep" / "run"
    hebbax.train(small_config(), folder)
    return folder


@pytest.fixture
def run_dir(finished: Path, tmp_path: Path) -> Path:
    """A copy of a run of four generations."""
    return Path(shutil.copytree(finished, tmp_path / "run"))


def test_folder_has_what_a_number_must_be_read_with(run_dir: Path):
    """Configuration, metrics and surroundings are there in files that any program reads."""
    assert hebbax.Config.load(run_dir) == small_config()
    lines = (run_dir / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["generation"] for line in lines] == [0, 1, 2, 3]
    [surroundings] = json.loads((run_dir / "environment.json").read_text())
    assert surroundings["devices"] == ["cpu", "cpu"]
    assert surroundings["packages"]["jax"]
    assert not list(run_dir.rglob("*.tmp"))


@pytest.mark.parametrize(
    ("changes", "field", "there", "here"),
    [
        ({"seed": 1}, "seed", "0", "1"),
        ({"held_out": None}, "held_out", '"heavy"', "null"),
        ({"strategy": hebbax.ScoreFunction(population_size=6)}, "strategy.population_size", "8", "6"),
        ({"task": Cart(max_steps=14)}, "task.max_steps", "13", "14"),
        ({"policy": hebbax.Static()}, "policy.class", '"hebbax.policies.hebbian:Hebbian"', '"hebbax.policies.static:Static"'),
        ({"policy": hebbax.Hebbian(hidden_sizes=(3, 3))}, "policy.hidden_sizes", "[3]", "[3, 3]"),
    ],
)
def test_other_run_is_refused(run_dir: Path, changes: dict[str, Any], field: str, there: str, here: str):
    """A folder with another configuration's run names the field and both values, and stays as it is.

    Mutation: a comparison of the top fields alone cannot name `strategy.population_size`.
    """
    before = contents(run_dir)
    with pytest.raises(ValueError, match="choose another folder") as error:
        hebbax.train(small_config(generations=8, **changes), run_dir)
    assert f"holds a run with {field} = {there}, but this one has {field} = {here};" in str(error.value)
    assert contents(run_dir) == before


def test_fields_that_touch_no_number_may_change(run_dir: Path):
    """A run may go on with more generations, other checkpoints and other chunks, and its folder says so."""
    longer = small_config(generations=5, checkpoint_every=7, chunk_size=3)
    assert len(hebbax.train(longer, run_dir).history) == 5
    assert hebbax.Config.load(run_dir) == longer
    assert len(json.loads((run_dir / "environment.json").read_text())) == 2


def test_other_format_is_refused(run_dir: Path):
    """A run of another version of hebbax names the file, its format and the one that can be read, and stays as it is."""
    plain = json.loads((run_dir / "config.json").read_text())
    (run_dir / "config.json").write_text(json.dumps(plain | {"format": 99}))
    before = contents(run_dir)
    for use in (lambda: hebbax.train(small_config(), run_dir), lambda: hebbax.evaluate(run_dir)):
        with pytest.raises(
            ValueError, match=r"config\.json cannot be read: the configuration has format 99, but this version of hebbax reads format 1"
        ):
            use()
    assert contents(run_dir) == before


def test_foreign_folder_is_refused(tmp_path: Path):
    """A folder with anything but a run is left alone, and so is a file."""
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(ValueError, match=r"holds thesis\.tex but no run; choose a new or empty folder"):
        hebbax.train(small_config(), tmp_path)
    with pytest.raises(NotADirectoryError, match=r"thesis\.tex"):
        hebbax.train(small_config(), tmp_path / "thesis.tex")
    assert contents(tmp_path) == {"thesis.tex": b"precious"}


def test_folder_of_a_run_killed_at_its_very_start_is_taken(finished: Path, tmp_path: Path):
    """Before config.json has its name there may be half of it, and before the first checkpoint there may be metrics; both are begun anew."""
    (tmp_path / "config.json.tmp").write_text('{"form')
    hebbax.train(small_config(generations=1), tmp_path)
    shutil.rmtree(tmp_path / "checkpoints")
    again = hebbax.train(small_config(), tmp_path)
    assert without_clock(again.history) == without_clock(read_metrics(finished)) == without_clock(read_metrics(tmp_path))


def test_metrics_behind_the_checkpoint_are_refused(run_dir: Path):
    """Metrics that lack generations the checkpoint has, or cannot be read, are named; nothing is overwritten."""
    file = run_dir / "metrics.jsonl"
    whole = file.read_bytes()
    for damaged, reason in ((whole[:-20], "has 3 generations, but the checkpoint 4"), (b"{\xff}\n" + whole, "is damaged")):
        file.write_bytes(damaged)
        before = contents(run_dir)
        with pytest.raises(ValueError, match=reason) as error:
            hebbax.train(small_config(generations=8), run_dir)
        assert str(file) in str(error.value)
        assert contents(run_dir) == before


def test_metrics_file_goes_on_after_a_generation(tmp_path: Path):
    """Opened after two generations it drops the third, and what was half-written; infinities survive."""
    (tmp_path / "metrics.jsonl").write_text('{"a": 0}\n{"a": -Infinity}\n{"a": 2}\n{"a"')
    assert read_metrics(tmp_path) == [{"a": 0}, {"a": -float("inf")}, {"a": 2}]
    file = MetricsFile(tmp_path, 2)
    file.write({"a": 20})
    file.sync()
    assert read_metrics(tmp_path) == [{"a": 0}, {"a": -float("inf")}, {"a": 20}]
    file.close()


def test_file_is_never_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A process that ends while it writes leaves the old file.

    Mutation: writing in place leaves a half.
    """
    file = tmp_path / "file"
    write_whole(file, "old")
    monkeypatch.setattr(folders.os, "fsync", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_whole(file, "new")
    assert file.read_text() == "old"


def test_git_may_be_missing(monkeypatch: pytest.MonkeyPatch):
    """Where git is not installed the commit is unknown, and that is no error."""
    monkeypatch.setenv("PATH", "")
    assert folders.describe_environment()["git_commit"] is None
