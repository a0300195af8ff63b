"""Methods side by side, on scores that are small enough to work out by hand."""

import math
from pathlib import Path

import numpy as np
import pytest

from hebbax.comparison.results import (
    Results,
    Row,
    Run,
    generalisation_matrix,
    improvements,
    scores_by_fold,
    summarise,
)
from hebbax.statistics import stratified_interval

NAN = math.nan


def row(
    method: str,
    fold: str,
    seed: int,
    variation: str,
    mean: float,
    kind: str = "mode",
    non_finite: int = 0,
) -> Row:
    return Row(
        method,
        fold,
        seed,
        kind,
        variation,
        variation == fold,
        10,
        mean,
        1.0,
        0.0,
        1.0,
        non_finite,
        0.0,
        5,
        8,
    )


def results(scores: dict[tuple[str, str, int], tuple[float, float]]) -> Results:
    """A sweep over the variations `x` and `y`: of each method, fold and seed the scores in both.

    No scores where they are left out.
    """
    runs = [
        Run(method, fold, seed, Path())
        for method in ("one", "two")
        for fold in ("x", "y")
        for seed in (0, 1)
    ]
    rows = [
        row(*run, variation, mean)
        for run, means in scores.items()
        for variation, mean in zip(("x", "y"), means, strict=True)
    ]
    return Results(runs, rows, [])


WHOLE = {
    ("one", "x", 0): (1.0, 10.0),
    ("one", "x", 1): (3.0, 14.0),
    ("one", "y", 0): (20.0, 5.0),
    ("one", "y", 1): (22.0, 9.0),
    ("two", "x", 0): (2.0, 11.0),
    ("two", "x", 1): (4.0, 11.0),
    ("two", "y", 0): (20.0, 5.0),
    ("two", "y", 1): (20.0, 1.0),
}


def test_matrix_by_hand():
    """Each cell is a mean over the runs that held the variation out, or trained on it.

    Mutation: swapped, they differ.
    """
    matrix = generalisation_matrix(results(WHOLE))
    assert (matrix.methods, matrix.variations) == (["one", "two"], ["x", "y"])
    np.testing.assert_array_equal(matrix.held_out, [[2.0, 7.0], [3.0, 3.0]])
    np.testing.assert_array_equal(matrix.trained_on, [[21.0, 12.0], [20.0, 11.0]])
    np.testing.assert_array_equal(matrix.num_held_out, np.full((2, 2), 2))
    np.testing.assert_array_equal(matrix.num_trained_on, np.full((2, 2), 2))
    np.testing.assert_array_equal(matrix.num_failed, np.zeros((2, 2)))


def test_failed_runs_are_counted_in_the_matrix():
    """A score that is not finite is left out of the mean and counted.

    Where none is left there is no mean.
    """
    matrix = generalisation_matrix(
        results(WHOLE | {("one", "x", 0): (NAN, NAN), ("one", "x", 1): (NAN, 14.0)})
    )
    np.testing.assert_array_equal(matrix.held_out[0], [NAN, 7.0])
    np.testing.assert_array_equal(matrix.trained_on[0], [21.0, 14.0])
    np.testing.assert_array_equal(matrix.num_failed[0], [2, 1])
    np.testing.assert_array_equal(matrix.num_held_out[0], [0, 2])


def test_summary_by_hand():
    """Of the four held-out scores 1, 3, 5, 9 the middle two remain.

    The interval is that of the folds as strata.
    """
    summaries = {
        (summary.method, summary.is_held_out): summary for summary in summarise(results(WHOLE))
    }
    assert list(summaries) == [("one", True), ("one", False), ("two", True), ("two", False)]
    held_out = summaries["one", True]
    assert held_out.iqm == 4.0
    assert (held_out.low, held_out.high) == stratified_interval(
        [np.asarray([1.0, 3.0]), np.asarray([5.0, 9.0])]
    )
    assert summaries["one", False].iqm == (14.0 + 20.0) / 2
    assert held_out[5:] == (4, 0, 0, 0)


def test_training_score_is_a_mean_over_variations():
    """A run with three variations has two that it was trained on, whose mean is its score.

    One that failed makes the run a failed one.

    Mutation: a mean over the finite ones would be 2, a score in another set of variations.
    """
    rows = [
        row("one", "x", 0, "x", 9.0),
        row("one", "x", 0, "y", 2.0),
        row("one", "x", 0, "z", 4.0),
    ]
    rows += [
        row("one", "x", 1, "x", 9.0),
        row("one", "x", 1, "y", 2.0),
        row("one", "x", 1, "z", NAN, non_finite=10),
    ]
    made = Results([Run("one", "x", seed, Path()) for seed in (0, 1)], rows, [])
    np.testing.assert_array_equal(scores_by_fold(made, "one", is_held_out=False)["x"], [3.0, NAN])
    held_out, trained_on = summarise(made)
    assert (held_out.num_runs, held_out.num_failed, held_out.non_finite) == (2, 0, 0)
    assert (trained_on.num_runs, trained_on.num_failed, trained_on.non_finite, trained_on.iqm) == (
        1,
        1,
        10,
        3.0,
    )


def test_missing_runs_are_counted():
    """Three of a method's four runs have scores.

    One is missing, and a fold with a single run leaves no interval. A method may have none at all.
    """
    scores = {
        run: means for run, means in WHOLE.items() if run[0] == "one" and run != ("one", "y", 1)
    }
    one, _, two, _ = summarise(results(scores))
    assert (one.num_runs, one.num_missing, one.iqm) == (3, 1, 3.0)
    assert np.isnan([one.low, one.high]).all()
    assert (two.num_runs, two.num_missing) == (0, 4)
    assert math.isnan(two.iqm)


def test_kinds_are_kept_apart():
    made = Results(
        [Run("one", "x", 0, Path())],
        [row("one", "x", 0, "x", 1.0), row("one", "x", 0, "x", 7.0, kind="samples")],
        [],
    )
    assert summarise(made)[0].iqm == 1.0
    assert summarise(made, "samples")[0].iqm == 7.0
    assert generalisation_matrix(made, "samples").held_out == [[7.0]]


def test_improvement_by_hand():
    """Held out, `two` wins three of four pairs in `x`.

    In `y` it has one draw and three losses: (3 / 4 + 1 / 8) / 2.
    """
    [improvement] = improvements(results(WHOLE), "one")
    assert improvement[:4] == ("two", "one", True, pytest.approx((3 / 4 + 1 / 8) / 2))
    assert improvement.low <= improvement.probability <= improvement.high
    assert improvement.num_folds == 2
    [reverse] = improvements(results(WHOLE), "two")
    assert reverse.probability == pytest.approx(1 - improvement.probability)


def test_improvement_is_over_shared_folds():
    """Only `x` has runs of both; without any such fold nothing can be said."""
    scores = {run: means for run, means in WHOLE.items() if run[:2] != ("two", "y")}
    [improvement] = improvements(results(scores), "one")
    assert (improvement.probability, improvement.num_folds) == (3 / 4, 1)
    [nothing] = improvements(
        results({run: means for run, means in WHOLE.items() if run[0] == "one"}), "one"
    )
    assert math.isnan(nothing.probability)
    assert nothing.num_folds == 0


def test_unknown_reference_is_refused():
    with pytest.raises(
        ValueError, match="reference is 'three', but must be one of the sweep's methods: one, two"
    ):
        improvements(results(WHOLE), "three")
