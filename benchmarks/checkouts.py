"""What this checkout's generations take, to another's: whether a change has made anything slower.

Both train the same presets, 64 individuals in four variations, each in a process of its own, and
take turns generation by generation, the other first in every other turn. A ratio is the median of
the turns' own, for a step, with its 95% interval. It writes
`benchmarks/results/checkouts-DEVICE.json`.
"""

import argparse
import contextlib
import dataclasses
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import harness
import numpy as np
from harness import fields

CORES = 2  # Of a CPU.
STEPS = {"quadruped-hebbian": 200, "car-hebbian": 100}
FIELDS = fields(
    "environment before turns microseconds", ratios={"*": fields("median low high compile")}
)


def main() -> None:
    parser = harness.arguments(__doc__)
    parser.add_argument("--before", type=Path, required=True, help="the other checkout's folder")
    parser.add_argument("--turns", type=int, default=20)
    parser.add_argument("--train", choices=STEPS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.turns = 2 if options.tiny else options.turns
    if options.train:
        train(options)
    else:
        compare(options)


def compare(options: argparse.Namespace) -> None:
    """Lets two checkouts take turns in every preset, and writes the ratios of their times."""
    ratios, microseconds = {}, {}
    for preset in STEPS:
        turns, compiling = take_turns(preset, options)
        now, before = (np.array(turns[side]) for side in ("now", "before"))
        drawn = np.random.default_rng(0).choice(now / before, (10_000, len(now)))
        low, high = np.quantile(np.median(drawn, axis=1), (0.025, 0.975))
        figures = {"median": np.median(now / before), "low": low, "high": high}
        figures["compile"] = compiling["now"] / compiling["before"]
        ratios[preset] = {name: float(value) for name, value in figures.items()}
        microseconds[preset] = turns
        print(preset, ratios[preset], flush=True)
    command = ["git", "-C", str(options.before), "rev-parse", "--short", "HEAD"]
    before = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    results = {"before": before, "turns": options.turns}
    results |= {"ratios": ratios, "microseconds": microseconds}
    harness.write(options, "checkouts-{device}", results, FIELDS)


def take_turns(
    preset: str, options: argparse.Namespace
) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Microseconds for a step of both checkouts in each turn, and seconds before the first."""
    places = {"now": harness.HERE.parent, "before": options.before}
    tiny = ["--tiny"] if options.tiny else []
    command = [sys.executable, __file__, "--before", "", "--turns", str(options.turns), *tiny]
    with contextlib.ExitStack() as stack:
        processes = {
            side: stack.enter_context(
                subprocess.Popen(
                    [*command, "--train", preset],
                    env={**os.environ, "PYTHONPATH": str(place.resolve() / "src")},
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            for side, place in places.items()
        }
        # They compile one after the other, and the first generation does not count.
        compiling = {}
        for side, process in processes.items():
            started = time.perf_counter()
            _go_on(process)
            compiling[side] = time.perf_counter() - started
        turns: dict[str, list[float]] = {side: [] for side in processes}
        for turn in range(options.turns):
            for side, process in sorted(processes.items(), reverse=turn % 2 == 1):
                turns[side].append(_go_on(process))
    return turns, compiling


def _go_on(process: Any) -> float:
    process.stdin.write("go\n")
    process.stdin.flush()
    return harness.hear(process.stdout)["microseconds"]


def train(options: argparse.Namespace) -> None:
    """Trains, and waits for a word before each generation."""
    sys.stdin.readline()
    harness.take_cores(CORES)
    import hebbax
    from hebbax.presets import PRESETS

    def tell(metrics: dict[str, Any], _: Any) -> None:
        harness.say({"microseconds": 1e6 * metrics["seconds"] / metrics["steps"]})
        sys.stdin.readline()

    config: Any = PRESETS[options.train]()
    steps, population = (10, 2) if options.tiny else (STEPS[options.train], 64)
    burn_in = {"burn_in_steps": 0} if "quadruped" in options.train else {}
    config = dataclasses.replace(
        config,
        task=dataclasses.replace(config.task, episode_steps=steps, **burn_in),
        strategy=dataclasses.replace(config.strategy, population_size=population),
        generations=options.turns + 1,
    )
    hebbax.train(config, callbacks=[tell])


if __name__ == "__main__":
    main()
