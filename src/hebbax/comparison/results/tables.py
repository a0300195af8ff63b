"""A sweep's rows in files: `results.csv` for spreadsheets, `results.json` for programs."""

import csv
import io
import math
from pathlib import Path
from typing import Any

from hebbax.comparison.results.rows import FORMAT, Results, Row, collect
from hebbax.files import local_path, write_json, write_whole


def write(folder: str | Path, results: Results | None = None) -> Results:
    """Collects a sweep's scores and writes them into its folder.

    `results.csv` has a line for each row; `results.json` the rows, and the scores that are missing
    with the reason. What is not a number is an empty cell in the one and null in the other.

    Args:
        folder: of the sweep.
        results: what is written, where it has been collected already.

    Returns:
        What was written.

    Raises:
        ValueError: if the folder holds no sweep, or one that this version cannot read.

    Examples:
        >>> from pathlib import Path
        >>> import hebbax
        >>> from hebbax.comparison import results
        >>> task, policy = hebbax.tasks.Point(), hebbax.Hebbian(hidden_sizes=())
        >>> strategy = hebbax.ScoreFunction(population_size=4)
        >>> config = hebbax.Config(task, policy, hebbax.Normal(), strategy, generations=2)
        >>> runs = hebbax.sweep({"hebbian": config}, "sweep", ["mirrored"], seeds=1, episodes=4)
        >>> found = results.write("sweep")
        >>> sorted(file.name for file in Path("sweep").glob("results.*"))
        ['results.csv', 'results.json']
    """
    results = collect(folder) if results is None else results
    rows = [
        {name: _or_none(value) for name, value in row._asdict().items()} for row in results.rows
    ]
    plain = {
        "format": FORMAT,
        "rows": rows,
        "missing": [missing._asdict() for missing in results.missing],
    }
    write_whole(local_path(folder, "folder") / "results.csv", _to_csv(rows))
    write_json(local_path(folder, "folder") / "results.json", plain)
    return results


def _to_csv(rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=Row._fields, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _or_none(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
