"""Tables of the bottleneck's experiment, from the lines that its runs have left."""

import statistics
from collections.abc import Sequence
from typing import Any

from pages import table_of


def tuning(lines: Sequence[dict[str, Any]]) -> list[str]:
    """What every choice of noise and rate scored on each seed, method by method."""
    runs: dict[tuple[str, float, float], dict[int, float]] = {}
    for line in lines:
        strategy = line["config"]["strategy"]
        noise, rate = strategy["std"], strategy["optimizer"]["learning_rate"]
        method, _, _ = line["method"].partition("@")
        key = (method, noise["initial"], rate["initial"])
        scores = [one["mean"] for one in line["scores"]["mode"] if not one["is_held_out"]]
        runs.setdefault(key, {})[line["seed"]] = statistics.fmean(scores)
    order = list(dict.fromkeys(method for method, _, _ in runs))
    rows = [
        {
            "method": method,
            "noise": noise,
            "rate": rate,
            "seeds": ", ".join(f"{seed}: {of_seeds[seed]:.1f}" for seed in sorted(of_seeds)),
            "mean": statistics.fmean(of_seeds.values()),
        }
        for (method, noise, rate), of_seeds in sorted(
            runs.items(), key=lambda run: (order.index(run[0][0]), run[0][1:])
        )
    ]
    columns = {
        "method": "`{method}`",
        "noise and initial scale": "{noise:g}",
        "rate": "{rate:g}",
        "trained on, by seed": "{seeds}",
        "mean": "{mean:.1f}",
    }
    return table_of(rows, columns)
