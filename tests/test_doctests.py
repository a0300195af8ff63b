"""The examples in docstrings run, and every public function has one."""

import contextlib
import doctest
import importlib
import inspect
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import hebbax
from hebbax import statistics, testing
from hebbax.evolution import programs

FLAGS = ("ELLIPSIS", "NORMALIZE_WHITESPACE")
EXTRAS = {"gymnasium", "gymnax", "imageio", "jinja2", "markupsafe", "matplotlib", "six", "submitit"}
# What has to come before JAX is used runs in a process of its own.
FIRST = {"hebbax.devices.use_cpu_cores"}
# Examples of what needs a cluster, or a film's physics.
SKIPPING = {"hebbax.comparison.cluster.slurm_executor", "hebbax.watching.films.film.render"}
# What does not run yet, with the reason.
NAMESPACES = (
    "hebbax",
    "hebbax.comparison",
    "hebbax.comparison.results",
    "hebbax.encodings",
    "hebbax.evolution",
    "hebbax.genomes",
    "hebbax.policies",
    "hebbax.rules",
    "hebbax.strategies",
    "hebbax.tasks",
    "hebbax.watching",
)
# Beside the namespaces' names.
OTHERS = (
    "hebbax.comparison.cluster.slurm_executor",
    "hebbax.watching.visualization.curves.draw_learning_curves",
    "hebbax.watching.visualization.matrix.draw_generalisation_matrix",
    "hebbax.watching.visualization.rho.draw_fitness_over_rho",
    "hebbax.watching.visualization.rules.rule_of",
    "hebbax.watching.visualization.style.save",
)


def installed(load: Callable[..., Any], *arguments: Any) -> Any:
    """What a function loads, or None where it needs an extra that is not installed."""
    try:
        return load(*arguments)
    except ModuleNotFoundError as error:
        # Our own errors come from those that name the module.
        missing = error.__cause__ if error.name is None else error
        if getattr(missing, "name", None) not in EXTRAS:
            raise
        return None


def is_function(value: Any) -> bool:
    return not inspect.isclass(value) and inspect.isfunction(inspect.unwrap(value))


def find_examples() -> dict[str, doctest.DocTest]:
    """All examples of hebbax by name; only modules that have some are imported."""
    root = Path(hebbax.__file__).parent
    found = []
    for file in sorted(root.rglob("*.py")):
        if ">>>" in file.read_text():
            path = ".".join(file.relative_to(root.parent).with_suffix("").parts)
            module = installed(importlib.import_module, path.removesuffix(".__init__"))
            found += [] if module is None else doctest.DocTestFinder().find(module, globs={})
    # Sweeps come last: they share programs with each other, and none with single runs.
    found.sort(key=lambda test: "sweep(" in (test.docstring or ""))
    return {test.name: test for test in found if test.examples}


def failures_of(test: doctest.DocTest) -> str:
    """What is wrong with examples, in words; empty where they do what they say."""
    lines: list[str] = []
    runner = doctest.DocTestRunner(
        optionflags=sum(doctest.OPTIONFLAGS_BY_NAME[flag] for flag in FLAGS)
    )
    return "".join(lines) if runner.run(test, out=lines.append).failed else ""


def failures_in_new_process(test: doctest.DocTest, folder: Path) -> str:
    """As `failures_of`, in a process that has not used JAX."""
    file = folder / "examples.txt"
    file.write_text(test.docstring or "")
    command = [sys.executable, "-m", "doctest", *(f"-o{flag}" for flag in FLAGS), str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr if done.returncode else ""


EXAMPLES = find_examples()


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_run(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
):
    monkeypatch.chdir(tmp_path)
    # A sweep takes up the programs of the sweep before it.
    monkeypatch.setattr(programs, "shared", contextlib.nullcontext)
    test = EXAMPLES[name]
    failures = failures_in_new_process(test, tmp_path) if name in FIRST else failures_of(test)
    assert not failures, failures


def public_functions() -> dict[str, Callable[..., Any]]:
    """Every public function by its name, but for those whose extra is not installed."""
    paths = list(OTHERS)
    for namespace in NAMESPACES:
        names = importlib.import_module(namespace).__all__
        paths += [f"{namespace}.{name}" for name in names]
    for module in (statistics, testing):
        paths += [
            f"{module.__name__}.{name}"
            for name, value in vars(module).items()
            if not name.startswith("_") and getattr(value, "__module__", "") == module.__name__
        ]
    values = {path: installed(value_at, path) for path in paths}
    return {path: value for path, value in values.items() if is_function(value)}


def value_at(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def without_example(functions: dict[str, Callable[..., Any]]) -> list[str]:
    """The names of the functions whose docstring has no example."""
    parser = doctest.DocTestParser()
    return [
        name for name, value in functions.items() if not parser.get_examples(value.__doc__ or "")
    ]


def test_every_public_function_has_an_example():
    functions = public_functions()
    assert {"hebbax.train", "hebbax.statistics.mean", "hebbax.testing.check_task"} <= set(functions)
    assert not without_example(functions)


def test_function_without_example_is_named():
    assert without_example({"a.bare": is_function, "hebbax.train": hebbax.train}) == ["a.bare"]


def test_every_example_of_a_public_function_is_run():
    """No decorator hides an example. Mutation: one that keeps the docstring alone."""
    functions = [inspect.unwrap(value) for value in public_functions().values()]
    assert {f"{value.__module__}.{value.__qualname__}" for value in functions} <= set(EXAMPLES)


def test_few_examples_are_skipped():
    skipping = {
        name
        for name, test in EXAMPLES.items()
        if any(example.options.get(doctest.SKIP) for example in test.examples)
    }
    assert skipping <= SKIPPING


def test_failing_example_is_found(tmp_path: Path):
    def parse(text: str) -> doctest.DocTest:
        return doctest.DocTestParser().get_doctest(text, {}, "planted", None, None)

    wrong, right = parse(">>> 1 + 1\n3\n"), parse(">>> 1 + 1\n2\n")
    assert "Got:" in failures_of(wrong)
    assert "Got:" in failures_in_new_process(wrong, tmp_path)
    assert not failures_of(right)
    assert not failures_in_new_process(right, tmp_path)
