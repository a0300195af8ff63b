"""Makes the runs of README.md, part by part, as far as they are not in its files.

python experiments/bottleneck/run.py PART... [--time-limit MINUTES]
"""

import argparse
import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path

from methods import (
    FOLD,
    METHODS,
    NOISE,
    PRIMARY,
    RATE,
    SCALE,
    TUNED,
    ablated,
    assigned,
    sized,
    tuned,
)

import hebbax
from hebbax import devices
from hebbax.comparison import Tuning
from hebbax.config import Config
from hebbax.evolution import TimeLimitError, time_limit
from hebbax.files import write_json

HERE = Path(__file__).parent
EPISODES = 256


def main() -> None:
    """Runs the parts in turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="+", choices=PARTS)
    parser.add_argument("--time-limit", type=float, metavar="MINUTES")
    parser.add_argument("--folder", type=Path, default=Path("runs/bottleneck"))
    options = parser.parse_args()
    devices.use_compilation_cache()
    hebbax.use_cpu_cores()
    with time_limit(options.time_limit) if options.time_limit else nullcontext():
        try:
            for part in options.parts:
                PARTS[part](options.folder)
        except TimeLimitError as error:
            print(f"out of time: {error}; the same command goes on")


def tune(folder: Path) -> None:
    """Noise, rate and scale of every method; `tuned.json` has what was found."""
    found = json.loads(TUNED.read_text()) if TUNED.exists() else {}
    for method in METHODS:
        first = {f"{NOISE} + {RATE} + {SCALE}": [0.01, 0.03, 0.1, 0.3]}
        config = METHODS[method]()
        together = search(method, config, first, folder / "tuning" / method / "noise")
        [noise] = together.best.values
        second = {RATE: [round(factor * noise, 4) for factor in (0.3, 1, 3)]}
        apart = search(method, together.config, second, folder / "tuning" / method / "rate")
        found[method] = [noise, *apart.best.values, noise]
        write_json(TUNED, found)


def search(
    method: str, config: Config, space: Mapping[str, Sequence[float]], folder: Path
) -> Tuning:
    """One of the two searches of a method, over all of its choices."""
    return hebbax.tune(
        dataclasses.replace(config, generations=15),
        space,
        budget=10_000,
        folder=folder,
        name=method,
        seeds=(100, 101, 102, 103) if method in PRIMARY else (100, 101),
        archive=HERE / "tuning.jsonl",
    )


def compare(
    make: Callable[[], dict[str, Config]], generations: int, seeds: int, folds: str | list[str]
) -> Callable[[Path], None]:
    """A part that is a sweep."""

    def run(folder: Path) -> None:
        methods = {
            name: dataclasses.replace(config, generations=generations)
            for name, config in make().items()
        }
        hebbax.sweep(
            methods, folder / "main", folds, seeds, EPISODES, archive=HERE / "scores.jsonl"
        )

    return run


def tuned_methods(*names: str) -> Callable[[], dict[str, Config]]:
    """Methods with their tuned numbers."""
    return lambda: {name: tuned(name) for name in names}


PARTS: dict[str, Callable[[Path], None]] = {
    "tuning": tune,
    "short": compare(tuned_methods(*METHODS), generations=30, seeds=3, folds="all"),
    "long": compare(tuned_methods(*PRIMARY), generations=100, seeds=3, folds="all"),
    "ablations": compare(ablated, generations=30, seeds=1, folds="all"),
    "assignments": compare(assigned, generations=30, seeds=3, folds=[FOLD]),
    "curve": compare(sized, generations=30, seeds=1, folds="all"),
}

if __name__ == "__main__":
    main()
