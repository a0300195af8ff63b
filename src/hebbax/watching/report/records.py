"""What a run's folder says of it beside its scores: settings, progress, machines."""

from typing import Any, NamedTuple

from hebbax.comparison.results import KINDS, Results, Run
from hebbax.config import read_config
from hebbax.evolution.run_dir import read_metrics, read_starts
from hebbax.files import read_json


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
