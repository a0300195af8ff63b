"""What runs have scored, in one file that can be committed: a line of JSON for each run.

A run that has a line need not be made again, whether its folder is there or not.
"""

import fcntl
import hashlib
import json
import os
from pathlib import Path
from typing import Any

from hebbax.comparison.results.rows import KINDS, Run
from hebbax.config import Config
from hebbax.evolution.evaluation import scores_file
from hebbax.evolution.run_dir import MAY_CHANGE, open_run, read_metrics, read_starts
from hebbax.files import parse_json, read_json, to_json, write_json, write_whole
from hebbax.files.ownership import owned
from hebbax.files.plain import by_path

FORMAT = 1
DIGITS = 7  # Of a history's numbers, which are float32.


def read(file: Path) -> list[dict[str, Any]]:
    """The lines of an archive, in the order in which they were written; none if it is not there.

    A line has `method`, `fold`, `seed`, `config` (its fingerprint), `generations`, `episodes`,
    `scores` by kind, `history` (a list for each metric) and `environment`. A half-written last line
    is ignored.

    Raises:
        ValueError: if a line cannot be read.

    Examples:
        >>> import hebbax
        >>> from pathlib import Path
        >>> from hebbax.comparison import archive
        >>> task, policy = hebbax.tasks.Point(), hebbax.Hebbian(hidden_sizes=())
        >>> strategy = hebbax.ScoreFunction(population_size=4)
        >>> config = hebbax.Config(task, policy, hebbax.Normal(), strategy, generations=2)
        >>> file = Path("scores.jsonl")
        >>> runs = hebbax.sweep({"hebbian": config}, "a", ["weak"], 1, episodes=4, archive=file)
        >>> [line] = archive.read(file)
        >>> line["fold"], line["generations"], len(line["history"]["fitness_mean"])
        ('weak', 2, 2)
    """
    content = file.read_bytes() if file.exists() else b""
    lines = content[: content.rfind(b"\n") + 1].splitlines()
    return [_checked(parse_json(line, dict, f"{file} cannot be read"), file) for line in lines]


def _checked(line: dict[str, Any], file: Path) -> dict[str, Any]:
    if line.get("format") != FORMAT:
        raise ValueError(
            f"{file} cannot be read: a line has format {line.get('format')}, but this version of "
            f"hebbax reads format {FORMAT}"
        )
    return line


def fingerprint(config: Config) -> str:
    """Sixteen digits that tell configurations apart whose numbers differ; lengths do not count."""
    fields = by_path(config.to_dict()["config"])
    touching = {name: value for name, value in fields.items() if name not in MAY_CHANGE}
    return hashlib.sha256(json.dumps(touching, sort_keys=True).encode()).hexdigest()[:16]


def line_key(config: Config, episodes: int) -> tuple[str, int, int]:
    """What tells a run's line from others."""
    return fingerprint(config), config.generations, episodes


def read_by_key(file: Path) -> dict[tuple[str, int, int], dict[str, Any]]:
    """The lines of an archive by `line_key`."""
    return {(line["config"], line["generations"], line["episodes"]): line for line in read(file)}


def add_line(file: Path, run: Run, config: Config, episodes: int) -> None:
    """Appends the line of a run that was scored, unless it has one, or more generations."""
    key, metrics = line_key(config, episodes), read_metrics(run.path)
    if len(metrics) != config.generations:
        return
    line = {
        "format": FORMAT,
        "method": run.method,
        "fold": run.fold,
        "seed": run.seed,
        **dict(zip(("config", "generations", "episodes"), key, strict=True)),
        "scores": {kind: _scores(run, is_sampled=kind == "samples") for kind in KINDS},
        "history": _columns(metrics),
        "environment": read_starts(run.path),
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("ab") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)  # Jobs may end at the same time.
        if key in read_by_key(file):
            return
        stream.truncate(file.read_bytes().rfind(b"\n") + 1)
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
            if not isinstance(value, dict) or any(one is not None for one in value.values()):
                row[name] = value
    return rows


def _rounded(value: Any) -> Any:
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value
