"""The pages of the documentation: their code runs, and their commands are understood."""

import dataclasses
import importlib
import inspect
import json
import os
import re
import runpy
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hebbax
from fake_sweep import make_sweep
from hebbax import cli
from hebbax.comparison import sweeps
from hebbax.comparison.tuning import with_values
from hebbax.encodings.base import Encoding
from hebbax.evolution import evaluation, training
from hebbax.genomes.base import Genome, GenomeSpec
from hebbax.policies.base import Policy
from hebbax.rules.base import Rule
from hebbax.strategies.base import Strategy
from hebbax.tasks.base import Task
from small_run import small_config
from small_task import Cart

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PAGE = ROOT / "docs" / "own-task.md"
PARTS = {"own-rule": "train_rules.py", "own-encoding": "train_encodings.py"}
FENCE = re.compile(
    r'^```(?P<language>\w*)(?: title="(?P<title>[\w.]+)")?\n(?P<code>.*?)^```$',
    re.MULTILINE | re.DOTALL,
)
LIMIT = 200  # s; it takes a tenth of that.


class Block(NamedTuple):
    """A block of code on a page."""

    page: str
    number: int
    language: str
    title: str | None
    code: str

    @property
    def name(self) -> str:
        return f"{self.page}-{self.number}"


BLOCKS = [
    Block(page.stem, number, block["language"], block["title"], block["code"])
    for page in PAGES
    for number, block in enumerate(FENCE.finditer(page.read_text()))
]
SNIPPETS = [
    block
    for block in BLOCKS
    if block.language == "python" and block.title is None and block.page != "design"
]


def test_every_block_is_seen():
    """No fence escapes the tests below, and no block is of a language that none of them knows.

    Without a language it is no code.
    """
    assert sum(page.read_text().count("```") for page in PAGES) == 2 * len(BLOCKS)
    assert {block.language for block in BLOCKS} == {"python", "sh", ""}


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    """The page's code, by file."""
    return {
        block.title: block.code
        for block in BLOCKS
        if block.page == PAGE.stem and block.title is not None
    }


def test_own_task_is_small(files: dict[str, str]):
    """The task and its training have under 60 lines; other code compares, or is about libraries."""
    assert list(files) == ["cart.py", "train_cart.py", "compare_carts.py"]
    blocks = PAGE.read_text().split("```")[1::2]
    about = [
        [word for word in ("Gymnax", "gymnax:", "BraxTask", "brax:", "Shapes") if word in block]
        for block in blocks
    ]
    assert about == [[], [], [], ["Gymnax"], ["gymnax:"], ["BraxTask"], ["brax:"], ["Shapes"]]
    assert sum(len(files[name].splitlines()) for name in ("cart.py", "train_cart.py")) < 60


@pytest.mark.slow
def test_own_task_learns(files: dict[str, str], tmp_path: Path):
    """The page's code runs as it stands, and fitness rises by four standard errors.

    It scores three variations, one held out.

    Mutation: a learning rate of zero fails here.
    """
    for name, code in files.items():
        (tmp_path / name).write_text(code)
    environment = os.environ | {"PYTHONWARNINGS": "error::DeprecationWarning:__main__"}
    command = [sys.executable, "train_cart.py"]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rows = done.stdout.splitlines()
    assert [row.split()[0] for row in rows] == ["light", "medium", "heavy"]
    assert [row.endswith("held out") for row in rows] == [False, False, True]

    lines = (tmp_path / "runs" / "cart" / "metrics.jsonl").read_text().splitlines()
    assert_rises([json.loads(line)["fitness_mean"] for line in lines])


def assert_rises(fitness: Sequence[float]) -> None:
    """The last five generations are better than the first five by four standard errors."""
    first, last = np.asarray(fitness[:5]), np.asarray(fitness[-5:])
    standard_error = np.sqrt(first.var(ddof=1) / 5 + last.var(ddof=1) / 5)
    assert (last.mean() - first.mean()) / standard_error > 4, (first, last)


@pytest.mark.parametrize("page", PARTS)
def test_own_parts_learn(page: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """The code of the pages about rules and encodings runs as it stands, and fitness rises.

    Mutation: a learning rate of next to nothing fails here.
    """
    own = {block.title: block.code for block in BLOCKS if block.page == page and block.title}
    for name, code in own.items():
        (tmp_path / name).write_text(code)
        monkeypatch.delitem(sys.modules, Path(name).stem, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    results = runpy.run_path(PARTS[page], run_name="__main__")["results"]
    for name in own:
        monkeypatch.delitem(sys.modules, Path(name).stem, raising=False)
    assert len(results) >= 2
    for result in results.values():
        assert_rises([metrics["fitness_mean"] for metrics in result.history])


@dataclasses.dataclass(frozen=True)
class LongCart:
    """A cart whose episodes and variation are those of the page about films."""

    max_steps: int = 302

    @property
    def variations(self) -> dict[str, Any]:
        return {"default": Cart().variations["light"], "heavy": Cart().variations["heavy"]}

    def __getattr__(self, name: str) -> Any:
        return getattr(Cart(), name)


def stand_in(patch: pytest.MonkeyPatch, place: str, act: Callable[..., Any]) -> None:
    """Replaces a public function by a smaller one that takes the same arguments."""
    module, _, name = place.rpartition(".")
    signature = inspect.signature(getattr(importlib.import_module(module), name))

    def called(*arguments: Any, **options: Any) -> Any:
        return act(**signature.bind(*arguments, **options).arguments)

    patch.setattr(place, called)


def train_little(
    config: hebbax.Config,
    run_dir: str,
    callbacks: Sequence[training.Callback] = (),
    initial: Any = None,
    distributed: bool = False,
) -> hebbax.Result:
    """Two generations of carts instead, once the page's configuration has passed its check."""
    hebbax.check(config)
    return train(small_config(generations=2), run_dir, callbacks)


def trace_only(task: hebbax.CarRacing, function: Callable[..., Any], *arguments: Any) -> Any:
    """Zeros in place of what the racer returns, of which compiling would take the most time."""
    shapes = jax.eval_shape(lambda *arguments: function(task, *arguments), *arguments)
    return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)


train, evaluate = training.train, evaluation.evaluate


@pytest.fixture
def small_world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """A folder, smaller versions of what takes long, and the names that pages take for granted."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    stand_in(monkeypatch, "hebbax.devices.use_cpu_cores", lambda **_: None)
    stand_in(monkeypatch, "hebbax.evolution.training.train", train_little)
    stand_in(
        monkeypatch,
        "hebbax.evolution.result.load_result",
        lambda run_dir: train(small_config(task=LongCart(), generations=1)),
    )
    stand_in(
        monkeypatch, "hebbax.evolution.evaluation.evaluate", lambda run, episodes: evaluate(run, 2)
    )
    stand_in(
        monkeypatch,
        "hebbax.comparison.sweeps.sweep",
        lambda methods, folder, folds="all", seeds=2, episodes=100, executor=None, archive=None: (
            sweeps._list_runs(methods, Path(folder), folds, seeds, episodes, None)
        ),
    )
    stand_in(
        monkeypatch,
        "hebbax.comparison.tuning.tune",
        lambda config, space, budget, folder: SimpleNamespace(
            config=with_values(config, dict.fromkeys(space, 0.1))
        ),
    )
    for name in ("reset", "step", "frame"):
        function = getattr(hebbax.CarRacing, name)
        monkeypatch.setattr(
            hebbax.CarRacing,
            name,
            lambda task, *given, function=function: trace_only(task, function, *given),
        )
    submitit = SimpleNamespace(
        AutoExecutor=lambda folder: SimpleNamespace(update_parameters=lambda **_: None)
    )
    methods = {
        "static": small_config(policy=hebbax.Static(hidden_sizes=())),
        "plastic": small_config(),
    }
    return {"hebbax": hebbax, "submitit": submitit, "methods": methods, **methods}


@pytest.mark.usefixtures("lenient_promotion")
@pytest.mark.parametrize("block", SNIPPETS, ids=lambda block: block.name)
def test_snippets_run(block: Block, small_world: dict[str, Any]):
    """Every block runs as it stands, with all its names and arguments.

    Trainings and sweeps are stood in for by smaller ones.

    Mutations: an option, a name or a value that does not exist, in any block; an optimiser that
    cannot take a step.
    """
    if "gymnax" in block.code.lower():
        pytest.importorskip("gymnax")
    if "VectorEnv" in block.code:
        pytest.importorskip("gymnasium")
    if "runs/sweep" in block.code:
        methods, levels = small_world["methods"], {"static": (1.0, 0.5), "plastic": (2.0, 1.5)}
        Path("runs/sweep").mkdir()
        make_sweep(Path("runs/sweep"), methods, range(2), levels)
    exec(compile(block.code, block.name, "exec"), {"__name__": block.name, **small_world})


def test_interfaces_of_the_design_are_those_of_the_code():
    """The design page lists the functions of each interface.

    Mutation: a function renamed on the page or in the code.
    """
    (listing,) = [
        block.code for block in BLOCKS if block.page == "design" and block.language == "python"
    ]
    listed = {
        found[0]: set(re.findall(r"def (\w+)\(", found[1]))
        for found in re.findall(r"class (\w+).*?:(.*?)(?=\nclass|\Z)", listing, re.DOTALL)
    }
    interfaces = (Task, Rule, Policy, Encoding, GenomeSpec, Genome, Strategy)
    assert listed == {interface.__name__: functions_of(interface) for interface in interfaces}


def functions_of(interface: type) -> set[str]:
    return {
        name
        for name, value in vars(interface).items()
        if inspect.isfunction(value) and not name.startswith("_")
    }


def commands_of(block: Block) -> list[list[str]]:
    """The commands of a block for a shell, without remarks."""
    return [
        words for line in block.code.splitlines() if (words := shlex.split(line, comments=True))
    ]


COMMANDS = sorted(
    {tuple(words) for block in BLOCKS if block.language == "sh" for words in commands_of(block)}
)


class ReachedError(Exception):
    """A command was understood, and would now begin its work."""


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_commands_are_understood(command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch):
    """Every command of the pages has the presets, arguments and options that there are.

    Nothing of it is run.

    Mutation: an option that does not exist, in any command.
    """

    def reach(**_: Any) -> None:
        raise ReachedError

    for place in (
        "evolution.doctor.examine",
        "evolution.training.train",
        "evolution.result.load_result",
        "evolution.exporting.export",
        "watching.films.film.render",
        "comparison.sweeps.sweep",
        "comparison.tuning.tune",
        "watching.report.write_report",
    ):
        stand_in(monkeypatch, f"hebbax.{place}", reach)
    stand_in(monkeypatch, "hebbax.devices.use_cpu_cores", lambda **_: None)
    stand_in(monkeypatch, "hebbax.cli.join_processes", lambda **_: None)
    stand_in(monkeypatch, "hebbax.comparison.cluster.slurm_executor", lambda **_: None)
    program, *arguments = command
    match Path(program).name:
        case "hebbax" if arguments[0] == "presets":
            cli.main(arguments)
        case "hebbax" if arguments[-1] == "--help":
            with pytest.raises(SystemExit, match="0"):
                cli.main(arguments)
        case "hebbax":
            with pytest.raises(ReachedError):
                cli.main(arguments)
        case "python" if arguments[0].endswith(".py"):
            monkeypatch.setattr(sys, "argv", arguments)
            with pytest.raises(ReachedError):
                runpy.run_path(str(ROOT / arguments[0]), run_name="__main__")
        case "make":
            assert re.search(rf"^{arguments[0]}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
        case "pip" | "python":
            assert "install" in arguments
            asked = {
                extra
                for group in re.findall(r"\[(.+?)\]", " ".join(arguments))
                for extra in group.split(",")
            }
            assert asked <= set(
                re.findall(r"^(\w+) = \[", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
            )
        case _:
            pytest.fail("this test does not know the command")
