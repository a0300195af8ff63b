"""What a run's folder says of it beside its scores: settings, progress, machines."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from hebbax.comparison.results import KINDS, Results, Run
from hebbax.config import read_config
from hebbax.evolution.run_dir import read_metrics, read_starts
from hebbax.files import read_json
from hebbax.files.plain import by_path
from hebbax.watching.report.blocks import ABSENT, Table, count

OF_THE_RUN = ("held_out", "seed")  # Settings in which the runs of a method differ by what they are.


class Record(NamedTuple):
    """A run that has begun.

    run: which.
    config: its settings as plain values.
    history: the metrics of its generations.
    starts: the environments in which it was started, one after another.
    evaluated: generations behind the genome that has scores; None if it has none, or they do not
        say.
    """

    run: Run
    config: dict[str, Any]
    history: list[dict[str, Any]]
    starts: list[dict[str, Any]]
    evaluated: int | None

    @property
    def generations(self) -> int:
        """How many it has behind it."""
        return len(self.history)

    @property
    def wanted(self) -> int:
        """How many it wants."""
        return self.config["generations"]

    @property
    def population_size(self) -> int:
        """Individuals in a generation."""
        return self.config["strategy"]["population_size"]

    @property
    def seconds(self) -> float:
        """Spent on its generations, without compilation between them and evaluation."""
        return sum(metrics.get("seconds", 0.0) for metrics in self.history)


def read_records(results: Results) -> list[Record]:
    """Reads all runs that have begun.

    Raises:
        ValueError: if a file of theirs is damaged.
    """
    return [_read(run) for run in results.runs if (run.path / "config.json").exists()]


def _read(run: Run) -> Record:
    file = run.path / KINDS["mode"]
    scores = read_json(file, dict) if file.exists() else {}
    return Record(
        run,
        read_config(run.path)["config"],
        read_metrics(run.path),
        read_starts(run.path),
        scores.get("generations"),
    )


def difference_table(records: Sequence[Record]) -> Table:
    """The settings in which the first runs of the methods differ."""
    settings = {}
    for record in records:
        settings.setdefault(record.run.method, _by_path(record.config))
    names = dict.fromkeys(
        name for plain in settings.values() for name in plain if name not in OF_THE_RUN
    )
    values = {
        name: [_show(plain.get(name, ABSENT)) for plain in settings.values()] for name in names
    }
    rows = [[name, *shown] for name, shown in values.items() if len(set(shown)) > 1]
    return Table("Settings that differ between the methods", ["setting", *settings], rows)


def list_settings(records: Sequence[Record]) -> list[tuple[str, str]]:
    """All settings, once for each set of runs that have the same: which runs, and the JSON."""
    groups: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        plain = {name: value for name, value in record.config.items() if name not in OF_THE_RUN}
        groups.setdefault((record.run.method, json.dumps(plain, indent=2)), []).append(record)
    methods = [method for method, _ in groups]
    return [
        (_describe(method, group, methods.count(method) == 1), text)
        for (method, text), group in groups.items()
    ]


def _describe(method: str, group: Sequence[Record], is_only: bool) -> str:
    """The runs of a group, one by one where the method has others."""
    pairs = ", ".join(f"{record.run.fold} {record.run.seed}" for record in group)
    return f"{method}: {count(len(group), 'run')}" + (
        "" if is_only else f" (held out and seed: {pairs})"
    )


def _by_path(config: dict[str, Any]) -> dict[str, Any]:
    """Settings by their dotted names. A part's class stands under the part's own name."""
    return {
        name.removesuffix(".class"): value.rpartition(":")[2] if name.endswith(".class") else value
        for name, value in by_path(config).items()
        if name != "class"
    }


def _show(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def environment_table(records: Sequence[Record]) -> Table:
    """Code, devices and versions of all starts of all runs.

    Where they differ, each with the number of its starts.
    """
    starts = [start for record in records for start in record.starts]
    told = [_describe_start(start) for start in starts]
    rows = [[field, _in_words(Counter(one[field] for one in told))] for field in (told or [{}])[0]]
    times = sorted(start["started"] for start in starts if "started" in start)
    if times:
        rows = [["first start", times[0]], ["last start", times[-1]], *rows]
    hours = sum(record.seconds for record in records) / 3600
    rows.append(["hours of all generations", f"{hours:.2f}"])
    return Table(
        f"Where {count(len(records), 'run')} ran, {count(len(starts), 'start')}",
        ["what", "value"],
        rows,
    )


def _describe_start(start: dict[str, Any]) -> dict[str, str]:
    names = {
        "git_commit": "code (git)",
        "backend": "backend",
        "devices": "devices",
        "cores": "CPU cores",
        "machine": "machine",
        "python": "Python",
    }
    packages = [
        f"{package} {version}"
        for package, version in start.get("packages", {}).items()
        if version is not None
    ]
    told = {words: _show_value(start.get(name)) for name, words in names.items()}
    return told | {"packages": ", ".join(packages) or ABSENT}


def _show_value(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(f"{amount} x {kind}" for kind, amount in Counter(value).items())
    return ABSENT if value is None else str(value)


def _in_words(values: Counter[str]) -> str:
    if len(values) == 1:
        return next(iter(values))
    return "; ".join(
        f"{value} ({count(amount, 'start')})" for value, amount in values.most_common()
    )
