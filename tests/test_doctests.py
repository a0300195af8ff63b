"""The examples in docstrings run, and every public function has one."""

import contextlib
import doctest
import importlib
import inspect
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import hebbax
from hebbax import statistics, testing
from hebbax.evolution import programs

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
EXTRAS = {"gymnax", "imageio", "jinja2", "markupsafe", "matplotlib", "six", "submitit"}
# What has to come before JAX is used runs in a process of its own.
FIRST = {"hebbax.devices.use_cpu_cores"}
# Examples of what needs a cluster, or minutes for physics.
SKIPPING = {"hebbax.comparison.cluster.slurm_executor", "hebbax.watching.films.film.render"}
# What does not run yet, with the reason.
BROKEN = {"hebbax.testing.check_policy": "it calls policy.act without a reward"}

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
# The reference lists them beside the namespaces' names.
OTHERS = (
    "hebbax.comparison.cluster.slurm_executor",
    "hebbax.watching.visualization.curves.draw_learning_curves",
    "hebbax.watching.visualization.matrix.draw_generalisation_matrix",
    "hebbax.watching.visualization.rho.draw_fitness_over_rho",
    "hebbax.watching.visualization.rules.rule_of",
    "hebbax.watching.visualization.style.save",
)


def import_or_none(name: str) -> ModuleType | None:
    """A module, or None where an extra that it needs is not installed."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.__cause__ if error.name is None else error
        if getattr(missing, "name", None) not in EXTRAS:
            raise
        return None


def examples_of(module: ModuleType) -> Iterator[doctest.DocTest]:
    """The examples of a module, its functions and classes.

    The finder by itself would pass over functions whose annotations are checked: what checks them
    is of another module.
    """
    yield from doctest.DocTestFinder(recurse=False).find(module, globs={})
    finder = doctest.DocTestFinder(exclude_empty=True)
    for name, value in list(vars(module).items()):
        if getattr(value, "__module__", None) == module.__name__ and (
            inspect.isclass(value) or inspect.isroutine(inspect.unwrap(value))
        ):
            yield from finder.find(value, f"{module.__name__}.{name}", module=False, globs={})


def collect() -> list[doctest.DocTest]:
    """All examples of hebbax; only modules that have some are imported."""
    root = Path(hebbax.__file__).parent
    found = []
    for file in sorted(root.rglob("*.py")):
        if ">>>" in file.read_text():
            path = file.relative_to(root.parent).with_suffix("")
            module = import_or_none(".".join(path.parts).removesuffix(".__init__"))
            found += [] if module is None else examples_of(module)
    return [test for test in found if test.examples]


def failures_of(test: doctest.DocTest) -> str:
    """What the examples print that they should not; empty where they do what they say."""
    lines: list[str] = []
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    return "".join(lines) if runner.run(test, out=lines.append).failed else ""


def failures_in_new_process(test: doctest.DocTest, folder: Path) -> str:
    """As `failures_of`, in a process that has not used JAX."""
    file = folder / "examples.txt"
    file.write_text(test.docstring or "")
    options = [f"-o{doctest_flag}" for doctest_flag in ("ELLIPSIS", "NORMALIZE_WHITESPACE")]
    command = [sys.executable, "-m", "doctest", *options, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


EXAMPLES = {test.name: test for test in collect()}


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_run(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
):
    if name in BROKEN:
        request.applymarker(pytest.mark.xfail(reason=BROKEN[name], strict=True))
    monkeypatch.chdir(tmp_path)
    # A sweep's programs are those of the sweeps of other examples.
    monkeypatch.setattr(programs, "shared", contextlib.nullcontext)
    test = EXAMPLES[name]
    failures = failures_in_new_process(test, tmp_path) if name in FIRST else failures_of(test)
    assert not failures, failures


def public_functions() -> dict[str, Callable[..., Any]]:
    """Every function that the reference offers, by its public name."""
    named = [
        (f"{namespace}.{name}", importlib.import_module(namespace), name)
        for namespace in NAMESPACES
        for name in importlib.import_module(namespace).__all__
        if (namespace, name) != ("hebbax", "make_gymnax") or import_or_none("hebbax.tasks.gymnax")
    ]
    named += [
        (path, importlib.import_module(home), name)
        for path in OTHERS
        for home, _, name in [path.rpartition(".")]
    ]
    found = {path: getattr(module, name) for path, module, name in named}
    for module in (statistics, testing):
        found |= {
            f"{module.__name__}.{name}": value
            for name, value in vars(module).items()
            if not name.startswith("_") and getattr(value, "__module__", "") == module.__name__
        }
    return {path: value for path, value in found.items() if is_function(value)}


def is_function(value: Any) -> bool:
    return not inspect.isclass(value) and inspect.isfunction(inspect.unwrap(value))


def without_example(functions: dict[str, Callable[..., Any]]) -> list[str]:
    """The names of the functions whose docstring has no example."""
    parser = doctest.DocTestParser()
    return [
        path for path, value in functions.items() if not parser.get_examples(value.__doc__ or "")
    ]


def test_every_public_function_has_an_example():
    functions = public_functions()
    assert {"hebbax.train", "hebbax.statistics.mean", "hebbax.testing.check_task"} <= set(functions)
    assert not without_example(functions)


def test_function_without_example_is_named():
    assert without_example({"a.b": is_function, "c.d": hebbax.train}) == ["a.b"]


def test_every_example_of_a_public_function_is_run():
    """The finder finds what the parser finds: a decorator hides no example."""
    homes = {
        f"{inspect.unwrap(value).__module__}.{inspect.unwrap(value).__name__}"
        for value in public_functions().values()
    }
    assert homes <= set(EXAMPLES)


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
