"""The benchmarks' committed results are those that their scripts would write today."""

import json
import runpy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
BENCHMARKS = ROOT / "benchmarks"
RESULTS = BENCHMARKS / "results"

# The script of each file of results, by how the file's name begins.
SCRIPTS = {
    "box2d-agreement": "box2d_agreement.py",
    "bullet_agreement": "bullet_agreement.py",
    "car-demo": "demo.py",
    "car-racing": "car_racing.py",
    "checkouts": "checkouts.py",
    "classic-control": "classic_control.py",
    "demo": "demo.py",
    "device": "accelerator.py",
    "encoding-costs": "encoding_costs.py",
    "genomes": "genomes.py",
    "hidden-direction": "hidden_direction.py",
    "idle-lanes": "idle_lanes.py",
    "in-turn": "in_turn.py",
    "interval-coverage": "interval_coverage.py",
    "many-processes": "many_processes.py",
    "modulated-rules": "modulated_rules.py",
    "natural-steps": "natural_steps.py",
    "quadruped": "quadruped.py",
    "rules-and-encodings": "rules_and_encodings.py",
    "thrown-bodies": "thrown_bodies.py",
    "traffic": "traffic.py",
}
WITHOUT_RUNS = tuple(f"bottleneck-{name}" for name in ("assignment", "afterthought"))
FILES = sorted(path.name for path in RESULTS.iterdir())


@pytest.fixture(autouse=True)
def scripts(monkeypatch: pytest.MonkeyPatch):
    """Scripts import each other from their folder, as they do when they are run."""
    monkeypatch.syspath_prepend(BENCHMARKS)


def load(script: str) -> dict[str, Any]:
    return runpy.run_path(str(BENCHMARKS / script))


def records(file: Path) -> Any:
    text = file.read_text()
    if file.suffix == ".jsonl":
        return [json.loads(line) for line in text.splitlines()]
    return json.loads(text)


@pytest.mark.parametrize("file", FILES)
def test_results_have_the_fields_that_their_script_writes(file: str):
    """A file has all fields, and no others.

    Mutations: a field renamed in the script's `FIELDS`; one added; one removed.
    """
    (script,) = [script for name, script in SCRIPTS.items() if file.startswith(name)]
    load("harness.py")["check_fields"](records(RESULTS / file), load(script)["FIELDS"], file)


def test_every_script_has_results():
    """Mutation: a script without a file, whose fields nobody would look at."""
    writers = {path.name for path in BENCHMARKS.glob("*.py") if "\nFIELDS = " in path.read_text()}
    assert writers == set(SCRIPTS.values())
    assert all(any(file.startswith(name) for file in FILES) for name in SCRIPTS)


FIELDS = {"name": None, "runs": {"seed": None}, "scores": {"*": {"mean": None}}}
RESULT = {"name": "a", "runs": [{"seed": 1}, {"seed": 2}], "scores": {"any": {"mean": 1.0}}}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"other": 1}, "unknown.*other"),
        ({"runs": [{"seed": 1}, {}]}, "runs lack.*seed"),
        ({"scores": {"any": {"mode": 1.0}}}, "any lack.*mean.*unknown.*mode"),
    ],
)
def test_other_fields_are_refused(change: dict[str, Any], problem: str):
    """What a script writes goes through the same check as what is committed."""
    check = load("harness.py")["check_fields"]
    check(RESULT, FIELDS)
    with pytest.raises(ValueError, match=problem):
        check(RESULT | change, FIELDS)


def test_a_case_has_no_cores_where_programs_run_elsewhere(monkeypatch: pytest.MonkeyPatch):
    """Only a CPU's cores are counted; cases that differ in them alone are measured once.

    Mutation: `cores_here` that returns what it is given.
    """
    import harness
    import quadruped

    monkeypatch.setattr(harness, "environment", lambda: {"backend": "gpu"})
    options = SimpleNamespace(only="hebbian", tiny=False)
    found = harness.cases_here(quadruped.BENCHMARK, options)
    assert {case.cores for case in found} == {None}
    assert len(found) == 5
    monkeypatch.setattr(harness, "environment", lambda: {"backend": "cpu"})
    assert {case.cores for case in harness.cases_here(quadruped.BENCHMARK, options)} == {1, 2}


def test_tables_are_made_of_the_results():
    """Each table can be made of the committed results, and says something.

    Only those of the bottleneck whose runs are still to come are empty.

    Mutation: a field that `tables.py` reads under another name.
    """
    tables = load("tables.py")
    for name, (file, make) in tables["TABLES"].items():
        made = "".join(make(tables["read"](RESULTS / file)))
        if name in WITHOUT_RUNS:
            assert not made, name
        else:
            assert len(made) > 60, name
