"""What runs have scored, in one file that can be committed: a line of JSON for each run.

A run that has a line need not be made again, whether its folder is there or not.
"""

import fcntl
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hebbax.comparison.results.rows import KINDS, NOTHING, Run
from hebbax.config import Config
from hebbax.evolution.evaluation import scores_file
from hebbax.evolution.run_dir import (
    changed_fields,
    changed_settings,
    open_run,
    read_metrics,
    read_starts,
)
from hebbax.files import local_path, parse_json, read_json, to_json, write_json, write_whole
from hebbax.files.ownership import owned

FORMAT = 1
FIELDS = (
    *("method", "fold", "seed", "config", "generations", "episodes"),
    *("scores", "history", "environment"),
)
DIGITS = 7  # Of a history's numbers, which are float32.


def read(file: str | Path) -> list[dict[str, Any]]:
    """The lines of an archive, in the order in which they were written; none if it is not there.

    A line has `method`, `fold`, `seed`, `config` (plain values), `generations`, `episodes`,
    `scores` by kind, `history` (a list for each metric) and `environment`. A half-written last line
    is ignored.

    Raises:
        ValueError: if a line cannot be read.

    Examples:
        >>> import hebbax
        >>> from hebbax.comparison import archive
        >>> task, policy = hebbax.tasks.Point(), hebbax.Hebbian(hidden_sizes=())
        >>> strategy = hebbax.ScoreFunction(population_size=4)
        >>> config = hebbax.Config(task, policy, hebbax.Normal(), strategy, generations=2)
        >>> methods, file = {"hebbian": config}, "scores.jsonl"
        >>> runs = hebbax.sweep(methods, "sweep", ["weak"], 1, episodes=4, archive=file)
        >>> [line] = archive.read(file)
        >>> line["fold"], line["generations"], len(line["history"]["fitness_mean"])
        ('weak', 2, 2)
    """
    file = local_path(file, "archive")
    lines = _whole_lines(file)
    return [_checked(parse_json(line, dict, f"{file} cannot be read"), file) for line in lines]


def _whole_lines(file: Path) -> list[bytes]:
    """All lines, but for a last one that is half-written: without an end, and no JSON."""
    *lines, last = (file.read_bytes() if file.exists() else b"").split(b"\n")
    try:
        parse_json(last, dict, "half-written")
    except ValueError:
        return lines
    return [*lines, last]


def _checked(line: dict[str, Any], file: Path) -> dict[str, Any]:
    if line.get("format") != FORMAT:
        raise ValueError(
            f"{file} cannot be read: a line has format {line.get('format')}, but this version of "
            f"hebbax reads format {FORMAT}"
        )
    for name in FIELDS:
        if name not in line:
            raise ValueError(f"{file} cannot be read: a line has no {name!r}")
    return line


def find_line(
    lines: Iterable[dict[str, Any]], config: Config, episodes: int
) -> dict[str, Any] | None:
    """The line of a run: the same configuration, generations, episodes and settings of JAX.

    None if there is none.
    """
    wanted = {
        "fold": NOTHING if config.held_out is None else config.held_out,
        "seed": config.seed,
        "generations": config.generations,
        "episodes": episodes,
    }
    for line in lines:
        if (
            wanted.items() <= line.items()
            and not changed_fields(line["config"], config)
            and not changed_settings(line["environment"])
        ):
            return line
    return None


def add_line(file: Path, run: Run, config: Config, episodes: int) -> None:
    """Appends the line of a run that was scored, unless it has one, or more generations."""
    metrics = read_metrics(run.path)
    if len(metrics) != config.generations:
        return
    line = {
        "format": FORMAT,
        "method": run.method,
        "fold": run.fold,
        "seed": run.seed,
        "config": config.to_dict()["config"],
        "generations": config.generations,
        "episodes": episodes,
        "scores": {kind: _scores(run, is_sampled=kind == "samples") for kind in KINDS},
        "history": _columns(metrics),
        "environment": read_starts(run.path),
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("ab") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)  # Jobs may end at the same time.
        if find_line(read(file), config, episodes) is not None:
            return
        end = sum(len(one) + 1 for one in _whole_lines(file))
        if file.stat().st_size < end:  # An editor has taken the last line's end away.
            stream.write(b"\n")
        else:
            stream.truncate(end)
        stream.write((to_json(line) + "\n").encode())
        stream.flush()
        os.fsync(stream.fileno())


def restore_run(line: dict[str, Any], run: Run, config: Config) -> None:
    """Writes a run's folder as its line has it: without checkpoints and single returns."""
    run.path.mkdir(parents=True, exist_ok=True)
    with owned(run.path):
        open_run(run.path, config)
        write_json(run.path / "config.json", config.to_dict())
        write_json(run.path / "environment.json", line["environment"])
        metrics = _rows(line["history"], line["generations"])
        write_whole(run.path / "metrics.jsonl", "".join(to_json(row) + "\n" for row in metrics))
        for kind, scores in line["scores"].items():
            is_sampled = kind == "samples"
            plain = {
                "episodes": line["episodes"],
                "is_sampled": is_sampled,
                "is_best": False,
                "generations": line["generations"],
                "scores": scores,
            }
            write_json(scores_file(run.path, is_sampled=is_sampled), plain)


def _scores(run: Run, *, is_sampled: bool) -> list[dict[str, Any]]:
    """The scores of a run's folder, without the returns of single episodes."""
    plain = read_json(scores_file(run.path, is_sampled=is_sampled), dict)
    return [
        {name: value for name, value in score.items() if name != "returns"}
        for score in plain["scores"]
    ]


def _columns(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """A list for each metric, with None where a generation has none, from one for each row."""
    names = dict.fromkeys(name for row in rows for name in row)
    columns: dict[str, Any] = {}
    for name in names:
        values = [row.get(name) for row in rows]
        if any(isinstance(value, dict) for value in values):
            columns[name] = _columns([value or {} for value in values])
        else:
            columns[name] = [_rounded(value) for value in values]
    return columns


def _rows(columns: dict[str, Any], length: int) -> list[dict[str, Any]]:
    """What `_columns` was made of."""
    rows: list[dict[str, Any]] = [{} for _ in range(length)]
    for name, column in columns.items():
        values = _rows(column, length) if isinstance(column, dict) else column
        for row, value in zip(rows, values, strict=True):
            # Only some generations have scores on the way.
            is_there = name != "scores" or any(one is not None for one in value.values())
            if is_there:
                row[name] = value
    return rows


def _rounded(value: Any) -> Any:
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value
