"""Films the median run of each primary method in the body that it has not trained on.

python experiments/bottleneck/films.py

The median is that of the held-out scores after 100 generations. Checkpoints are not kept, so that
each run is made again first. It writes `docs/images/bottleneck-METHOD.gif`.
"""

from pathlib import Path
from typing import Any

from again import SCORES, train_again
from analyse import HELD_OUT, IMAGES, LONG, Runs
from methods import PRIMARY

import hebbax
from hebbax import devices
from hebbax.comparison import archive


def main() -> None:
    """Films each method that has runs."""
    devices.use_compilation_cache()
    hebbax.use_cpu_cores()
    lines = archive.read(SCORES)
    for method in PRIMARY:
        line = median_run(lines, method)
        if line:
            film(line, IMAGES / f"bottleneck-{method}.gif")


def median_run(lines: list[dict[str, Any]], method: str) -> dict[str, Any] | None:
    """The line in the middle by its held-out score, the lower of two; None without runs."""
    runs = sorted(Runs(lines).of(method, LONG), key=lambda run: run.score(HELD_OUT))
    if not runs:
        return None
    median = runs[(len(runs) - 1) // 2]
    key = {"method": method, "generations": LONG, "fold": median.fold, "seed": median.seed}
    return next(line for line in lines if key.items() <= line.items())


def film(line: dict[str, Any], file: Path) -> None:
    """One episode in the held-out body."""
    hebbax.watching.render(train_again(line), line["fold"], file)


if __name__ == "__main__":
    main()
