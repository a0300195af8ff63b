"""How often a 95% interval contains the truth, by how many runs a fold has.

Made-up scores, for which the truth is known.

Scores are normal, equally distributed in five folds. Writes
`benchmarks/results/interval-coverage.json`.
"""

import math
from collections.abc import Callable
from typing import TypeAlias

import harness
import numpy as np
from harness import fields

from hebbax.statistics import improvement_interval, mean, stratified_interval

FOLDS = 5
RUNS = (2, 3, 5, 10)
RESAMPLES = 999
FIELDS = fields("folds simulations resamples standard_error coverage")

Interval: TypeAlias = Callable[[np.ndarray], tuple[float, float]]


# The truth of each figure of two methods' scores, and what should contain it.
INTERVALS: dict[str, tuple[float, Interval]] = {
    "mean": (0.0, lambda scores: stratified_interval([*scores[0]], mean, RESAMPLES)),
    "interquartile mean": (
        0.0,
        lambda scores: stratified_interval([*scores[0]], resamples=RESAMPLES),
    ),
    "probability of improvement": (
        0.5,
        lambda scores: improvement_interval([*scores[0]], [*scores[1]], RESAMPLES),
    ),
}


def main() -> None:
    options = harness.arguments(__doc__, simulations=(2000, 20)).parse_args()
    results = {
        "folds": FOLDS,
        "simulations": options.simulations,
        "resamples": RESAMPLES,
        "standard_error": math.sqrt(0.9 * 0.1 / options.simulations),
        "coverage": {
            name: {str(runs): covered(truth, interval, runs, options.simulations) for runs in RUNS}
            for name, (truth, interval) in INTERVALS.items()
        },
    }
    harness.write(options, "interval-coverage", results, FIELDS, results)


def covered(truth: float, interval: Interval, runs: int, simulations: int) -> float:
    """The share of the simulations whose interval contains the truth.

    Each has two methods that do not differ.
    """
    scores = np.random.default_rng(runs).normal(size=(simulations, 2, FOLDS, runs))
    return float(np.mean([low <= truth <= high for low, high in map(interval, scores)]))


if __name__ == "__main__":
    main()
