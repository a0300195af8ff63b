"""A comparison: every run is made once, whatever interrupts it, and nothing is made twice."""

import contextlib
import dataclasses
import json
import os
import random
import re
import signal
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import submitit

import hebbax
from hebbax.comparison import sweeps
from hebbax.comparison.results import Run, read_sweep
from hebbax.evolution.run_dir import read_metrics
from hebbax.evolution.training import DivergedError
from hebbax.watching.report import write_report
from small_run import (
    DIVERGING,
    contents,
    exploding,
    newest_checkpoint,
    small_config,
    start_python,
    without_clock,
)

LIMIT = 120  # s, for one process; it takes a few.
TWO_FOLDS = ("light", "heavy")

SWEEP = """
import sys
import hebbax
hebbax.use_cpu_cores(2)
from small_run import small_config
hebbax.sweep({"plastic": small_config(generations=40)}, sys.argv[1], ["heavy"], 2, 2)
"""


def methods(**changes: Any) -> dict[str, hebbax.Config]:
    """Two rows."""
    return {
        "plastic": small_config(generations=2, **changes),
        "static": small_config(generations=2, policy=hebbax.Static((3,)), **changes),
    }


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep of two methods, two folds and one seed."""
    folder = tmp_path_factory.mktemp("sweeps") / "sweep"
    hebbax.sweep(methods(), folder, TWO_FOLDS, 1, 3)
    return folder


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[list[Path]]:
    """The folders that are trained in, call by call."""
    calls: list[list[Path]] = []
    train_together = sweeps.train_together

    def note(runs: Any, **options: Any) -> Any:
        calls.append([folder for _, folder in runs])
        return train_together(runs, **options)

    monkeypatch.setattr(sweeps, "train_together", note)
    return calls


def test_folder_holds_every_run(finished: Path):
    """The list of runs, and in each run's folder its run with both kinds of scores."""
    found = json.loads((finished / "sweep.json").read_text())
    assert (found["format"], found["episodes"]) == (1, 3)
    assert found["runs"][1] == {
        "method": "plastic",
        "fold": "heavy",
        "seed": 0,
        "path": "runs/plastic/heavy/seed-0",
    }
    assert [(run["method"], run["fold"], run["seed"]) for run in found["runs"]] == [
        (method, fold, 0) for method in ("plastic", "static") for fold in TWO_FOLDS
    ]
    for run in found["runs"]:
        folder = finished / run["path"]
        assert hebbax.Config.load(folder) == dataclasses.replace(
            methods()[run["method"]], held_out=run["fold"], seed=0
        )
        for name, is_sampled in (("evaluation.json", False), ("evaluation-samples.json", True)):
            written = json.loads((folder / name).read_text())
            scores = written.pop("scores")
            assert written == {
                "episodes": 3,
                "is_sampled": is_sampled,
                "is_best": False,
                "generations": 2,
            }
            assert scores == json.loads(
                json.dumps(
                    [
                        dataclasses.asdict(score)
                        for score in hebbax.evaluate(folder, 3, is_sampled=is_sampled)
                    ]
                )
            )
    alone = hebbax.train(dataclasses.replace(methods()["plastic"], held_out="light"))
    assert without_clock(read_metrics(finished / "runs/plastic/light/seed-0")) == without_clock(
        alone.history
    )


def test_finished_sweep_is_left_alone(
    finished: Path, trained: list[list[Path]], capsys: pytest.CaptureFixture[str]
):
    """The same call again trains nothing, writes nothing new, and says so; it returns the runs.

    Mutation: a run that is always evaluated anew changes its folder.
    """
    before = contents(finished)
    runs = hebbax.sweep(methods(), finished, TWO_FOLDS, 1, 3)
    assert runs[0] == Run("plastic", "light", 0, finished / "runs/plastic/light/seed-0")
    assert len(runs) == 4
    assert trained == []
    assert contents(finished) == before
    assert capsys.readouterr().err == f"4 runs in {finished}, 4 of them done\n"


@pytest.mark.slow
def test_sweep_grows(tmp_path: Path, trained: list[list[Path]]):
    """Methods, folds, seeds and generations can be added, and only what is missing is made.

    The list keeps what is no longer asked for.

    Mutation: scores that do not say after how many generations they were made count for the longer
    run too.
    """
    plastic = {"plastic": methods()["plastic"]}
    hebbax.sweep(plastic, tmp_path, ["light"], 1, 2)
    hebbax.sweep(methods(), tmp_path, ["light"], 1, 2)
    hebbax.sweep(plastic, tmp_path, ["heavy"], [1], 2)
    assert [str(folder.relative_to(tmp_path)) for [folder] in trained] == [
        *("runs/plastic/light/seed-0", "runs/static/light/seed-0", "runs/plastic/heavy/seed-1")
    ]
    assert [run.path for run in read_sweep(tmp_path)["runs"]] == [folder for [folder] in trained]

    longer = {"plastic": dataclasses.replace(plastic["plastic"], generations=3)}
    hebbax.sweep(longer, tmp_path, ["light"], 1, 2)
    assert newest_checkpoint(tmp_path / "runs/plastic/light/seed-0") == 3
    assert (
        json.loads((tmp_path / "runs/plastic/light/seed-0/evaluation.json").read_text())[
            "generations"
        ]
        == 3
    )
    assert len(read_sweep(tmp_path)["runs"]) == 3


def test_missing_scores_are_made_without_training(finished: Path, tmp_path: Path):
    """A run whose scores were lost or replaced is scored again and keeps its metrics."""
    hebbax.sweep({"plastic": methods()["plastic"]}, tmp_path, ["light"], 1, 3)
    run = tmp_path / "runs/plastic/light/seed-0"
    before = contents(run)
    (run / "evaluation.json").unlink()
    (run / "evaluation-samples.json").write_text(
        json.dumps({"episodes": 3, "is_sampled": True, "is_best": True, "generations": 2})
    )
    hebbax.sweep({"plastic": methods()["plastic"]}, tmp_path, ["light"], 1, 3)
    for name in ("evaluation.json", "evaluation-samples.json", "metrics.jsonl"):
        assert contents(run)[name] == before[name]
        assert (
            before[name] == contents(finished / "runs/plastic/light/seed-0")[name]
            or name == "metrics.jsonl"
        )


@pytest.mark.parametrize("together", [pytest.param(False, marks=pytest.mark.slow), True])
def test_together_is_one_call_for_each_method(
    tmp_path: Path, trained: list[list[Path]], together: bool
):
    """All folds and seeds of a method are trained at once, or each by itself.

    The files are the same.
    """
    hebbax.sweep({"plastic": methods()["plastic"]}, tmp_path, TWO_FOLDS, 2, 2, together=together)
    assert [len(call) for call in trained] == ([4] if together else [1] * 4)
    assert all(
        (run.path / "evaluation-samples.json").exists() for run in read_sweep(tmp_path)["runs"]
    )


def test_methods_that_differ_in_numbers_go_together(tmp_path: Path, trained: list[list[Path]]):
    """They share a program, also where another method stands between them.

    Mutation: groups of neighbours.
    """
    plastic, static = methods().values()
    different = {"a": plastic, "b": static, "c": dataclasses.replace(plastic, penalty=0.5)}
    hebbax.sweep(different, tmp_path, ["heavy"], 1, 2, together=True)
    called = [[folder.parts[-3] for folder in call] for call in trained]
    assert called == [["a", "c"], ["b"]]


def test_methods_that_do_not_fit_together_go_one_by_one(
    tmp_path: Path, trained: list[list[Path]], monkeypatch: pytest.MonkeyPatch
):
    """Two runs of a method fit into the memory, four of both do not. Mutation: a refusal."""

    def check_memory(config: Any, num_runs: int) -> None:
        if num_runs > 2:
            raise ValueError("too many")

    monkeypatch.setattr(sweeps, "check", check_memory)
    plastic = methods()["plastic"]
    different = {"a": plastic, "b": dataclasses.replace(plastic, penalty=0.5)}
    hebbax.sweep(different, tmp_path, ["heavy"], 2, 2, together=True)
    assert [[folder.parts[-3] for folder in call] for call in trained] == [["a"] * 2, ["b"] * 2]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda call: call | {"methods": methods(penalty=0.5)},
            "with penalty = 0.0, but this one has penalty = 0.5",
        ),
        (
            lambda call: (
                call
                | {
                    "methods": methods(strategy=hebbax.ScoreFunction(population_size=4)),
                    "folds": ["medium"],
                }
            ),
            "with strategy.population_size = 8, but this one has strategy.population_size = 4",
        ),
        (lambda call: call | {"episodes": 4}, "episodes is 4, but the sweep in .* has 3"),
        (lambda call: call | {"episodes": 1}, "episodes is 1, but must be 2 or more"),
        (
            lambda call: call | {"folds": ["huge"]},
            r"folds is \('huge',\), but must be 'all', 'none' or some of light, medium, heavy",
        ),
        (
            lambda call: call | {"folds": []},
            r"folds \[\] .*, but there must be one of each or more",
        ),
        (lambda call: call | {"seeds": 0}, "seeds 0, but there must be one of each or more"),
        (
            lambda call: call | {"methods": {"../up": small_config()}},
            "the name of a method is '../up', but must be a text that can name a folder",
        ),
    ],
)
def test_other_sweeps_are_refused(
    finished: Path, change: Callable[[dict[str, Any]], dict[str, Any]], words: str
):
    """What cannot be added to a folder is named, and the folder stays as it is.

    Mutation: comparing only the runs that are asked for accepts another population in a fold of its
    own.
    """
    before = contents(finished)
    call = change({"methods": methods(), "folds": TWO_FOLDS, "seeds": 1, "episodes": 3})
    with pytest.raises(ValueError, match=words):
        hebbax.sweep(folder=finished, **call)
    assert contents(finished) == before


def test_foreign_folders_are_refused(tmp_path: Path):
    """A folder of something else is left alone, and so is an unreadable list of runs."""
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(ValueError, match="holds something but no sweep"):
        hebbax.sweep(methods(), tmp_path)
    (tmp_path / "sweep.json").write_text('{"format": 9}')
    with pytest.raises(
        ValueError,
        match=r"sweep\.json cannot be read: it has format 9, but this version of hebbax reads "
        r"format 1",
    ):
        hebbax.sweep(methods(), tmp_path)
    assert set(contents(tmp_path)) == {"thesis.tex", "sweep.json"}
    with pytest.raises(ValueError, match=r"is no sweep: it has no sweep\.json"):
        read_sweep(tmp_path / "nowhere")


def test_run_at_work_is_not_touched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """While one sweep trains a run, a second one on the same folder is refused.

    Neither is disturbed.

    Mutation: without the lock both write into the run's folder.
    """
    errors = []

    def sweep_again(generations: int) -> Any:
        del generations

        def callback(*_: Any) -> None:
            with pytest.raises(
                ValueError,
                match="seed-0 is being worked on by another thread of this process, "
                f"{os.getpid()};",
            ) as error:
                sweep()
            errors.append(error)

        return contextlib.nullcontext([callback])

    def sweep() -> None:
        hebbax.sweep({"plastic": methods()["plastic"]}, tmp_path, ["light"], 1, 2)

    monkeypatch.setattr(sweeps, "progress_bar", sweep_again)
    sweep()
    assert len(errors) == 2
    assert newest_checkpoint(tmp_path / "runs/plastic/light/seed-0") == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"path": "/tmp/elsewhere"},
        {"path": "../elsewhere"},
        {"method": "../up"},
        {"fold": "a/b"},
        {"seed": -1},
        {"seed": 1.5},
    ],
)
def test_list_that_leads_out_of_the_folder_is_refused(tmp_path: Path, changes: dict[str, Any]):
    """A list of runs from somebody else names no files outside of its folder, for whoever reads it.

    Mutation: paths that are taken as they are.
    """
    run = {
        "method": "plastic",
        "fold": "heavy",
        "seed": 0,
        "path": "runs/plastic/heavy/seed-0",
    } | changes
    (tmp_path / "sweep.json").write_text(json.dumps({"format": 1, "episodes": 2, "runs": [run]}))
    before = contents(tmp_path)
    [(field, value)] = changes.items()
    for use in (
        read_sweep,
        write_report,
        lambda folder: hebbax.sweep(methods(), folder, ["light"], 1, 2),
    ):
        with pytest.raises(
            ValueError, match=rf"sweep\.json cannot be read: .*{field}.* {re.escape(repr(value))}"
        ):
            use(tmp_path)
    assert contents(tmp_path) == before


def test_scores_that_cannot_be_written_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """A run's scores are said before they are written.

    Mutation: the other way round they are lost.
    """

    def fail(*_: Any, **__: Any) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(sweeps, "save_scores", fail)
    with pytest.raises(OSError, match="the disk is full"):
        hebbax.sweep({"plastic": methods()["plastic"]}, tmp_path, ["light"], 1, 2)
    assert "plastic, light held out, seed 0: mean return trained on" in capsys.readouterr().err


@pytest.mark.slow
def test_killed_sweep_goes_on(tmp_path: Path):
    """Killed again and again, a sweep ends with the numbers of an undisturbed one.

    It loses at most an interval of checkpoints and repeats no finished run.
    """
    kills = random.Random(1)
    runs = [tmp_path / f"runs/plastic/heavy/seed-{seed}" for seed in range(2)]
    for _ in range(4):
        before = [newest_checkpoint(run) for run in runs]
        scored = {run: contents(run) for run in runs if (run / "evaluation-samples.json").exists()}
        process = start_python(SWEEP, tmp_path)
        deadline = time.monotonic() + LIMIT
        while (
            [newest_checkpoint(run) for run in runs] == before
            and process.poll() is None
            and time.monotonic() < deadline
        ):
            time.sleep(0.01)
        time.sleep(kills.uniform(0.0, 0.5))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        for run in runs:
            assert len(read_metrics(run)) <= newest_checkpoint(run) + 2
        assert {run: contents(run) for run in scored} == scored
    config = small_config(generations=40)
    hebbax.sweep({"plastic": config}, tmp_path, ["heavy"], 2, 2)
    for seed, run in enumerate(runs):
        alone = hebbax.train(dataclasses.replace(config, seed=seed))
        assert without_clock(read_metrics(run)) == without_clock(alone.history)


def test_interrupt_ends_the_sweep_with_a_checkpoint(tmp_path: Path):
    """Ctrl-C ends the run at work after its generation and raises, and later runs are not begun."""
    script = SWEEP.replace("generations=40", "generations=100_000, checkpoint_every=100_000")
    process = start_python(script, tmp_path)
    run = tmp_path / "runs/plastic/heavy/seed-0"
    deadline = time.monotonic() + LIMIT
    while not read_metrics(run) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=LIMIT)
    assert said.rstrip().endswith("KeyboardInterrupt"), said
    assert newest_checkpoint(run) == len(read_metrics(run)) > 0
    assert not (run / "evaluation.json").exists()
    assert not (tmp_path / "runs/plastic/heavy/seed-1").exists()


@pytest.mark.slow
def test_jobs_run_through_submitit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """Each missing run is a job of its own; the folder is as if this process had made it."""
    monkeypatch.setenv(
        "PYTHONPATH", ":".join([str(Path(__file__).parent), str(Path(hebbax.__file__).parents[1])])
    )
    monkeypatch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    executor = submitit.LocalExecutor(tmp_path / "jobs")
    hebbax.sweep(
        {"plastic": methods()["plastic"]}, tmp_path / "sweep", TWO_FOLDS, 1, 2, executor=executor
    )
    said = capsys.readouterr().err
    assert "[2/2] plastic, heavy held out, seed 0: done" in said
    for fold in TWO_FOLDS:
        run = tmp_path / f"sweep/runs/plastic/{fold}/seed-0"
        assert newest_checkpoint(run) == 2
        assert (run / "evaluation-samples.json").exists()


@pytest.mark.parametrize("together", [False, True])
def test_runs_that_diverge_do_not_keep_the_others_waiting(tmp_path: Path, together: bool):
    """Of two runs the first diverges, also when they are asked for again.

    The other is trained and scored. Mutation: an error ends the sweep.
    """
    for _ in range(2):
        with pytest.raises(DivergedError, match="the run with seed "):
            hebbax.sweep(
                {"plastic": exploding(bound=0.0)},
                tmp_path,
                ["heavy"],
                DIVERGING,
                2,
                together=together,
            )
        runs = [tmp_path / f"runs/plastic/heavy/seed-{seed}" for seed in DIVERGING]
        assert [newest_checkpoint(run) for run in runs] == [3, 4]
        assert [(run / "evaluation-samples.json").exists() for run in runs] == [False, True]


def test_jobs_of_a_cluster_hear_termination(monkeypatch: pytest.MonkeyPatch):
    """A job's training keeps its last whole generation at SIGTERM.

    submitit would have it pass over.

    Mutation: submitit's handler, if it stays in force, is one that a training leaves alone.
    """
    handlers = []
    monkeypatch.setenv("SUBMITIT_EXECUTOR", "slurm")
    monkeypatch.setattr(sweeps.devices, "use_compilation_cache", lambda: None)
    monkeypatch.setattr(
        sweeps, "_work", lambda group: handlers.append(signal.getsignal(signal.SIGTERM))
    )
    before = signal.signal(signal.SIGTERM, lambda number, frame: None)
    sweeps._Job()([])
    signal.signal(signal.SIGTERM, before)
    assert handlers == [signal.SIG_DFL]


def test_failed_jobs_are_told_when_the_others_are_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """One job's error ends neither the others nor in silence.

    Any object that takes calls is an executor.
    """
    evaluate = sweeps.evaluate

    def fail_for_light(result: Any, *arguments: Any, **options: Any) -> Any:
        if result.config.held_out == "light":
            raise OSError("the disk is full")
        return evaluate(result, *arguments, **options)

    monkeypatch.setattr(sweeps, "evaluate", fail_for_light)
    monkeypatch.setattr(sweeps.devices, "use_compilation_cache", lambda: None)

    class OneByOne:
        def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
            with ThreadPoolExecutor(1) as pool:
                return pool.submit(function, *arguments)

    with pytest.raises(
        ChildProcessError,
        match=r"1 of 2 jobs failed; .* plastic, light held out, seed 0: the disk is full",
    ):
        hebbax.sweep(
            {"plastic": methods()["plastic"]}, tmp_path, TWO_FOLDS, 1, 2, executor=OneByOne()
        )
    assert (tmp_path / "runs/plastic/heavy/seed-0/evaluation.json").exists()
