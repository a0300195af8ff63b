"""What rliable makes of made-up scores, for `hebbax.statistics` to be held to.

Writes `rliable_figures.json` beside itself.

rliable 1.2.0 requires arch 7.2, whose import fails beside pandas 3, so that it has an environment
of its own:

    python3.11 -m venv /tmp/rliable && /tmp/rliable/bin/pip install rliable==1.2.0 arch==7.2.0
    'pandas<3' /tmp/rliable/bin/python tests/golden/rliable_figures.py

Its bootstrap draws from NumPy's global generator, whatever random state it is given; hence the seed
there.
"""

import importlib.metadata
import json
from pathlib import Path

import numpy as np
from rliable import library, metrics

RESAMPLES = 50_000
PACKAGES = ("rliable", "arch", "pandas", "numpy", "scipy")


def main() -> None:
    """Writes rliable's figures of scores of two methods in four tasks.

    With seven and five runs.
    """
    random = np.random.default_rng(2108)
    base = random.normal(loc=[10.0, 14.0, 8.0, 20.0], scale=3.0, size=(7, 4)).round(1)
    other = random.normal(loc=[12.0, 14.0, 11.0, 20.5], scale=3.0, size=(5, 4)).round(1)
    other[:, 1] = np.sort(base[:5, 1])  # Equal scores, which count half.
    np.random.seed(13264)  # noqa: NPY002
    pairs = {"pair": [other, base]}
    aggregates, aggregate_intervals = library.get_interval_estimates(
        {"base": base, "other": other},
        lambda scores: np.asarray([metrics.aggregate_iqm(scores)]),
        reps=RESAMPLES,
    )
    improvement, improvement_interval = library.get_interval_estimates(
        pairs,
        lambda *scores: np.asarray([metrics.probability_of_improvement(*scores)]),
        reps=RESAMPLES,
    )
    golden = {
        "versions": {package: importlib.metadata.version(package) for package in PACKAGES},
        "resamples": RESAMPLES,
        "scores": {"base": base.tolist(), "other": other.tolist()},
        "interquartile_mean": {name: float(value[0]) for name, value in aggregates.items()},
        "interval": {name: ends[:, 0].tolist() for name, ends in aggregate_intervals.items()},
        "probability_of_improvement": float(improvement["pair"][0]),
        "improvement_interval": improvement_interval["pair"][:, 0].tolist(),
    }
    Path(__file__).with_suffix(".json").write_text(json.dumps(golden, indent=2) + "\n")


if __name__ == "__main__":
    main()
