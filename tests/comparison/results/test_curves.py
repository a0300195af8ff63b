"""Learning curves of runs that are whole, half and not begun."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from hebbax.comparison.results import Results, Run, learning_curves
from hebbax.statistics import stratified_interval


@pytest.fixture
def results(tmp_path: Path) -> Results:
    """Two folds with two runs each, of three generations.

    Fitness is ten times the generation plus the run's number.
    """
    runs = [
        Run("one", fold, seed, tmp_path / fold / str(seed))
        for fold in ("x", "y")
        for seed in (0, 1)
    ]
    for number, run in enumerate(runs):
        run.path.mkdir(parents=True)
        write_fitness(run.path, [10.0 * generation + number for generation in range(3)])
    return Results(runs, [], [])


def write_fitness(path: Path, fitness: list[float | None]) -> None:
    (path / "metrics.jsonl").write_text(
        "".join(json.dumps({"fitness_mean": value}) + "\n" for value in fitness)
    )


def test_curve_is_the_interquartile_mean(results: Results):
    """Of 0, 1, 2, 3 the middle two remain, with the interval of the folds as strata.

    Ten more at each generation.
    """
    [curve] = learning_curves(results)
    np.testing.assert_allclose(curve.iqm, [1.5, 11.5, 21.5])
    ends = stratified_interval([np.asarray([0.0, 1.0]), np.asarray([2.0, 3.0])], resamples=999)
    np.testing.assert_allclose(curve.low - 10.0 * np.arange(3), ends[0])
    np.testing.assert_allclose(curve.high - 10.0 * np.arange(3), ends[1])
    assert (curve.num_runs.tolist(), curve.num_wanted) == ([4, 4, 4], 4)


@pytest.mark.parametrize("missing", [float("nan"), None])
def test_shorter_runs_are_counted(results: Results, missing: float | None):
    """Unfinished, failed and missing runs leave the others.

    And no interval where a fold has one run.

    Mutations: to cut all curves to the shortest run leaves nothing here; a figure that is null in
    the file is no number.
    """
    write_fitness(results.runs[0].path, [0.0])
    write_fitness(results.runs[2].path, [2.0, missing, 22.0])
    shutil.rmtree(results.runs[1].path)
    [curve] = learning_curves(results)
    assert (curve.num_runs.tolist(), curve.num_wanted) == ([3, 1, 2], 4)
    np.testing.assert_allclose(curve.iqm, [5 / 3, 13.0, 22.5])
    assert np.isfinite(curve.low).tolist() == [False, False, True]


def test_curve_of_nothing_is_empty(tmp_path: Path):
    [curve] = learning_curves(Results([Run("one", "x", 0, tmp_path / "nowhere")], [], []))
    assert (curve.iqm.size, curve.num_runs.size, curve.num_wanted) == (0, 0, 1)


def test_any_metric_has_a_curve(results: Results):
    """One that a run does not have has no runs behind it."""
    [curve] = learning_curves(results, "rules_in_use")
    assert curve.num_runs.tolist() == [0, 0, 0]
    assert np.isnan(curve.iqm).all()
