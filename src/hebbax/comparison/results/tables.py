"""A sweep's rows in files: `results.csv` for spreadsheets, `results.json` for programs."""

import csv
from pathlib import Path

from hebbax.comparison.results.rows import FORMAT, Results, Row, collect
from hebbax.files import local_path, replacing, without_non_finite, write_json


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
    folder = local_path(folder, "folder")
    rows = without_non_finite([row._asdict() for row in results.rows])
    missing = [missing._asdict() for missing in results.missing]
    write_json(folder / "results.json", {"format": FORMAT, "rows": rows, "missing": missing})
    with (
        replacing(folder / "results.csv") as half,
        half.open("w", newline="", encoding="utf-8") as stream,
    ):
        writer = csv.DictWriter(stream, fieldnames=Row._fields, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return results
