"""How fitness rose over the generations, for each method."""

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from hebbax import statistics
from hebbax.comparison.results.rows import Results
from hebbax.evolution.run_dir import read_metrics

RESAMPLES = 999  # At each generation; a curve has many, and its eye-sight is poorer than a table's.


class Curve(NamedTuple):
    """A metric of a method's runs over the generations, which are counted from 0.

    method: its name.
    iqm: `[generations]` interquartile mean over the runs; as long as the longest of them.
    low, high: `[generations]` its stratified bootstrap 95% interval; NaN where a fold has fewer
        than two runs.
    num_runs: `[generations]` runs behind the figure: those that came so far, and whose metric is
        finite.
    num_wanted: runs that the sweep wants.
    """

    method: str
    iqm: np.ndarray
    low: np.ndarray
    high: np.ndarray
    num_runs: np.ndarray
    num_wanted: int


def learning_curves(results: Results, metric: str = "fitness_mean") -> list[Curve]:
    """The learning curves of all methods of a sweep, read from the metrics of its runs.

    Args:
        results: of the sweep, whose runs need not be evaluated, nor complete.
        metric: any number of a run's metrics, such as "fitness_mean", the population's mean fitness
            in the training variations.

    Raises:
        ValueError: if a run's metrics are damaged.

    Examples:
        >>> import hebbax
        >>> from hebbax.comparison import results
        >>> task, policy = hebbax.tasks.Point(), hebbax.Hebbian(hidden_sizes=())
        >>> strategy = hebbax.ScoreFunction(population_size=4)
        >>> config = hebbax.Config(task, policy, hebbax.Normal(), strategy, generations=2)
        >>> result = hebbax.train(config, "runs/point")
        >>> [curve] = results.learning_curves(results.collect_run("runs/point"))
        >>> curve.method, curve.iqm.shape
        ('point', (2,))
    """
    return [
        _curve(results, method, lambda metrics, fold: metrics.get(metric))
        for method in results.methods
    ]


def held_out_curves(results: Results) -> list[Curve]:
    """The scores of the genomes' modes in the held-out variations while they evolved.

    There are figures where `Config.evaluate_every` asked for an evaluation, and NaN between them.

    Args:
        results: of the sweep, whose runs need not be evaluated, nor complete.

    Raises:
        ValueError: if a run's metrics are damaged.

    Examples:
        >>> import dataclasses
        >>> import hebbax
        >>> from hebbax.comparison import results
        >>> task, policy = hebbax.tasks.Point(), hebbax.Hebbian(hidden_sizes=())
        >>> strategy = hebbax.ScoreFunction(population_size=4)
        >>> config = hebbax.Config(task, policy, hebbax.Normal(), strategy, generations=2)
        >>> config = dataclasses.replace(config, held_out="mirrored", evaluate_every=2)
        >>> result = hebbax.train(config, "runs/point")
        >>> found = results.collect_run("runs/point")
        >>> results.held_out_curves(found)[0].num_runs.tolist()
        [0, 1]
    """
    return [
        _curve(results, method, lambda metrics, fold: metrics.get("scores", {}).get(fold))
        for method in results.methods
    ]


def _curve(
    results: Results, method: str, read: Callable[[dict[str, Any], str], float | None]
) -> Curve:
    """The curve of what is read from a generation's metrics and the run's fold."""
    runs = [run for run in results.runs if run.method == method]
    folds: dict[str, list[list[float]]] = {}
    for run in runs:
        values = [read(metrics, run.fold) for metrics in read_metrics(run.path)]
        # What is missing, or null in the file because it was not finite, is no number.
        folds.setdefault(run.fold, []).append(
            [math.nan if value is None else float(value) for value in values]
        )
    # In the order of the generations; what comes after a run's end is no number either.
    columns = [itertools.zip_longest(*fold, fillvalue=math.nan) for fold in folds.values()]
    figures = [_at(strata) for strata in itertools.zip_longest(*columns, fillvalue=())]
    iqm, low, high, num_runs = (
        (np.asarray(column) for column in zip(*figures, strict=True))
        if figures
        else [np.zeros(0)] * 4
    )
    return Curve(method, iqm, low, high, num_runs, num_wanted=len(runs))


def _at(folds: Iterable[Sequence[float]]) -> tuple[float, float, float, int]:
    """Interquartile mean, interval and number of runs at one generation."""
    finite = [np.asarray([score for score in fold if math.isfinite(score)]) for fold in folds]
    strata = [scores for scores in finite if scores.size]
    scores = np.concatenate(strata) if strata else np.zeros(0)
    low, high = statistics.stratified_interval(strata, resamples=RESAMPLES)
    return float(statistics.interquartile_mean(scores)), low, high, scores.size
