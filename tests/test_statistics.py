"""Figures of few runs: worked by hand, against rliable, and as sure as they say."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats

from hebbax.statistics import (
    RESAMPLES,
    bootstrap_interval,
    difference_interval,
    improvement_interval,
    interquartile_mean,
    mean,
    probability_of_improvement,
    stratified_interval,
)

GOLDEN = Path(__file__).parent / "golden" / "rliable_figures.json"
SIMULATIONS = 400


@pytest.fixture(scope="module")
def golden() -> dict[str, Any]:
    return json.loads(GOLDEN.read_text())


def strata(golden: dict[str, Any], name: str) -> list[np.ndarray]:
    """The scores of a method by task."""
    return list(np.asarray(golden["scores"][name]).T)


def test_interquartile_mean_by_hand():
    """Of nine scores two are dropped at each end, of four one, of three none.

    Each row has its own mean.

    Mutation: to round the quarter up instead of down drops one of three.
    """
    assert (
        interquartile_mean(np.asarray([9.0, 1, 2, 30, 4, 5, -60, 7, 8])) == (2 + 4 + 5 + 7 + 8) / 5
    )
    assert interquartile_mean(np.asarray([[0.0, 10, 20, 100], [1, 1, 3, 3]])).tolist() == [
        15.0,
        2.0,
    ]
    assert interquartile_mean(np.asarray([1.0, 2, 9])) == 4.0


def test_interquartile_mean_of_odd_values():
    """Nothing has no mean; a NaN is not dropped as if it were the highest score.

    Mutation: without the look for NaN the mean is 2.
    """
    assert np.isnan(interquartile_mean(np.zeros(0)))
    assert np.isnan(interquartile_mean(np.asarray([1.0, 2, 2, np.nan])))
    assert interquartile_mean(np.asarray([5.0])) == 5.0


def test_improvement_by_hand():
    """In the first stratum five of six pairs are won and one is a draw, in the second one of two.

    (5.5 / 6 + 1 / 2) / 2.

    Mutation: to pool all pairs instead of averaging over the strata gives 6.5 / 8.
    """
    ours = [np.asarray([3.0, 5.0, 6.0]), np.asarray([1.0])]
    theirs = [np.asarray([2.0, 3.0]), np.asarray([0.0, 2.0])]
    assert probability_of_improvement(ours, theirs) == pytest.approx((5.5 / 6 + 1 / 2) / 2)
    assert probability_of_improvement(theirs, ours) == pytest.approx(1 - (5.5 / 6 + 1 / 2) / 2)
    assert probability_of_improvement(ours, ours) == pytest.approx(0.5)


def test_improvement_of_odd_values():
    """Without runs, and with a NaN, nothing can be said."""
    one, pair = [np.ones(1)], [np.asarray([1.0, 2.0])]
    assert math.isnan(probability_of_improvement([], []))
    assert math.isnan(probability_of_improvement(one, [np.zeros(0)]))
    assert math.isnan(probability_of_improvement([np.asarray([1.0, np.nan])], pair))
    assert np.isnan(improvement_interval(one, pair)).all()
    assert np.isnan(improvement_interval(pair, one)).all()


def test_figures_are_those_of_rliable(golden: dict[str, Any]):
    """Two methods with different numbers of runs, and with equal scores to the last digits."""
    for name, value in golden["interquartile_mean"].items():
        assert interquartile_mean(np.concatenate(strata(golden, name))) == pytest.approx(
            value, rel=1e-12
        )
    probability = probability_of_improvement(strata(golden, "other"), strata(golden, "base"))
    assert probability == pytest.approx(golden["probability_of_improvement"], rel=1e-12)


def quantile_error(golden: dict[str, Any]) -> float:
    """Five standard errors of two bootstraps' 2.5% quantiles, by the interval's width.

    A quantile of R draws has the standard error sqrt(p (1 - p) / R) / density; of a normal
    distribution the density is 0.0584 standard deviations there, and the interval 3.92 of them
    wide.
    """
    spread = math.sqrt(0.025 * 0.975 * (1 / RESAMPLES + 1 / golden["resamples"]))
    return 5 * spread / scipy.stats.norm.pdf(scipy.stats.norm.ppf(0.025)) / 3.92


def test_intervals_are_those_of_rliable(golden: dict[str, Any]):
    """Ends of the intervals within five standard errors of the resampling, 4% of the width.

    Mutation: draws from all strata together make other intervals.
    """
    for name, (low, high) in golden["interval"].items():
        allowed = quantile_error(golden) * (high - low)
        assert stratified_interval(strata(golden, name)) == pytest.approx((low, high), abs=allowed)
    low, high = golden["improvement_interval"]
    allowed = quantile_error(golden) * (high - low)
    assert improvement_interval(strata(golden, "other"), strata(golden, "base")) == pytest.approx(
        (low, high), abs=allowed
    )


@pytest.mark.parametrize("num_runs", [2, 10])
def test_interval_covers_as_often_as_it_should(num_runs: int):
    """As many intervals cover the true mean as follows from what the bootstrap sees.

    Of normal scores in five folds, to five binomial standard errors.

    It sees (n - 1) / n of the variance, in which there are 5 (n - 1) degrees of freedom: P(|t| <
    1.96 sqrt((n - 1) / n)) is 78% for two runs a fold and 93% for ten. Folds lie far apart, which
    must not matter. Mutations: a confidence of 0.8, and draws from all folds together, fail.
    """
    expected = 1 - 2 * scipy.stats.t.sf(
        1.96 * math.sqrt((num_runs - 1) / num_runs), df=5 * (num_runs - 1)
    )
    centres = 10.0 * np.arange(5)
    scores = np.random.default_rng(0).normal(loc=centres[:, None], size=(SIMULATIONS, 5, num_runs))
    intervals = [stratified_interval(list(one), mean, resamples=999) for one in scores]
    covered = np.mean([low <= centres.mean() <= high for low, high in intervals])
    assert abs(covered - expected) < 5 * math.sqrt(expected * (1 - expected) / SIMULATIONS), (
        covered,
        expected,
    )


def test_improvement_interval_covers_as_often_as_it_should():
    """Two methods that do not differ.

    Their probability is 0.5, which about 95% of the intervals contain, to five binomial standard
    errors.

    With ten runs in each of five folds the bootstrap sees nine tenths of the variance, as for a
    mean; that leaves 93%.
    """
    scores = np.random.default_rng(1).normal(size=(SIMULATIONS, 2, 5, 10))
    intervals = [
        improvement_interval(list(ours), list(theirs), resamples=999) for ours, theirs in scores
    ]
    covered = np.mean([low <= 0.5 <= high for low, high in intervals])
    assert abs(covered - 0.93) < 5 * math.sqrt(0.93 * 0.07 / SIMULATIONS), covered


def test_interval_is_that_of_the_central_limit():
    """For many numbers the half-width is 1.96 standard errors, within the noise of 9999 resamples.

    About 2% of it, times five.
    """
    values = np.random.default_rng(1).exponential(size=2000)
    low, high = bootstrap_interval(values)
    assert (high - low) / 2 == pytest.approx(1.96 * values.std() / np.sqrt(2000), rel=0.1)


def test_difference_is_as_wide_as_it_should_be():
    """For many runs 1.96 root sums of both squared standard errors, around the difference.

    Mutations: one of the two drawn once; the same draws for both.
    """
    random = np.random.default_rng(2)
    ours = [random.normal(3.0, 2.0, size=1000) for _ in range(2)]
    theirs = [random.normal(1.0, 1.0, size=500) for _ in range(2)]
    low, high = difference_interval(ours, theirs, mean)
    assert (high - low) / 2 == pytest.approx(1.96 * math.sqrt(4 / 2000 + 1 / 1000), rel=0.1)
    difference = np.mean(np.concatenate(ours)) - np.mean(np.concatenate(theirs))
    assert (high + low) / 2 == pytest.approx(difference, abs=0.01)
    equal = np.arange(20.0)
    assert difference_interval([equal], [equal])[0] < -1
    assert np.isnan(difference_interval([np.ones(1)], theirs[:1])).all()
    assert np.isnan(difference_interval(theirs[:1], [np.ones(1)])).all()


def test_interval_of_odd_values():
    """Equal values have an interval without width.

    Of a single value, or of none, nothing can be said, also where other strata have more.
    """
    assert bootstrap_interval(np.full(5, 2.0)) == (2.0, 2.0)
    assert np.isnan(bootstrap_interval(np.asarray([1.0]))).all()
    assert np.isnan(bootstrap_interval(np.asarray([]))).all()
    assert np.isnan(stratified_interval([])).all()
    assert np.isnan(stratified_interval([np.arange(3.0), np.ones(1)])).all()


def test_interval_is_the_same_at_every_call():
    """Nobody's generator is touched, and none is needed."""
    scores = list(np.random.default_rng(2).normal(size=(5, 3)))
    before = np.random.get_state()[2]  # noqa: NPY002
    assert stratified_interval(scores) == stratified_interval(scores)
    assert np.random.get_state()[2] == before  # noqa: NPY002
