"""Films the median run of each primary method in the body that it has not trained on.

python experiments/bottleneck/films.py [METHOD...] [--folder FOLDER]

The median is that of the held-out scores after 100 generations. A run whose checkpoints are not in
the folder any more is made again first. It writes `docs/images/bottleneck-METHOD.gif`, of the first
60 of 150 steps, in which most of the return falls.
"""

import argparse
from pathlib import Path
from typing import Any

from again import SCORES, train_again
from analyse import HELD_OUT, IMAGES, LONG, Runs
from methods import FOLDER, PRIMARY

import hebbax
from hebbax import devices
from hebbax.comparison import archive

NUM_STEPS = 60


def main() -> None:
    """Films one episode of each method that has runs, in the held-out body."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("methods", nargs="*", default=PRIMARY, help="the primary unless named")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="that of run.py")
    options = parser.parse_args()
    devices.use_compilation_cache()
    hebbax.use_cpu_cores()
    lines = archive.read(SCORES)
    for method in options.methods:
        line = median_run(lines, method)
        if line:
            of_runs = options.folder / "main" / "runs"
            result = train_again(line, of_runs / method / line["fold"] / f"seed-{line['seed']}")
            film(result, line["fold"], IMAGES / f"bottleneck-{method}.gif")


def film(result: hebbax.Result, body: str, path: Path) -> None:
    """Films the start of one episode of the genome's mode."""
    hebbax.watching.render(result, body, path, format="gif", num_steps=NUM_STEPS)


def median_run(lines: list[dict[str, Any]], method: str) -> dict[str, Any] | None:
    """The line in the middle by its held-out score, the lower of two; None without runs."""
    runs = sorted(Runs(lines).of(method, LONG), key=lambda run: run.score(HELD_OUT))
    if not runs:
        return None
    median = runs[(len(runs) - 1) // 2]
    key = {"method": method, "generations": LONG, "fold": median.fold, "seed": median.seed}
    return next(line for line in lines if key.items() <= line.items())


if __name__ == "__main__":
    main()
