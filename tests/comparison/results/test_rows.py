"""A sweep's rows: all that is there, and a reason for all that is not."""

import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest

import hebbax
from fake_sweep import EPISODES, change, make_sweep
from hebbax.comparison.results import Missing, Results, collect, read_sweep
from small_run import small_config

RUN = Path("runs", "individual", "heavy", "seed-1")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A whole sweep of two methods over three folds and two seeds."""
    configs = {
        "static": small_config(policy=hebbax.Static(hidden_sizes=(3,))),
        "individual": small_config(),
    }
    return make_sweep(
        tmp_path / "sweep", configs, range(2), {"static": (10.0, 5.0), "individual": (10.0, 9.0)}
    )


def reason_of(results: Results, kind: str) -> str:
    """Why the scores of the one broken run are missing, where nothing else is."""
    [missing] = [missing for missing in results.missing if missing.kind == kind]
    assert missing[:3] == ("individual", "heavy", 1)
    return missing.reason


def test_every_score_has_a_row(folder: Path):
    """Two methods, three folds, two seeds, three variations, two kinds.

    Each row as the files have it.
    """
    results = collect(folder)
    assert results.missing == []
    assert len(results.runs) == 12
    assert len(results.rows) == 12 * 3 * 2
    assert results.methods == ["static", "individual"]
    assert results.variations == ["light", "medium", "heavy"]
    assert all(row.is_held_out == (row.variation == row.fold) for row in results.rows)

    [row] = [
        row for row in results.rows if row[:5] == ("individual", "heavy", 1, "samples", "light")
    ]
    [score] = [
        score
        for score in json.loads((folder / RUN / "evaluation-samples.json").read_text())["scores"]
        if score["variation"] == "light"
    ]
    assert (row.mean, row.std, row.low, row.high) == (
        score["mean"],
        score["std"],
        score["low"],
        score["high"],
    )
    assert (row.episodes, row.non_finite, row.ended_early) == (EPISODES, 0, 0.25)
    assert (row.generations, row.population_size) == (4, 8)


def test_run_that_has_not_begun_is_missing(folder: Path):
    shutil.rmtree(folder / RUN)
    results = collect(folder)
    assert results.missing == [
        Missing("individual", "heavy", 1, kind, "has not begun") for kind in ("mode", "samples")
    ]
    assert len(results.rows) == 11 * 3 * 2


def test_run_that_is_not_evaluated_is_missing(folder: Path):
    """It says how far the run came.

    Mutation: an absent file taken for no scores drops the run without a word.
    """
    (folder / RUN / "evaluation.json").unlink()
    metrics = folder / RUN / "metrics.jsonl"
    metrics.write_text("".join(metrics.read_text().splitlines(keepends=True)[:3]))
    results = collect(folder)
    assert reason_of(results, "mode") == "3 of 4 generations, not evaluated"
    assert len(results.rows) == 12 * 3 * 2 - 3


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"is_sampled": True}, "individuals drawn from the last genome"),
        ({"is_best": True}, "the mode of the best genome"),
        ({"scores": [{}]}, "evaluation.json cannot be read"),
        ({"scores": 3}, "evaluation.json cannot be read"),
    ],
)
def test_scores_of_something_else_are_missing(folder: Path, changes: dict[str, Any], words: str):
    """`hebbax evaluate RUN --best` writes to the same file.

    Such scores are not taken for those of the mode.
    """
    change(folder / RUN / "evaluation.json", **changes)
    assert words in reason_of(collect(folder), "mode")


@pytest.mark.parametrize(
    ("name", "words"),
    [("evaluation.json", "evaluation.json cannot be read"), ("metrics.jsonl", "is damaged")],
)
def test_damaged_file_is_named(folder: Path, name: str, words: str):
    (folder / RUN / name).write_text("{half\n")
    assert words in reason_of(collect(folder), "mode")


def test_scores_that_are_no_numbers_stay(folder: Path):
    """A run all of whose episodes failed in one variation has its row, with the count."""
    file = folder / RUN / "evaluation.json"
    scores = json.loads(file.read_text())["scores"]
    scores[0] |= {"mean": math.nan, "low": math.nan, "non_finite": EPISODES}
    change(file, scores=scores)
    results = collect(folder)
    [row] = [row for row in results.rows if math.isnan(row.mean)]
    assert (row.method, row.seed, row.variation, row.non_finite) == (
        "individual",
        1,
        "light",
        EPISODES,
    )
    assert results.missing == []


def test_folder_without_sweep_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match=f"{tmp_path} is no sweep: it has no sweep.json"):
        collect(tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "cannot be read"),
        ('{"format": 2}', "format 2"),
        ('{"format": 1, "runs": [{}]}', "'method'"),
        ("[]", "cannot be read"),
    ],
)
def test_unreadable_sweep_is_refused(tmp_path: Path, text: str, words: str):
    (tmp_path / "sweep.json").write_text(text)
    with pytest.raises(ValueError, match=words):
        read_sweep(tmp_path)
