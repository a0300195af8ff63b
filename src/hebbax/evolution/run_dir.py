"""A run's folder.

Which configuration it belongs to, where it ran, and its metrics, a line for each generation.
"""

import dataclasses
import json
import math
import os
from pathlib import Path
from typing import Any

from hebbax.config import Config, read_config
from hebbax.evolution.environment import describe_environment, jax_settings
from hebbax.files import parse_json, read_json, to_json, write_json, write_whole
from hebbax.files.plain import by_path, class_name, to_plain

# Fields in which a resumed run may differ: they do not touch earlier numbers.
MAY_CHANGE = (
    "generations",
    "checkpoint_every",
    "chunk_size",
    "generations_per_call",
    "evaluate_every",
    "evaluation_episodes",
)


def check_run_dir(run_dir: Path, config: Config) -> None:
    """Refuses a folder that holds anything but this run, and leaves it as it is.

    Raises:
        ValueError: if the folder holds another configuration's run, one made with other settings of
            JAX, or something that is no run.
    """
    if (run_dir / "config.json").exists():
        check_same_run(run_dir, config)
        _check_same_jax(run_dir)
        return
    strangers = sorted(path.name for path in run_dir.iterdir()) if run_dir.exists() else []
    if strangers and not all(name.startswith(".") or name.endswith(".tmp") for name in strangers):
        raise ValueError(
            f"run_dir is {run_dir}, which holds {strangers[0]} but no run; choose a new or empty "
            "folder"
        )


def open_run(run_dir: Path, config: Config) -> None:
    """Gives a folder that `check_run_dir` accepts its configuration, unless it has one."""
    check_run_dir(run_dir, config)
    run_dir.mkdir(parents=True, exist_ok=True)
    if not (run_dir / "config.json").exists():
        write_json(run_dir / "config.json", config.to_dict())


def note_start(run_dir: Path, config: Config) -> None:
    """Notes that this process now works on the run.

    What it wants, which may be more generations than before, and where it runs.
    """
    starts = read_starts(run_dir)
    write_json(run_dir / "config.json", config.to_dict())
    write_json(run_dir / "environment.json", [*starts, describe_environment()])


def read_starts(run_dir: Path) -> list[dict[str, Any]]:
    """The environments in which a run was started, one after another.

    Raises:
        ValueError: if the file with them is damaged.
    """
    file = run_dir / "environment.json"
    starts = read_json(file, list) if file.exists() else []
    if not all(isinstance(start, dict) for start in starts):
        raise ValueError(f"{file} cannot be read: it must hold one environment for each start")
    return starts


def check_same_run(run_dir: Path, config: Config) -> None:
    """Refuses a run's folder that belongs to another configuration.

    Nothing of the folder's is built.

    Raises:
        ValueError: if a field differs that touches the numbers.
    """
    plain = read_config(run_dir)["config"]
    there, here = by_path(plain), by_path(config.to_dict()["config"])
    for field in changed_fields(plain, config):
        raise ValueError(
            f"run_dir is {run_dir}, which holds a run with {field} = "
            f"{json.dumps(there.get(field))}, but this one has {field} = "
            f"{json.dumps(here.get(field))}; choose another folder, or the same configuration "
            "to resume"
        )


def changed_fields(plain: dict[str, Any], config: Config) -> list[str]:
    """Names of the fields in which a configuration's plain values have other numbers than another.

    Fields that touch no number do not count, and those that the plain values lack, for they are
    older than the field, have its default.
    """
    there = by_path(_with_defaults(plain, config))
    here = by_path(config.to_dict()["config"])
    return [
        field
        for field in dict.fromkeys([*here, *there])
        if field not in MAY_CHANGE and here.get(field) != there.get(field)
    ]


def _with_defaults(plain: Any, specification: Any) -> Any:
    """Plain values with the fields that a specification's class has got since then."""
    if not (
        isinstance(plain, dict)
        and dataclasses.is_dataclass(specification)
        and plain.get("class") == class_name(type(specification))
    ):
        return plain
    defaults = {
        field.name: to_plain(field.default)
        for field in dataclasses.fields(specification)
        if field.default is not dataclasses.MISSING
    }
    known = {
        name: _with_defaults(value, getattr(specification, name, None))
        for name, value in plain.items()
    }
    return defaults | known


def _check_same_jax(run_dir: Path) -> None:
    """Refuses to go on with other settings of JAX than the run began with, as far as it says."""
    for name, (there, here) in changed_settings(read_starts(run_dir)).items():
        raise ValueError(
            f"run_dir is {run_dir}, which holds a run made with {name} = {there}, but now it is "
            f"{here}, and numbers would change; set it as it was, by the variable {name.upper()} "
            "or jax.config, or choose another folder"
        )


def changed_settings(starts: list[dict[str, Any]]) -> dict[str, tuple[Any, Any]]:
    """Settings of JAX that have changed since a run began, as far as it says: then, and now."""
    there = next((start["jax"] for start in starts if isinstance(start.get("jax"), dict)), {})
    return {
        name: (there[name], value)
        for name, value in jax_settings().items()
        if name in there and there[name] != value
    }


def read_metrics(run_dir: Path, generations: int | None = None) -> list[dict[str, Any]]:
    """Reads the metrics of the first generations of a run, or of all, NaN where there is no number.

    A half-written line at the end is ignored.

    Raises:
        ValueError: if one of these lines cannot be read.
    """
    file = run_dir / "metrics.jsonl"
    content = file.read_bytes() if file.exists() else b""
    whole = content[: content.rfind(b"\n") + 1]
    return [
        _with_nan(parse_json(line, dict, f"{file} is damaged"))
        for line in whole.splitlines()[:generations]
    ]


def _with_nan(metrics: dict[str, Any]) -> dict[str, Any]:
    plain = {
        name: _with_nan(value) if isinstance(value, dict) else value
        for name, value in metrics.items()
    }
    return {name: math.nan if value is None else value for name, value in plain.items()}


class MetricsFile:
    """The metrics of a run on disk, a JSON line for each generation."""

    def __init__(self, run_dir: Path, generations: int) -> None:
        """Opens the file after its first `generations` lines.

        Later ones, which no checkpoint stands behind, will be written again.
        """
        self._file = run_dir / "metrics.jsonl"
        lines = [to_json(metrics) + "\n" for metrics in read_metrics(run_dir, generations)]
        if len(lines) < generations:
            raise ValueError(
                f"{self._file} is damaged: it has {len(lines)} generations, but the checkpoint "
                f"{generations}"
            )
        write_whole(self._file, "".join(lines))
        self._stream = self._file.open("a", encoding="utf-8")

    def write(self, metrics: dict[str, Any]) -> None:
        """Appends a generation."""
        self._stream.write(to_json(metrics) + "\n")
        self._stream.flush()

    def sync(self) -> None:
        """Waits until all lines are on disk."""
        os.fsync(self._stream.fileno())

    def close(self) -> None:
        """Closes the file."""
        self._stream.close()
