"""A run's folder: which configuration it belongs to, where it ran, and its metrics, a line for each generation."""

import datetime
import importlib.metadata
import json
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import jax

from hebbax.config import Config

MAY_CHANGE = (
    "generations",
    "checkpoint_every",
    "chunk_size",
)  # Fields in which a resumed run may differ: they do not touch earlier numbers.


def open_run(run_dir: Path, config: Config) -> None:
    """Creates a run's folder, or checks that the one there belongs to the same run and leaves it as it is.

    Raises:
        ValueError: if the folder holds another configuration's run, or something that is no run.
    """
    if not (run_dir / "config.json").exists():
        strangers = sorted(path.name for path in run_dir.iterdir()) if run_dir.exists() else []
        if strangers and not all(name.startswith(".") or name.endswith(".tmp") for name in strangers):
            raise ValueError(f"run_dir is {run_dir}, which holds {strangers[0]} but no run; choose a new or empty folder")
        run_dir.mkdir(parents=True, exist_ok=True)
        _write_config(run_dir, config)
    else:
        check_same_run(run_dir, config)


def note_start(run_dir: Path, config: Config) -> None:
    """Notes that this process now works on the run: what it wants, which may be more generations than before, and where it runs."""
    _write_config(run_dir, config)
    file = run_dir / "environment.json"
    earlier = json.loads(file.read_text()) if file.exists() else []
    write_whole(file, json.dumps([*earlier, describe_environment()], indent=2) + "\n")


def _write_config(run_dir: Path, config: Config) -> None:
    write_whole(run_dir / "config.json", json.dumps(config.to_dict(), indent=2) + "\n")


def check_same_run(run_dir: Path, config: Config) -> None:
    """Refuses a run's folder that belongs to another configuration.

    Raises:
        ValueError: if a field differs that touches the numbers.
    """
    there = _by_path(Config.load(run_dir).to_dict()["config"])
    here = _by_path(config.to_dict()["config"])
    for field in [*here, *there]:
        if field not in MAY_CHANGE and here.get(field) != there.get(field):
            raise ValueError(
                f"run_dir is {run_dir}, which holds a run with {field} = {json.dumps(there.get(field))}, but this one has {field} = "
                f"{json.dumps(here.get(field))}; choose another folder, or the same configuration to resume"
            )


def _by_path(plain: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """The values of nested dictionaries by their dotted names, such as `strategy.std.initial`."""
    flat: dict[str, Any] = {}
    for name, value in plain.items():
        flat |= _by_path(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return flat


def describe_environment() -> dict[str, Any]:
    """Versions, devices and code: what a number must be read with."""
    packages = ("hebbax", "jax", "jaxlib", "optax", "brax", "mujoco", "mujoco-mjx", "orbax-checkpoint", "numpy")
    return {
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in packages},
        "backend": jax.default_backend(),
        "devices": [device.device_kind for device in jax.local_devices()],
        "cores": len(os.sched_getaffinity(0)),
        "machine": platform.platform(),
        "git_commit": _git_commit(),
    }


def _git_commit() -> str | None:
    """The commit of the code; None where it is no checkout, or git is not installed."""
    command = ["git", "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def read_metrics(run_dir: Path, generations: int | None = None) -> list[dict[str, Any]]:
    """Reads the metrics of the first generations of a run, or of all; a half-written line at the end is ignored.

    Raises:
        ValueError: if one of these lines cannot be read.
    """
    file = run_dir / "metrics.jsonl"
    content = file.read_bytes() if file.exists() else b""
    whole = content[: content.rfind(b"\n") + 1]
    try:
        return [json.loads(line) for line in whole.splitlines()[:generations]]
    except ValueError as error:
        raise ValueError(f"{file} is damaged: {error}") from error


def write_whole(file: Path, text: str) -> None:
    """Writes a file so that it is never seen half-written."""
    half = file.with_name(file.name + ".tmp")
    with half.open("w") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    half.replace(file)


class MetricsFile:
    """The metrics of a run on disk, a JSON line for each generation."""

    def __init__(self, run_dir: Path, generations: int) -> None:
        """Opens the file after its first `generations` lines; later ones, which no checkpoint stands behind, will be written again."""
        self._file = run_dir / "metrics.jsonl"
        lines = [json.dumps(metrics) + "\n" for metrics in read_metrics(run_dir, generations)]
        if len(lines) < generations:
            raise ValueError(f"{self._file} is damaged: it has {len(lines)} generations, but the checkpoint {generations}")
        write_whole(self._file, "".join(lines))
        self._stream = self._file.open("a")

    def write(self, metrics: dict[str, Any]) -> None:
        """Appends a generation."""
        self._stream.write(json.dumps(metrics) + "\n")
        self._stream.flush()

    def sync(self) -> None:
        """Waits until all lines are on disk."""
        os.fsync(self._stream.fileno())

    def close(self) -> None:
        """Closes the file."""
        self._stream.close()
