"""A run's folder: it belongs to one configuration, and is never seen half-written."""

import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest

import hebbax
import hebbax.comparison.results
from hebbax.evolution import run_dir as folders
from hebbax.evolution.run_dir import MetricsFile, read_metrics
from small_run import contents, read_strictly, small_config, without_clock
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
        (
            {"strategy": hebbax.ScoreFunction(population_size=6)},
            "strategy.population_size",
            "8",
            "6",
        ),
        ({"task": Cart(max_steps=14)}, "task.max_steps", "13", "14"),
        (
            {"policy": hebbax.Static()},
            "policy.class",
            '"hebbax.policies.hebbian:Hebbian"',
            '"hebbax.policies.static:Static"',
        ),
        ({"policy": hebbax.Hebbian(hidden_sizes=(3, 3))}, "policy.hidden_sizes", "[3]", "[3, 3]"),
    ],
)
def test_other_run_is_refused(
    run_dir: Path, changes: dict[str, Any], field: str, there: str, here: str
):
    """A folder of another configuration's run names field and values, and stays as it is.

    Mutation: a comparison of the top fields alone cannot name `strategy.population_size`.
    """
    before = contents(run_dir)
    with pytest.raises(ValueError, match="choose another folder") as error:
        hebbax.train(small_config(generations=8, **changes), run_dir)
    assert f"holds a run with {field} = {there}, but this one has {field} = {here};" in str(
        error.value
    )
    assert contents(run_dir) == before


def test_fields_that_touch_no_number_may_change(run_dir: Path):
    """A run may go on with more generations, other checkpoints and other chunks.

    Its folder says so.
    """
    longer = small_config(generations=5, checkpoint_every=7, chunk_size=3)
    assert len(hebbax.train(longer, run_dir).history) == 5
    assert hebbax.Config.load(run_dir) == longer
    assert len(json.loads((run_dir / "environment.json").read_text())) == 2


def test_other_format_is_refused(run_dir: Path):
    """A run of another version names file and format, and stays as it is."""
    plain = json.loads((run_dir / "config.json").read_text())
    (run_dir / "config.json").write_text(json.dumps(plain | {"format": 99}))
    before = contents(run_dir)
    for use in (lambda: hebbax.train(small_config(), run_dir), lambda: hebbax.evaluate(run_dir)):
        with pytest.raises(
            ValueError,
            match=r"config\.json cannot be read: the configuration has format 99, but this "
            r"version of hebbax reads format 2",
        ):
            use()
    assert contents(run_dir) == before


def test_foreign_folder_is_refused(tmp_path: Path):
    """A folder with anything but a run is left alone, and so is a file."""
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(
        ValueError, match=r"holds thesis\.tex but no run; choose a new or empty folder"
    ):
        hebbax.train(small_config(), tmp_path)
    with pytest.raises(NotADirectoryError, match=r"thesis\.tex"):
        hebbax.train(small_config(), tmp_path / "thesis.tex")
    assert contents(tmp_path) == {"thesis.tex": b"precious"}


def test_folder_of_a_run_killed_at_its_very_start_is_taken(finished: Path, tmp_path: Path):
    """What was left before the first checkpoint is begun anew.

    Half of config.json, or metrics.
    """
    (tmp_path / "config.json.tmp").write_text('{"form')
    hebbax.train(small_config(generations=1), tmp_path)
    shutil.rmtree(tmp_path / "checkpoints")
    again = hebbax.train(small_config(), tmp_path)
    assert (
        without_clock(again.history)
        == without_clock(read_metrics(finished))
        == without_clock(read_metrics(tmp_path))
    )


def test_metrics_behind_the_checkpoint_are_refused(run_dir: Path):
    """Metrics that lack generations the checkpoint has, or cannot be read, are named.

    Nothing is overwritten.
    """
    file = run_dir / "metrics.jsonl"
    whole = file.read_bytes()
    for damaged, reason in (
        (whole[:-20], "has 3 generations, but the checkpoint 4"),
        (b"{\xff}\n" + whole, "is damaged"),
    ):
        file.write_bytes(damaged)
        before = contents(run_dir)
        with pytest.raises(ValueError, match=reason) as error:
            hebbax.train(small_config(generations=8), run_dir)
        assert str(file) in str(error.value)
        assert contents(run_dir) == before


def test_metrics_file_goes_on_after_a_generation(tmp_path: Path):
    """Opened after two generations it drops the third, and what was half-written.

    What is no number is null, also in lines that were there.

    Mutation: `json.dumps` writes NaN and Infinity, which no strict parser reads.
    """
    (tmp_path / "metrics.jsonl").write_text(
        '{"a": 0, "b": {"c": NaN}}\n{"a": -Infinity}\n{"a": 2}\n{"a"'
    )
    assert read_metrics(tmp_path)[1:] == [{"a": -float("inf")}, {"a": 2}]
    file = MetricsFile(tmp_path, 2)
    file.write({"a": float("inf"), "b": {"c": 1.0}})
    file.sync()
    assert (
        tmp_path / "metrics.jsonl"
    ).read_text() == '{"a": 0, "b": {"c": null}}\n{"a": null}\n{"a": null, "b": {"c": 1.0}}\n'
    first, second, third = read_metrics(tmp_path)
    assert first["a"] == 0
    assert math.isnan(first["b"]["c"])
    assert math.isnan(second["a"])
    assert math.isnan(third["a"])
    assert third["b"] == {"c": 1.0}
    file.close()


def test_everything_written_is_json(tmp_path: Path):
    """A run of broken episodes has files that a strict parser reads.

    Metrics, scores and results; hebbax reads them again.

    Mutation: bare NaN in any file.
    """
    config = small_config(
        task=Cart(broken_steps=(1, 1, 1)),
        strategy=hebbax.ScoreFunction(population_size=4),
        generations=1,
    )
    hebbax.sweep({"broken": config}, tmp_path, ["heavy"], 1, 2)
    hebbax.comparison.results.write(tmp_path)
    files = [file for file in tmp_path.rglob("*.json*") if "checkpoints" not in file.parts]
    assert {
        "config.json",
        "environment.json",
        "evaluation.json",
        "metrics.jsonl",
        "results.json",
        "sweep.json",
    } <= {file.name for file in files}
    for file in files:
        for text in (
            file.read_text().splitlines() if file.suffix == ".jsonl" else [file.read_text()]
        ):
            read_strictly(text)
    run = tmp_path / "runs/broken/heavy/seed-0"
    assert json.loads((run / "evaluation.json").read_text())["scores"][0]["mean"] is None
    [row, *_] = hebbax.comparison.results.collect(tmp_path).rows
    assert math.isnan(row.mean)
    assert row.non_finite == 2
    assert math.isnan(read_metrics(run)[0]["returns"]["light"])


@pytest.mark.parametrize("content", [b'{"a": 1', b"{}", b"[1]"])
def test_damaged_environment_is_named(run_dir: Path, content: bytes):
    """A file of environments that cannot be read is named before anything is written."""
    (run_dir / "environment.json").write_bytes(content)
    before = contents(run_dir)
    with pytest.raises(ValueError, match=r"environment\.json cannot be read: "):
        hebbax.train(small_config(generations=5), run_dir)
    assert contents(run_dir) == before


def test_other_settings_of_jax_are_refused(run_dir: Path):
    """A run that began with other settings of JAX that touch numbers is not gone on with.

    A folder that does not say so is.

    Mutation: settings that are only recorded.
    """
    file = run_dir / "environment.json"
    starts = json.loads(file.read_text())
    assert starts[0]["jax"] == {
        "jax_default_prng_impl": "threefry2x32",
        "jax_enable_x64": False,
        "jax_threefry_partitionable": True,
    }
    for name, value in (
        ("jax_default_prng_impl", "rbg"),
        ("jax_enable_x64", True),
    ):
        file.write_text(json.dumps([{**starts[0], "jax": {**starts[0]["jax"], name: value}}]))
        before = contents(run_dir)
        with pytest.raises(
            ValueError, match=f"made with {name} = {value}, but now it is .*{name.upper()}"
        ):
            hebbax.train(small_config(generations=5), run_dir)
        assert contents(run_dir) == before
    del starts[0]["jax"]
    file.write_text(json.dumps(starts))
    assert len(hebbax.train(small_config(generations=5), run_dir).history) == 5


def test_home_is_expanded_and_addresses_refused(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """`~` is the home folder for every reader and writer of a run.

    An address is refused before anything is computed.
    """
    monkeypatch.setenv("HOME", str(finished.parent))
    monkeypatch.chdir(tmp_path)
    assert len(hebbax.train(small_config(), "~/run").history) == 4
    assert hebbax.Config.load("~/run") == small_config()
    for use in (
        lambda path: hebbax.train(small_config(), path),
        hebbax.evaluate,
        lambda path: hebbax.sweep({"a": small_config()}, path),
    ):
        with pytest.raises(ValueError, match=r"gs:/.*, but must be a path on this machine"):
            use("gs://bucket/run")
    assert not list(tmp_path.iterdir())


def test_git_may_be_missing(monkeypatch: pytest.MonkeyPatch):
    """Where git is not installed the commit is unknown, and that is no error."""
    monkeypatch.setenv("PATH", "")
    assert folders.describe_environment()["git_commit"] is None
