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
STEPS = {"quadruped-hebbian": 200, "car-hebbian": 50}
FIELDS = fields(
    "environment before turns",
    presets={"*": fields("ratio low high start_ratio microseconds")},
)


def main() -> None:
    parser = harness.arguments(__doc__, turns=(60, 2))
    parser.add_argument("--before", type=Path, help="the other checkout's folder")
    parser.add_argument("--only", choices=STEPS, help="one preset, for more turns of it")
    parser.add_argument("--train", choices=STEPS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.train:
        return train(options)
    command = ["git", "-C", str(options.before), "rev-parse", "--short", "HEAD"]
    before = subprocess.check_output(command, text=True).strip()
    chosen = [options.only] if options.only else STEPS
    presets = {preset: compare(preset, options) for preset in chosen}
    results = {"before": before, "turns": options.turns, "presets": presets}
    return harness.write(options, "checkouts-{device}", results, FIELDS)


def compare(preset: str, options: argparse.Namespace) -> dict[str, Any]:
    """Lets both checkouts take turns, after a generation of each that does not count."""
    places = {"now": harness.HERE.parent, "before": options.before.resolve()}
    turns = f"--turns={options.turns}"
    command = [sys.executable, __file__, turns, "--train", preset, *["--tiny"] * options.tiny]
    starting, microseconds = {}, {side: [] for side in places}
    with contextlib.ExitStack() as stack:
        processes = {}
        for side, place in places.items():
            started = time.perf_counter()
            processes[side] = subprocess.Popen(
                command,
                env={**os.environ, "PYTHONPATH": str(place / "src")},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            stack.enter_context(processes[side])
            harness.hear(processes[side].stdout)
            starting[side] = time.perf_counter() - started
        for turn in range(options.turns):
            for side, process in sorted(processes.items(), reverse=turn % 2 == 1):
                process.stdin.write("go on\n")
                process.stdin.flush()
                microseconds[side].append(harness.hear(process.stdout)["microseconds"])
    ratios = np.divide(microseconds["now"], microseconds["before"])
    drawn = np.random.default_rng(0).choice(ratios, (10_000, len(ratios)))
    low, high = np.quantile(np.median(drawn, axis=1), (0.025, 0.975)).tolist()
    found = {"ratio": float(np.median(ratios)), "low": low, "high": high}
    found["start_ratio"] = starting["now"] / starting["before"]
    print(preset, found, flush=True)
    return found | {"microseconds": microseconds}


def train(options: argparse.Namespace) -> None:
    """Trains, and waits for a word after each generation."""
    harness.take_cores(CORES)
    import hebbax
    from hebbax.presets import PRESETS

    def tell(metrics: dict[str, Any], _: Any) -> None:
        harness.say({"microseconds": 1e6 * metrics["seconds"] / metrics["steps"]})
        sys.stdin.readline()

    config: Any = PRESETS[options.train]()
    steps, population = (10, 2) if options.tiny else (STEPS[options.train], 64)
    burn_in = {"burn_in_steps": 0} if "quadruped" in options.train else {}
    task = dataclasses.replace(config.task, episode_steps=steps, **burn_in)
    strategy = dataclasses.replace(config.strategy, population_size=population)
    sizes = {"task": task, "strategy": strategy, "generations": options.turns + 1}
    hebbax.train(dataclasses.replace(config, **sizes), callbacks=[tell])


if __name__ == "__main__":
    main()
