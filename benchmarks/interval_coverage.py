"""How often a 95% interval contains the truth, by how many runs a fold has.

Made-up scores, for which the truth is known.

Scores are normal, equally distributed in five folds. Writes
`benchmarks/results/interval-coverage.json`.
"""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np

from hebbax.files import write_json
from hebbax.statistics import improvement_interval, mean, stratified_interval

FOLDS = 5
RUNS = (2, 3, 5, 10)
SIMULATIONS = 2000
RESAMPLES = 999


def main() -> None:
    """Simulates every figure with every number of runs."""
    figures: dict[str, tuple[float, Callable[[np.ndarray], tuple[float, float]]]] = {
        "mean": (
            0.0,
            lambda scores: stratified_interval(list(scores[0]), mean, resamples=RESAMPLES),
        ),
        "interquartile mean": (
            0.0,
            lambda scores: stratified_interval(list(scores[0]), resamples=RESAMPLES),
        ),
        "probability of improvement": (
            0.5,
            lambda scores: improvement_interval(
                list(scores[0]), list(scores[1]), resamples=RESAMPLES
            ),
        ),
    }
    coverage = {
        name: {str(runs): covered(truth, interval, runs) for runs in RUNS}
        for name, (truth, interval) in figures.items()
    }
    results = {
        "folds": FOLDS,
        "simulations": SIMULATIONS,
        "resamples": RESAMPLES,
        "standard_error": math.sqrt(0.9 * 0.1 / SIMULATIONS),
        "coverage": coverage,
    }
    file = Path(__file__).parent / "results" / "interval-coverage.json"
    write_json(file, results)
    print(file.read_text())


def covered(
    truth: float, interval: Callable[[np.ndarray], tuple[float, float]], runs: int
) -> float:
    """The share of the simulations whose interval contains the truth.

    Each has two methods that do not differ.
    """
    scores = np.random.default_rng(runs).normal(size=(SIMULATIONS, 2, FOLDS, runs))
    return float(np.mean([low <= truth <= high for low, high in map(interval, scores)]))


if __name__ == "__main__":
    main()
