"""A sweep's rows on disk: any program reads them, and they are those that were collected."""

import csv
import json
import math
import shutil
from pathlib import Path

from fake_sweep import change, make_sweep
from hebbax.comparison.results import Row, collect, write
from small_run import small_config


def test_files_hold_the_rows(tmp_path: Path):
    """Numbers come back bit for bit; what is not a number is an empty cell and null.

    Missing scores are listed.

    Mutation: `NaN` in the JSON is refused by other languages' readers, and by this test's.
    """
    folder = make_sweep(
        tmp_path / "sweep", {"individual": small_config()}, range(2), {"individual": (10.0, 9.0)}
    )
    shutil.rmtree(folder / "runs" / "individual" / "light" / "seed-0")
    file = folder / "runs" / "individual" / "light" / "seed-1" / "evaluation.json"
    change(
        file, scores=[score | {"std": math.nan} for score in json.loads(file.read_text())["scores"]]
    )
    results = write(folder)
    assert str(collect(folder)) == str(results)

    with (folder / "results.csv").open(newline="") as stream:
        cells = list(csv.DictReader(stream))
    plain = json.loads((folder / "results.json").read_text(), parse_constant=lambda name: int(name))
    assert len(cells) == len(plain["rows"]) == len(results.rows) == 5 * 3 * 2
    assert plain["missing"] == [missing._asdict() for missing in results.missing]
    assert len(plain["missing"]) == 2
    for row, line, entry in zip(results.rows, cells, plain["rows"], strict=True):
        assert tuple(line) == tuple(entry) == Row._fields
        assert (line["method"], line["variation"], float(line["mean"])) == (
            row.method,
            row.variation,
            row.mean,
        )
        assert entry["mean"] == row.mean
        assert line["is_held_out"] == str(row.is_held_out)
        assert math.isnan(row.std) == (line["std"] == "") == (entry["std"] is None)
    assert sum(line["std"] == "" for line in cells) == 3
