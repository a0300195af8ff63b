"""Methods side by side: which generalises where, and how sure that is."""

from typing import NamedTuple

import numpy as np

from hebbax import statistics
from hebbax.comparison.results.rows import Results, Row


class Matrix(NamedTuple):
    """Mean scores of every method in every variation, over seeds and folds.

    methods, variations: names of the rows and the columns.
    held_out: `[methods, variations]` mean score of the runs that were trained without the
        variation; NaN where there is none.
    trained_on: `[methods, variations]` mean score of the runs that were trained on it.
    num_held_out, num_trained_on: `[methods, variations]` runs behind each mean.
    num_failed: `[methods, variations]` runs of either kind that are left out because their score is
        not finite.
    """

    methods: list[str]
    variations: list[str]
    held_out: np.ndarray
    trained_on: np.ndarray
    num_held_out: np.ndarray
    num_trained_on: np.ndarray
    num_failed: np.ndarray


class Summary(NamedTuple):
    """What a method scores over all folds and seeds.

    A run's score is its mean return in the held-out variation, or the mean over the variations that
    it was trained on.

    method: its name.
    is_held_out: whether the scores are those of the held-out variations.
    iqm: interquartile mean over the runs.
    low, high: its stratified bootstrap 95% interval; NaN while a fold has fewer than two runs.
    num_runs: runs behind the figures.
    num_failed: runs that are left out because a score of theirs is not finite.
    num_missing: runs that are wanted and have no score yet.
    non_finite: episodes whose return is not finite, in all runs.
    """

    method: str
    is_held_out: bool
    iqm: float
    low: float
    high: float
    num_runs: int
    num_failed: int
    num_missing: int
    non_finite: int


class Improvement(NamedTuple):
    """How probable it is that a method's run beats one of the reference in the same fold.

    method, reference: their names.
    is_held_out: whether the scores are those of the held-out variations.
    probability: averaged over the folds that both have runs in.
    low, high: its stratified bootstrap 95% interval; NaN while one of the folds has fewer than two
        runs of either.
    num_folds: how many folds these are.
    """

    method: str
    reference: str
    is_held_out: bool
    probability: float
    low: float
    high: float
    num_folds: int


def generalisation_matrix(results: Results, kind: str = "mode") -> Matrix:
    """The generalisation matrix of a sweep.

    Of each method and variation, the score when it was held out beside that when it was trained on.

    Args:
        results: of a sweep.
        kind: "mode" or "samples".

    Examples:
        >>> import hebbax
        >>> from hebbax.comparison import results
        >>> task, policy = hebbax.tasks.Point(), hebbax.Hebbian(hidden_sizes=())
        >>> strategy = hebbax.ScoreFunction(population_size=4)
        >>> config = hebbax.Config(task, policy, hebbax.Normal(), strategy, generations=2)
        >>> runs = hebbax.sweep({"hebbian": config}, "sweep", ["mirrored"], seeds=1, episodes=4)
        >>> matrix = results.generalisation_matrix(results.collect("sweep"))
        >>> matrix.methods, matrix.num_held_out.tolist()
        (['hebbian'], [[0, 0, 0, 1]])
    """
    methods, variations = results.methods, results.variations
    cells = [
        [_cell(results.rows, kind, method, variation) for variation in variations]
        for method in methods
    ]
    columns = [np.asarray([[cell[i] for cell in row] for row in cells]) for i in range(5)]
    return Matrix(methods, variations, *columns)


def summarise(results: Results, kind: str = "mode") -> list[Summary]:
    """The interquartile means of all methods, held out and trained on.

    Args:
        results: of a sweep.
        kind: "mode" or "samples".

    Returns:
        Two summaries for each method, in the sweep's order, the held-out one first.

    Examples:
        >>> import hebbax
        >>> from hebbax.comparison import results
        >>> task, policy = hebbax.tasks.Point(), hebbax.Hebbian(hidden_sizes=())
        >>> strategy = hebbax.ScoreFunction(population_size=4)
        >>> config = hebbax.Config(task, policy, hebbax.Normal(), strategy, generations=2)
        >>> runs = hebbax.sweep({"hebbian": config}, "sweep", ["mirrored"], seeds=1, episodes=4)
        >>> held_out, trained_on = results.summarise(results.collect("sweep"))
        >>> held_out.method, held_out.num_runs, held_out.num_missing
        ('hebbian', 1, 0)
    """
    return [
        _summary(results, kind, method, is_held_out)
        for method in results.methods
        for is_held_out in (True, False)
    ]


def improvements(
    results: Results, reference: str, kind: str = "mode", *, is_held_out: bool = True
) -> list[Improvement]:
    """The probability of improvement of every other method over a reference.

    Args:
        results: of a sweep.
        reference: the method that the others are compared with.
        kind: "mode" or "samples".
        is_held_out: whether to compare the scores in the held-out variations, or in those trained
            on.

    Raises:
        ValueError: if the sweep has no such method.

    Examples:
        >>> import hebbax
        >>> from hebbax.comparison import results
        >>> task, policy = hebbax.tasks.Point(), hebbax.Hebbian(hidden_sizes=())
        >>> strategy = hebbax.ScoreFunction(population_size=4)
        >>> config = hebbax.Config(task, policy, hebbax.Normal(), strategy, generations=2)
        >>> methods = {"hebbian": config, "again": config}
        >>> runs = hebbax.sweep(methods, "sweep", ["mirrored"], seeds=1, episodes=4)
        >>> found = results.collect("sweep")
        >>> [improvement] = results.improvements(found, reference="hebbian")
        >>> improvement.method, improvement.probability
        ('again', 0.5)
    """
    if reference not in results.methods:
        raise ValueError(
            f"reference is {reference!r}, but must be one of the sweep's methods: "
            f"{', '.join(results.methods)}"
        )
    theirs = _finite(scores_by_fold(results, reference, kind, is_held_out=is_held_out))
    compared = []
    for method in results.methods:
        if method != reference:
            ours = _finite(scores_by_fold(results, method, kind, is_held_out=is_held_out))
            shared = [fold for fold in ours if fold in theirs]
            pair = [ours[fold] for fold in shared], [theirs[fold] for fold in shared]
            probability, (low, high) = (
                statistics.probability_of_improvement(*pair),
                statistics.improvement_interval(*pair),
            )
            compared.append(
                Improvement(method, reference, is_held_out, probability, low, high, len(shared))
            )
    return compared


def scores_by_fold(
    results: Results, method: str, kind: str = "mode", *, is_held_out: bool
) -> dict[str, np.ndarray]:
    """The scores of a method's runs by fold, which are the strata of all statistics.

    Returns:
        `[runs]` for each fold with runs; NaN for a run that has a score which is not finite,
        because a mean over the others would be of other variations.

    Examples:
        >>> import hebbax
        >>> from hebbax.comparison import results
        >>> task, policy = hebbax.tasks.Point(), hebbax.Hebbian(hidden_sizes=())
        >>> strategy = hebbax.ScoreFunction(population_size=4)
        >>> config = hebbax.Config(task, policy, hebbax.Normal(), strategy, generations=2)
        >>> runs = hebbax.sweep({"hebbian": config}, "sweep", ["mirrored"], seeds=1, episodes=4)
        >>> found = results.collect("sweep")
        >>> scores = results.scores_by_fold(found, "hebbian", is_held_out=True)
        >>> scores["mirrored"].shape
        (1,)
    """
    means: dict[tuple[str, int], list[float]] = {}
    for row in results.rows:
        if (row.method, row.kind, row.is_held_out) == (method, kind, is_held_out):
            means.setdefault((row.fold, row.seed), []).append(row.mean)
    folds: dict[str, list[float]] = {}
    for (fold, _), values in means.items():
        folds.setdefault(fold, []).append(
            float(np.mean(values)) if np.all(np.isfinite(values)) else float("nan")
        )
    return {fold: np.asarray(scores) for fold, scores in folds.items()}


def _cell(
    rows: list[Row], kind: str, method: str, variation: str
) -> tuple[float, float, int, int, int]:
    here = [
        row for row in rows if (row.kind, row.method, row.variation) == (kind, method, variation)
    ]
    means = [
        np.asarray([row.mean for row in here if row.is_held_out == is_held_out])
        for is_held_out in (True, False)
    ]
    held_out, trained_on = [scores[np.isfinite(scores)] for scores in means]
    num_failed = len(here) - held_out.size - trained_on.size
    return _mean(held_out), _mean(trained_on), held_out.size, trained_on.size, num_failed


def _mean(scores: np.ndarray) -> float:
    return float(np.mean(scores)) if scores.size else float("nan")


def _summary(results: Results, kind: str, method: str, is_held_out: bool) -> Summary:
    everyone = scores_by_fold(results, method, kind, is_held_out=is_held_out)
    strata = list(_finite(everyone).values())
    scores = np.concatenate(strata) if strata else np.zeros(0)
    num_scored = sum(fold.size for fold in everyone.values())
    low, high = statistics.stratified_interval(strata)
    return Summary(
        method=method,
        is_held_out=is_held_out,
        iqm=float(statistics.interquartile_mean(scores)),
        low=low,
        high=high,
        num_runs=scores.size,
        num_failed=num_scored - scores.size,
        num_missing=sum(run.method == method for run in results.runs) - num_scored,
        non_finite=sum(
            row.non_finite
            for row in results.rows
            if (row.method, row.kind, row.is_held_out) == (method, kind, is_held_out)
        ),
    )


def _finite(folds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The scores that are finite, of the folds that have any."""
    kept = {fold: scores[np.isfinite(scores)] for fold, scores in folds.items()}
    return {fold: scores for fold, scores in kept.items() if scores.size}
