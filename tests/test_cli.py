"""The command line: what it says, and what it exits with."""

import dataclasses
import functools
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

# Its first import closes the streams that others log to, so it must not fall into a test that
# captures them.
import submitit  # noqa: F401

import hebbax
from hebbax import cli, devices
from hebbax.evolution import doctor
from hebbax.watching.films import encode, film
from hebbax.watching.lesion import Lesion
from small_run import contents, newest_checkpoint, small_config, start_python


def small() -> hebbax.Config:
    """Carts that learn to stand."""
    return small_config(generations=2)


@pytest.fixture(autouse=True)
def small_preset(monkeypatch: pytest.MonkeyPatch) -> None:
    """A preset that is quick, and devices left as the tests have them: they are in use already."""
    presets = ModuleType("hebbax.presets")
    presets.PRESETS = {"small": small}  # pyright: ignore[reportAttributeAccessIssue]
    monkeypatch.setitem(sys.modules, "hebbax.presets", presets)
    monkeypatch.setattr(hebbax, "presets", presets, raising=False)
    monkeypatch.setattr(devices, "use_cpu_cores", lambda count: None)
    monkeypatch.setattr(devices, "use_compilation_cache", lambda: None)
    monkeypatch.setenv("COLUMNS", "140")


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What a command says on stderr that must be refused.

    Exit code 2, no trace of Python, nothing on stdout.
    """
    with pytest.raises(SystemExit) as end:
        cli.main(arguments)
    out, err = capsys.readouterr()
    assert end.value.code == 2, err
    assert out == ""
    assert "Traceback" not in err
    return " ".join(err.replace("│", " ").split())


def test_train_then_evaluate(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    """A run is trained, resumed with more generations, and scored; the folder has it all."""
    run = tmp_path / "run"
    cli.main(["train", "small", "--run-dir", str(run), "--seed", "5"])
    out, err = capsys.readouterr()
    assert "generation 2/2: fitness" in err
    assert f"2 generations in {run}; best mean fitness" in " ".join(out.split())
    assert hebbax.Config.load(run) == small_config(generations=2, seed=5)

    cli.main(["train", "small", "--run-dir", str(run), "--seed", "5", "--generations", "3"])
    assert newest_checkpoint(run) == 3
    capsys.readouterr()

    cli.main(["evaluate", str(run), "--episodes", "4", "--sample"])
    table = capsys.readouterr().out
    assert table.count("trained on") == 2
    [held_out] = [line for line in table.splitlines() if "held out" in line]
    assert "heavy" in held_out
    cli.main(["evaluate", str(run), "--episodes", "3", "--best"])
    for name, episodes, options in (
        ("evaluation-samples.json", 4, {"is_sampled": True, "is_best": False}),
        ("evaluation.json", 3, {"is_sampled": False, "is_best": True}),
    ):
        written = json.loads((run / name).read_text())
        scores = written.pop("scores")
        assert written == {"episodes": episodes, "generations": 3, **options}
        assert scores == json.loads(
            json.dumps(
                [dataclasses.asdict(score) for score in hebbax.evaluate(run, episodes, **options)]
            )
        )


def test_scores_that_cannot_be_written_are_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    """Where the folder takes no file, the table is there all the same, and the error behind it.

    Mutation: writing first prints nothing.
    """
    hebbax.train(small_config(generations=1), tmp_path)
    monkeypatch.setattr(
        Path, "replace", lambda *_: (_ for _ in ()).throw(OSError("No space left on device"))
    )
    with pytest.raises(SystemExit) as end:
        cli.main(["evaluate", str(tmp_path), "--episodes", "2"])
    out, err = capsys.readouterr()
    assert end.value.code == 2
    assert "held out" in out
    assert err == "hebbax: error: No space left on device\n"


def test_sweep(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    """Presets are compared at the size, in the folds and with the seeds that are asked for.

    The same command again does nothing.
    """
    asked = [
        "sweep",
        "small",
        "--folder",
        str(tmp_path),
        "--folds",
        "light",
        "heavy",
        "--seeds",
        "1",
        "--episodes",
        "2",
    ]
    cli.main([*asked, "--generations", "1", "--population-size", "4", "--together"])
    err = capsys.readouterr().err
    assert "[1/1] small, 2 runs together" in err
    assert "small, heavy held out, seed 0: mean return trained on" in err
    config = hebbax.Config.load(tmp_path / "runs" / "small" / "light" / "seed-0")
    assert config == small_config(
        generations=1,
        held_out="light",
        strategy=dataclasses.replace(small().strategy, population_size=4),
    )
    before = contents(tmp_path)
    cli.main([*asked, "--generations", "1", "--population-size", "4"])
    assert "2 runs in" in capsys.readouterr().err
    assert contents(tmp_path) == before
    assert (
        "with strategy.population_size = 4, but this one has strategy.population_size = 8"
        in refusal(capsys, *asked)
    )


@pytest.mark.slow
def test_experiment(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    """A script's methods and defaults, with the options of its command line.

    All methods unless some are named.
    """
    run = functools.partial(
        cli.run_experiment,
        folder=str(tmp_path / "default"),
        folds=("heavy",),
        seeds=1,
        episodes=2,
        generations=1,
    )
    rows = {"first": small, "second": small}
    monkeypatch.setattr(sys, "argv", ["script.py", "second", "--folder", str(tmp_path / "other")])
    run(rows)
    assert [path.name for path in (tmp_path / "other" / "runs").iterdir()] == ["second"]
    monkeypatch.setattr(sys, "argv", ["script.py"])
    run(rows)
    assert {path.name for path in (tmp_path / "default" / "runs").iterdir()} == {"first", "second"}
    assert f"report in {tmp_path / 'default' / 'report.html'}" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["script.py", "third"])
    with pytest.raises(SystemExit) as end:
        run(rows)
    assert end.value.code == 2
    assert "unknown method 'third'; allowed are first, second" in capsys.readouterr().err


def test_report(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    """A run's page is written and copied; a folder that is none, and a missing extra, are named."""
    run, kept = tmp_path / "run", tmp_path / "kept"
    hebbax.train(small(), run)
    cli.main(["report", str(run), "--copy-to", str(kept)])
    out = capsys.readouterr().out
    assert f"report in {run / 'report.html'}" in out
    assert f"copied 6 files to {kept}" in out
    assert (kept / "report.html").read_text() == (run / "report.html").read_text()

    assert f"{tmp_path} is neither a sweep nor a run" in refusal(capsys, "report", str(tmp_path))
    assert "films is -1, but must be 0 or more" in refusal(
        capsys, "report", str(run), "--films", "-1"
    )
    monkeypatch.delitem(sys.modules, "hebbax.watching.report", raising=False)
    monkeypatch.delitem(sys.modules, "hebbax.watching.report.page", raising=False)
    monkeypatch.setitem(sys.modules, "jinja2", None)
    assert "reports need jinja2, which is not installed: pip install 'hebbax[viz]'" in refusal(
        capsys, "report", str(run)
    )


def test_tune(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    """Fields that go together, choices and a range; the last line trains with the best."""
    cli.main(
        [
            *("tune", "small", "--folder", str(tmp_path), "--budget", "4", "--seeds", "7"),
            *("--generations", "1", "--episodes", "2", "--space"),
            "strategy.std.initial + genome.init_scale=0.05,0.1",
            "strategy.optimizer.learning_rate.initial=0.01..0.1",
        ]
    )
    out = " ".join(capsys.readouterr().out.split())
    assert "mean return trained on" in out
    found = json.loads((tmp_path / "tuning.json").read_text())
    assert len(found["trials"]) == 4
    noise, rate = found["trials"][0]["values"]
    assert out.endswith(
        f"hebbax train small --generations 1 --strategy.std.initial {noise} "
        f"--genome.init-scale {noise} --strategy.optimizer.learning-rate.initial {rate}"
    )
    for space in ("strategy.std.initial", "strategy.std.initial=a", "strategy.std.initial=2..1"):
        arguments = ("tune", "small", "--folder", str(tmp_path / "b"), "--budget", "4", "--space")
        assert "must be FIELD=CHOICE,... or FIELD=LOW..HIGH" in refusal(capsys, *arguments, space)
    assert "unknown preset 'big'" in refusal(
        capsys, "tune", "big", "--folder", str(tmp_path), "--budget", "4", "--space", "a=1"
    )


def test_time_limits_have_a_code_of_their_own(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    """124, as `timeout` has it; what was done is kept, and the same command goes on."""
    run, sweep = tmp_path / "run", tmp_path / "sweep"
    for arguments, words in (
        (
            ["train", "small", "--run-dir", str(run), "--generations", "1000000"],
            f"the same command resumes {run}",
        ),
        (["sweep", "small", "--folder", str(sweep)], "the same command goes on"),
    ):
        with pytest.raises(SystemExit) as end:
            cli.main([*arguments, "--time-limit", "0.00001"])
        assert end.value.code == 124
        err = capsys.readouterr().err
        assert "the time is over" in err
        assert words in err
    assert newest_checkpoint(run) >= 1
    assert "time_limit is 0.0, but must be above 0" in refusal(
        capsys, "train", "small", "--run-dir", str(run), "--time-limit", "0"
    )


def test_doctor(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    """What is here, films included, and exit code 1 with a line for each fault.

    Mutations: exit code 0; the extra in brackets read as a style and left out.
    """
    faults: list[str] = []
    monkeypatch.setattr(doctor, "examine", lambda: doctor.Diagnosis({"jax": "0.0.1"}, faults))
    cli.main(["doctor"])
    out = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "jax 0.0.1" in out
    assert "films mp4 and gif" in out
    assert out.endswith("Nothing is wrong.")

    faults.append("six is missing: pip install 'hebbax[gymnax]'")
    monkeypatch.setattr(encode, "write_film", lambda *_: (_ for _ in ()).throw(OSError("no space")))
    with pytest.raises(SystemExit) as end:
        cli.main(["doctor"])
    assert end.value.code == 1
    out = capsys.readouterr().out
    assert out.endswith(
        "- six is missing: pip install 'hebbax[gymnax]'\n"
        "- films in the format mp4 cannot be written: no space\n"
        "- films in the format gif cannot be written: no space\n"
    )


def test_doctor_without_films(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    """They are an extra: without it nothing is wrong."""
    monkeypatch.setattr(doctor, "examine", lambda: doctor.Diagnosis({}, []))
    monkeypatch.delitem(sys.modules, "hebbax.watching.films.encode", raising=False)
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    cli.main(["doctor"])
    out = capsys.readouterr().out
    assert "none, imageio_ffmpeg is not installed: pip install 'hebbax[viz]'" in out


def test_metrics_go_to_tensorboard_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    """In a folder of the run's; a logger whose package is missing is refused before the run."""
    arguments = ["train", "small", "--generations", "1", "--run-dir"]
    cli.main([*arguments, str(tmp_path / "run"), "--log", "tensorboard"])
    assert len(list((tmp_path / "run" / "tensorboard").iterdir())) == 1
    capsys.readouterr()
    monkeypatch.setitem(sys.modules, "wandb", None)
    assert "which is not installed: pip install 'hebbax[wandb]'" in refusal(
        capsys, *arguments, str(tmp_path / "other"), "--log", "wandb"
    )
    assert not (tmp_path / "other").exists()


def test_presets_are_listed(capsys: pytest.CaptureFixture[str]):
    """Each with what it is."""
    cli.main(["presets"])
    out = capsys.readouterr().out
    assert "small" in out
    assert "Carts that learn to stand." in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["--help"],
            [
                "hebbax train PRESET",
                "hebbax evaluate RUN",
                "hebbax sweep PRESET...",
                "hebbax tune PRESET",
                "hebbax render RUN",
                "hebbax presets",
            ],
        ),
        (["train", "--help"], ["hebbax train PRESET [OPTIONS]", "presets: small"]),
        (
            ["sweep", "--help"],
            [
                "METHOD ...",
                "What to compare",
                "--folder PATH",
                "--folds",
                "(default: all)",
                "--together",
                "--slurm",
                "--cores",
            ],
        ),
        (
            ["evaluate", "--help"],
            ["Folder of the run.", "--episodes INT", "Episodes in each variation. (default: 100)"],
        ),
        (
            ["train", "small", "--help"],
            [
                *(
                    "--run-dir PATH",
                    "--cores",
                    "--generations INT",
                    "Generations in all",
                    "(default: 2)",
                    "--held-out",
                ),
                *(
                    "--task.max-steps INT",
                    "--policy.hidden-sizes",
                    "Neurons in each hidden layer. (default: 3)",
                ),
                *(
                    "--strategy.population-size INT",
                    "--strategy.std.initial FLOAT",
                    "--strategy.optimizer.learning-rate.decay FLOAT",
                ),
            ],
        ),
    ],
)
def test_help_is_readable(
    capsys: pytest.CaptureFixture[str], arguments: list[str], words: list[str]
):
    """Help goes to stdout and names each option as it is typed.

    With what it is, and what it is if not given.
    """
    if arguments == ["train", "--help"]:
        cli.main(arguments)
    else:
        with pytest.raises(SystemExit) as end:
            cli.main(arguments)
        assert end.value.code == 0
    out = " ".join(capsys.readouterr().out.replace("│", " ").split())
    for word in words:
        assert word in out
    assert "config." not in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ""),
        (
            ["fly"],
            "unknown command 'fly'; allowed are train, evaluate, sweep, tune, render, report, "
            "export, doctor, presets",
        ),
        (["presets", "all"], "Unrecognized options: all"),
        (["train"], "no preset given; allowed are small"),
        (["train", "large"], "unknown preset 'large'; allowed are small"),
        (["train", "small", "--colour", "red"], "Unrecognized options: --colour"),
        (
            ["train", "small", "--generations", "many"],
            "invalid literal for int() with base 10: 'many'",
        ),
        (["train", "small", "--generations", "0"], "generations is 0, but must be 1 or more"),
        (
            ["train", "small", "--held-out", "huge"],
            "held_out is 'huge', but must be None or one of the task's variations: light, medium, "
            "heavy",
        ),
        (
            ["train", "small", "--strategy.population-size", "7"],
            "strategy.population_size is 7, but must be even",
        ),
        (
            ["train", "small", "--strategy.population-size", "1"],
            "strategy.population_size is 1, but must be 2 or more",
        ),
        (
            ["train", "small", "--strategy.std.initial", "-1"],
            "config.strategy.std: Schedule.initial is -1.0, but must be above 0",
        ),
        (
            ["train", "small", "--policy.hidden-sizes", "0"],
            "policy.hidden_sizes is (0,), but must be a tuple of whole numbers, each 1 neuron or "
            "more",
        ),
        (["train", "small", "--strategy.common-random-numbers", "some"], "nobody"),
        (["train", "small", "--cores", "0"], "cores is 0, but must be 1 or more"),
        (["train", "small", "--cores", "two"], "invalid literal for int() with base 10: 'two'"),
        (["evaluate"], "--help"),
        (["evaluate", "nowhere"], "nowhere is no run: it has no config.json"),
        (["evaluate", "nowhere", "--episodes", "x"], "invalid literal for int() with base 10: 'x'"),
        (["evaluate", "nowhere", "--cores", "-2"], "cores is -2, but must be 1 or more"),
        (["render", "nowhere"], "--variation"),
        (["render", "nowhere", "--variation", "light"], "nowhere is no run: it has no config.json"),
        (["render", "nowhere", "--variation", "light", "--format", "avi"], "mp4"),
        (
            ["render", "nowhere", "--variation", "light", "--lesion-layer", "1"],
            "a lesion needs both --lesion-layer and --lesion-step, but only one is given",
        ),
        (
            [
                "render",
                "nowhere",
                "--variation",
                "light",
                "--lesion-layer",
                "-1",
                "--lesion-step",
                "0",
            ],
            "lesion.layer is -1, but must be 0 or more",
        ),
        (["sweep", "--folder", "f"], "no preset given; allowed are small"),
        (["sweep", "small"], "--folder"),
        (["sweep", "large", "--folder", "f"], "unknown method 'large'; allowed are small"),
        (
            ["sweep", "small", "--folder", "f", "--folds", "huge"],
            "folds is ('huge',), but must be 'all', 'none' or some of",
        ),
        (
            ["sweep", "small", "--folder", "f", "--seeds", "0"],
            "seeds 0, but there must be one of each or more",
        ),
        (
            ["sweep", "small", "--folder", "f", "--generations", "0"],
            "generations is 0, but must be 1 or more",
        ),
        (
            ["sweep", "small", "--folder", "f", "--population-size", "3"],
            "strategy.population_size is 3, but must be even",
        ),
        (
            ["sweep", "small", "--folder", "f", "--slurm", "gpu"],
            "slurm is 'gpu', but this machine is no part of a SLURM cluster",
        ),
    ],
)
def test_mistakes_are_refused(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    arguments: list[str],
    words: str,
):
    """What cannot be done is said on stderr, with exit code 2; nothing is written."""
    monkeypatch.chdir(tmp_path)
    assert words in refusal(capsys, *arguments)
    assert contents(tmp_path) == {}


def test_render_films_a_run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    """Options arrive where they belong, and the file is named.

    A task that cannot be drawn is refused.
    """
    run = tmp_path / "run"
    cli.main(["train", "small", "--run-dir", str(run), "--generations", "1"])
    capsys.readouterr()
    assert "the run's task is Cart, which hebbax cannot draw" in refusal(
        capsys, "render", str(run), "--variation", "light"
    )
    assert "variation is 'feather', but must be one of the task's: light" in refusal(
        capsys, "render", str(run), "--variation", "feather"
    )

    given = []
    monkeypatch.setattr(
        film,
        "render",
        lambda *arguments, **options: given.append((arguments, options)) or tmp_path / "a.gif",
    )
    lesion = ["--lesion-layer", "1", "--lesion-step", "20"]
    cli.main(
        [
            "render",
            str(run),
            "--variation",
            "light",
            "--format",
            "gif",
            "--steps",
            "30",
            *lesion,
            "--sample",
            "--seed",
            "4",
        ]
    )
    assert capsys.readouterr().out == f"filmed light in {tmp_path / 'a.gif'}\n"
    options = {
        "format": "gif",
        "num_steps": 30,
        "lesion": Lesion(1, 20),
        "is_sampled": True,
        "seed": 4,
        "trust": (),
    }
    assert given == [((run, "light", None), options)]


def test_usage_answers_no_command(capsys: pytest.CaptureFixture[str]):
    """Without a command there is the usage, and exit code 2."""
    with pytest.raises(SystemExit) as end:
        cli.main([])
    assert end.value.code == 2
    assert "hebbax train PRESET" in capsys.readouterr().err


def test_other_runs_folder_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    """Another run's folder, and a file in place of a folder, are refused and left alone."""
    run = tmp_path / "run"
    cli.main(["train", "small", "--run-dir", str(run), "--generations", "1"])
    capsys.readouterr()
    before = contents(tmp_path)
    assert "with seed = 0, but this one has seed = 1" in refusal(
        capsys, "train", "small", "--run-dir", str(run), "--seed", "1"
    )
    assert "Not a directory" in refusal(
        capsys, "train", "small", "--run-dir", str(run / "config.json")
    )
    assert "is no run" in refusal(capsys, "evaluate", str(run / "config.json"))
    assert contents(tmp_path) == before


QUADRUPED = """
import sys
from hebbax import cli, presets
from hebbax.evolution import training
def train(config, run_dir, callbacks):
    print(len(__import__("jax").devices()), config.held_out)
    sys.exit(0)
training.train = train
cli.main(["train", "quadruped-demo", "--cores", "3", "--held-out", "default"])
"""


@pytest.mark.slow
def test_cores_are_settled_before_jax_starts():
    """The number of devices is the one asked for.

    Though a preset's bodies are arrays, which start JAX.

    Mutation: reading --cores together with the other options ends in JAX's error that it has been
    started.
    """
    process = start_python(QUADRUPED)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert out.splitlines()[-1] == "3 default"


def test_environments_of_other_libraries_are_read(monkeypatch: pytest.MonkeyPatch):
    """Fields of one thing alone, of options, and several of them, are told apart by their marks.

    Mutation: a name that ends at the last colon.
    """
    arguments = (
        "--vary",
        "heavy:body_mass:torso=2,opt.gravity=0.5",
        "--policy",
        "static",
        "--rest",
    )
    monkeypatch.delitem(sys.modules, "hebbax.presets")
    changes = {"heavy": {"body_mass:torso": 2.0, "opt.gravity": 0.5}}
    for library, task in (
        ("brax", hebbax.tasks.BraxTask("hopper", changes)),
        ("playground", hebbax.tasks.PlaygroundTask("hopper", changes)),
    ):
        name, config, rest = cli._config_of_task(["--task", f"{library}:hopper", *arguments])
        assert (name, config.task, rest) == ("hopper", task, ["--rest"])


def test_a_gymnax_environment_is_trained_without_a_file(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """`--task` and `--vary` make the task, and other options change the configuration.

    Mutations: the variation of one `--vary` alone; options that are lost.
    """
    pytest.importorskip("gymnax")
    monkeypatch.delitem(sys.modules, "hebbax.presets")
    run = tmp_path / "run"
    cli.main(
        [
            *("train", "--task", "gymnax:CartPole-v1", "--policy", "static"),
            *("--vary", "heavy:masspole=0.5,length=0.25", "--vary", "far:x_threshold=3"),
            *("--generations", "1", "--strategy.population-size", "4", "--held-out", "far"),
            *("--run-dir", str(run)),
        ]
    )
    capsys.readouterr()
    config = hebbax.Config.load(run)
    assert list(config.task.variations) == ["default", "heavy", "far"]
    assert float(config.task.variations["heavy"]["length"]) == 0.25
    assert (config.held_out, config.policy) == ("far", hebbax.Static((16,)))
    for arguments, words in (
        (("--task", "CartPole-v1"), "task is 'CartPole-v1', but must be gymnax:NAME"),
        (
            ("--task", "gymnax:CartPole-v1", "--policy", "mlp"),
            "must be one of hebbian, static, lstm",
        ),
        (("--task", "gymnax:CartPole-v1", "--vary", "heavy"), "must be NAME:FIELD=NUMBER"),
        (("--task", "gymnax:Cart"), "must be one of gymnax's: CartPole-v1"),
    ):
        assert words in refusal(capsys, "train", *arguments, "--run-dir", str(tmp_path / "no"))
    assert not (tmp_path / "no").exists()
