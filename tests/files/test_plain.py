"""Specifications as plain values: what is read back, and that nothing else of a folder is run."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import hebbax
from hebbax.files import plain
from hebbax.files.plain import from_plain, to_plain, unreadable_parts
from small_run import small_config, start_python
from small_task import Cart

SCRIPT = """
import dataclasses, sys
sys.path.append({tests!r})
import hebbax
import small_task
from small_run import small_config

@dataclasses.dataclass(frozen=True)
class Mine:
    max_steps: int = 13
    variations = property(lambda self: small_task.Cart().variations)
    observation_shape = (2,)
    action_size = 1

    def reset(self, key, variation):
        return small_task.Cart().reset(key, variation)

    def step(self, state, action, variation):
        return small_task.Cart().step(state, action, variation)

if __name__ == "__main__":
    hebbax.use_cpu_cores(2)
    hebbax.train(small_config(task=Mine()), sys.argv[1])
"""


@dataclasses.dataclass(frozen=True)
class Frozen:
    """A specification with a default, a value of any kind, and a field that is no argument."""

    any: Any
    size: int = 3
    derived: int = dataclasses.field(default=0, init=False)


@dataclasses.dataclass
class Thawed:
    """No specification, for it can change."""

    size: int = 3


def own(name: str) -> str:
    return f"{__name__}:{name}"


def test_values_survive():
    """Whatever a specification may hold comes back, numbers that JSON does not have included."""
    value = Frozen(
        any=(1, 2.5, float("inf"), -float("inf"), "text", None, True, Frozen(any=())), size=4
    )
    assert from_plain(json.loads(json.dumps(to_plain(value), allow_nan=False))) == value
    assert str(from_plain(to_plain(float("nan")))) == "nan"


def marks(tmp_path: Path) -> list[Path]:
    return list(tmp_path.glob("mark*"))


@pytest.mark.parametrize(
    ("name", "fields", "reason"),
    [
        ("subprocess:Popen", {"args": ["touch", "mark"]}, "no frozen dataclass"),
        ("os:system", {"command": "touch mark"}, "has no such class"),
        ("builtins:exec", {}, "has no such class"),
        ("importlib:import_module", {"name": "antigravity"}, "has no such class"),
        ("hebbax.files.plain:sys.modules", {}, "has no such class"),
        ("hebbax.config:importlib.import_module", {}, "has no such class"),
        ("hebbax.evolution.run_dir:Config", {}, "has no such class"),
        ("hebbax.__main__:main", {}, "is not trusted"),
        ("hebbax.nowhere:Config", {}, "cannot be imported"),
        ("evil:Evil", {}, "is not trusted"),
        ("", {}, "is not trusted"),
        (own("Thawed"), {}, "no frozen dataclass"),
        (
            own("Frozen"),
            {"any": 1, "derived": 2},
            "the field 'derived', which it does not have; it has any, size",
        ),
        (own("Frozen"), {"any": 1, "__class__": 2}, "the field '__class__'"),
        (own("Frozen"), {}, "no field 'any', which it needs"),
    ],
)
def test_nothing_else_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, fields: dict[str, Any], reason: str
):
    """A class that is no trusted frozen dataclass is neither called nor imported.

    At any depth of a configuration.

    Mutation: `import_module` and a call for whatever is named start the program.
    """
    (tmp_path / "evil.py").write_text("import pathlib\npathlib.Path('mark').touch()\nEvil = dict\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    whole = small_config().to_dict()
    nested = {**whole["config"]["strategy"], "optimizer": {"class": name, **fields}}
    for config in ({"class": name, **fields}, {**whole["config"], "strategy": nested}):
        (tmp_path / "config.json").write_text(json.dumps({"format": 2, "config": config}))
        for use in (hebbax.evaluate, hebbax.Config.load):
            with pytest.raises(ValueError, match=reason) as error:
                use(tmp_path)
            assert str(error.value).startswith(f"{tmp_path / 'config.json'} cannot be read: ")
    assert not marks(tmp_path)
    assert not {module for module in set(sys.modules) - before if not module.startswith("hebbax.")}


def test_comparison_builds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Whether a folder holds the same run is seen from plain values.

    A field that a class has got since then counts with its default.

    Mutation: a comparison of rebuilt configurations builds the folder's.
    """
    hebbax.train(small_config(), tmp_path)
    monkeypatch.setattr(plain, "_find_class", lambda _: pytest.fail("built"))
    config = json.loads((tmp_path / "config.json").read_text())
    del config["config"]["task"]["last_steps"], config["config"]["penalty"]
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert len(hebbax.train(small_config(generations=5), tmp_path).history) == 5
    config["config"]["task"] = {"class": "subprocess:Popen", "args": ["touch", "mark"]}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(
        ValueError,
        match=r'task.class = "subprocess:Popen", but this one has task.class = "small_task:Cart"',
    ):
        hebbax.train(small_config(), tmp_path)


def test_configuration_of_something_else_is_refused():
    """A part in place of the whole is refused."""
    with pytest.raises(
        ValueError,
        match=r"the configuration is of small_task:Cart, but must be of hebbax.config:Config",
    ):
        hebbax.Config.from_dict({"format": 2, "config": to_plain(Cart())})


def test_class_of_a_function_is_told():
    """A class that nobody can find again is named, with what to do, at any depth."""

    @dataclasses.dataclass(frozen=True)
    class Local:
        """Made inside of a function."""

    assert unreadable_parts(small_config()) == []
    [reason] = unreadable_parts((1, Frozen(any=(Local(),))))
    assert "test_class_of_a_function_is_told.<locals>.Local is made inside of a function" in reason
    assert "move it to the top level of a module" in reason
    with pytest.raises(ValueError, match="has no such class"):
        from_plain(to_plain(Local()))


@pytest.mark.slow
def test_class_of_a_script_is_told_when_the_run_starts(tmp_path: Path):
    """A script's own task is warned of at the start, by which words it is read back.

    Another process reads it with them alone.

    Mutation: a trusted file that is not looked into for the classes of `__main__`.
    """
    script, run = tmp_path / "my_task.py", tmp_path / "run"
    script.write_text(SCRIPT.format(tests=str(Path(__file__).parent)))
    done = subprocess.run(
        [sys.executable, script, run],
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (
        "__main__:Mine belongs to the program that is running; read it back with --trust "
        f"{script}" in done.stderr
    )

    command = "import sys; from hebbax.cli import main; main(sys.argv[1:])"
    refused = start_python(command, "evaluate", run, "--episodes", 2)
    _, words = refused.communicate(timeout=120)
    assert refused.returncode == 2
    assert "a script's class is read with --trust SCRIPT.py" in words
    read = start_python(command, "evaluate", run, "--episodes", 2, "--trust", script)
    table, words = read.communicate(timeout=120)
    assert read.returncode == 0, words
    assert "heavy" in table


def test_trust_in_what_is_not_there_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Modules and files that are not there, and files with another module's name, are named."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "json.py").touch()
    for name, reason in (
        ("nowhere.module", "No module named 'nowhere'"),
        (f"{tmp_path}/nowhere.py", "there is no such file"),
        (f"{tmp_path}/json.py", "another module is called json"),
    ):
        with pytest.raises(ValueError, match=reason) as error:
            plain.trust([name])
        assert str(error.value).startswith(f"trust names {name}, but ")
