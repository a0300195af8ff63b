"""What can be said from few runs.

Interquartile means, bootstrap intervals, and how probable an improvement is.

Scores come in strata, one for each fold (a task, in the words of the source): the scores of its
runs. Folds need not have equally many. Scores are finite; a NaN among them makes a NaN of every
figure, so that whoever calls must say what becomes of a failed run.

The authors' library, rliable, is no dependency: its version 1.2.0 requires arch 7.2, whose import
fails beside pandas 3. The tests hold these figures to its own, which
`tests/golden/rliable_figures.py` makes in another environment.

Source: Agarwal et al. 2021, "Deep reinforcement learning at the edge of the statistical precipice",
https://arxiv.org/abs/2108.13264.
"""

from collections.abc import Callable, Sequence

import numpy as np

CONFIDENCE = 0.95
RESAMPLES = 9999

Strata = Sequence[np.ndarray]


def interquartile_mean(scores: np.ndarray) -> np.ndarray:
    """The mean without the lowest and the highest quarter, over the last axis.

        1 / (n - 2 c) sum_{i = c + 1}^{n - c} x_(i),    c = floor(n / 4)

    x_(i) are the scores in ascending order. It is as robust as a median, but uses half of the runs.

    Args:
        scores: `[..., runs]` the scores of all strata together.

    Returns:
        `[...]` the means; NaN where there are no scores, or one of them is NaN.

    Examples:
        >>> import numpy as np
        >>> from hebbax import statistics
        >>> float(statistics.interquartile_mean(np.asarray([0.0, 2.0, 4.0, 100.0])))
        3.0
    """
    num_runs = scores.shape[-1]
    if num_runs == 0:
        return np.full(scores.shape[:-1], np.nan)
    trimmed = num_runs // 4
    middle = np.mean(np.sort(scores, axis=-1)[..., trimmed : num_runs - trimmed], axis=-1)
    return np.where(np.any(np.isnan(scores), axis=-1), np.nan, middle)


def mean(scores: np.ndarray) -> np.ndarray:
    """The mean over the last axis, for `stratified_interval`.

    Examples:
        >>> import numpy as np
        >>> from hebbax import statistics
        >>> statistics.mean(np.asarray([[0.0, 2.0], [4.0, 8.0]])).tolist()
        [1.0, 6.0]
    """
    return np.mean(scores, axis=-1)


def stratified_interval(
    strata: Strata,
    statistic: Callable[[np.ndarray], np.ndarray] = interquartile_mean,
    resamples: int = RESAMPLES,
) -> tuple[float, float]:
    """The percentile bootstrap 95% interval of a statistic of all scores.

    Runs are drawn again within each stratum.

    It says how much the statistic would vary with other seeds in the same folds, nothing of other
    folds. With n runs in a stratum the bootstrap sees only (n - 1) / n of their variance, so that
    the interval is too narrow for few runs.

    Args:
        strata: the scores of each stratum.
        statistic: from `[resamples, runs]` scores to `[resamples]` values.
        resamples: how often the runs are drawn again. The draws are the same at every call.

    Returns:
        The interval's ends; NaN where a stratum has fewer than two runs, whose spread nobody knows.

    Examples:
        >>> import numpy as np
        >>> from hebbax import statistics
        >>> scores_by_fold = [np.asarray([1.0, 2.0]), np.asarray([3.0, 5.0])]
        >>> low, high = statistics.stratified_interval(scores_by_fold)
        >>> 1.0 <= low < high <= 5.0
        True
    """
    if not strata_are_filled(strata, at_least=2):
        return float("nan"), float("nan")
    random = np.random.default_rng(0)
    drawn = [scores[_draw(random, resamples, scores.size)] for scores in strata]
    return _percentiles(statistic(np.concatenate(drawn, axis=1)))


def difference_interval(
    scores: Strata,
    reference: Strata,
    statistic: Callable[[np.ndarray], np.ndarray] = interquartile_mean,
    resamples: int = RESAMPLES,
) -> tuple[float, float]:
    """The percentile bootstrap 95% interval of the difference of a statistic from a reference's.

    The runs of both are drawn again within each stratum, independently.

    Args:
        scores: of the method.
        reference: of what it is compared with, in the same strata.
        statistic: as `stratified_interval` has it.
        resamples: how often the runs are drawn again. The draws are the same at every call.

    Returns:
        The interval's ends; NaN where a stratum of one of the two has fewer than two runs.

    Examples:
        >>> import numpy as np
        >>> from hebbax import statistics
        >>> ours, theirs = [np.asarray([2.0, 4.0])], [np.asarray([1.0, 3.0])]
        >>> low, high = statistics.difference_interval(ours, theirs)
        >>> -1.0 <= low < 1.0 < high <= 3.0
        True
    """
    if not all(strata_are_filled(strata, at_least=2) for strata in (scores, reference)):
        return float("nan"), float("nan")
    random = np.random.default_rng(0)
    ours, theirs = (
        np.concatenate([runs[_draw(random, resamples, runs.size)] for runs in strata], axis=1)
        for strata in (scores, reference)
    )
    return _percentiles(statistic(ours) - statistic(theirs))


def bootstrap_interval(values: np.ndarray) -> tuple[float, float]:
    """The percentile bootstrap 95% interval of the mean of finite values; NaN of fewer than two.

    Examples:
        >>> import numpy as np
        >>> from hebbax import statistics
        >>> low, high = statistics.bootstrap_interval(np.asarray([1.0, 2.0, 3.0, 4.0]))
        >>> 1.0 <= low < 2.5 < high <= 4.0
        True
    """
    return stratified_interval([values], mean)


def probability_of_improvement(scores: Strata, reference: Strata) -> float:
    """How probable it is that a run is better than one of the reference.

    In the same stratum, averaged over the strata.

        1 / S sum_s 1 / (n_s m_s) sum_ij [x_si > y_sj] + [x_si = y_sj] / 2

    That is the Mann-Whitney statistic over the number of pairs. It says nothing of how much better.

    Args:
        scores: of the method.
        reference: of what it is compared with, in the same strata.

    Returns:
        The probability, 0.5 where the two do not differ; NaN where there are no strata, or one
        without runs.

    Examples:
        >>> import numpy as np
        >>> from hebbax import statistics
        >>> ours, theirs = [np.asarray([2.0, 4.0])], [np.asarray([1.0, 3.0])]
        >>> statistics.probability_of_improvement(ours, theirs)
        0.75
    """
    if not all(map(strata_are_filled, (scores, reference))):
        return float("nan")
    return float(
        np.mean(
            [np.mean(_wins(ours, theirs)) for ours, theirs in zip(scores, reference, strict=True)]
        )
    )


def improvement_interval(
    scores: Strata, reference: Strata, resamples: int = RESAMPLES
) -> tuple[float, float]:
    """The stratified bootstrap 95% interval of `probability_of_improvement`.

    By percentiles, with the runs of both drawn again.

    Returns:
        The interval's ends; NaN where a stratum of one of the two has fewer than two runs.

    Examples:
        >>> import numpy as np
        >>> from hebbax import statistics
        >>> ours, theirs = [np.asarray([2.0, 4.0])], [np.asarray([1.0, 3.0])]
        >>> low, high = statistics.improvement_interval(ours, theirs)
        >>> 0.0 <= low < 0.75 < high <= 1.0
        True
    """
    if not all(strata_are_filled(strata, at_least=2) for strata in (scores, reference)):
        return float("nan"), float("nan")
    random = np.random.default_rng(0)
    probabilities = [
        np.mean(
            _wins(ours, theirs)[
                _draw(random, resamples, ours.size)[:, :, None],
                _draw(random, resamples, theirs.size)[:, None, :],
            ],
            axis=(1, 2),
        )
        for ours, theirs in zip(scores, reference, strict=True)
    ]
    return _percentiles(np.mean(probabilities, axis=0))


def strata_are_filled(strata: Strata, at_least: int = 1) -> bool:
    """Whether there are strata, and runs in each.

    Examples:
        >>> import numpy as np
        >>> from hebbax import statistics
        >>> statistics.strata_are_filled([np.asarray([1.0]), np.zeros(0)])
        False
    """
    return len(strata) > 0 and all(scores.size >= at_least for scores in strata)


def _draw(random: np.random.Generator, resamples: int, num_runs: int) -> np.ndarray:
    """`[resamples, runs]` places of runs, drawn with replacement."""
    return random.integers(num_runs, size=(resamples, num_runs))


def _wins(scores: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """`[n, m]` 1 where a score is above one of the reference, 0.5 where equal, 0 below."""
    return (1 + np.sign(scores[:, None] - reference[None, :])) / 2


def _percentiles(values: np.ndarray) -> tuple[float, float]:
    low, high = np.quantile(values, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)
