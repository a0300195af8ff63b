"""Whether the demo learns, and in what time: `quadruped-demo` over three seeds.

Writes `benchmarks/results/demo-DEVICE.json`: every generation's fitness, the scores of all five
bodies, and by how many standard errors the mean fitness of the last five generations exceeds that
of the first five, over generations and over seeds.
"""

import argparse
import dataclasses
import json
import math
import statistics
import time
from pathlib import Path
from typing import Any

import hebbax
from hebbax.files import write_json

WINDOW = 5  # Generations at each end that are compared.


def main() -> None:
    """Trains and evaluates every seed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--episodes", type=int, default=100)
    options = parser.parse_args()
    hebbax.use_cpu_cores()

    from hebbax.evolution.run_dir import describe_environment

    runs = [run_seed("quadruped-demo", seed, options.episodes) for seed in range(options.seeds)]
    environment = describe_environment()
    write_results("demo", {"environment": environment, **compare(runs), "runs": runs})


def write_results(name: str, results: dict[str, Any]) -> None:
    """Writes the results, without the single returns, and prints what they come to."""
    for run in results["runs"]:
        for score in run["scores"]:
            del score["returns"]
    file = Path(__file__).parent / "results" / f"{name}-{results['environment']['devices'][0]}.json"
    file.parent.mkdir(exist_ok=True)
    write_json(file, results)
    print(json.dumps({name: value for name, value in results.items() if name != "runs"}, indent=2))


def run_seed(preset: str, seed: int, episodes: int) -> dict[str, Any]:
    """Trains and evaluates one seed of a preset."""
    from hebbax.loggers import ProgressBar
    from hebbax.presets import PRESETS

    config = dataclasses.replace(PRESETS[preset](), seed=seed)
    started = time.perf_counter()
    with ProgressBar(config.generations) as progress:
        result = hebbax.train(config, callbacks=[progress])
    train_seconds = time.perf_counter() - started
    scores = [score.to_dict() for score in hebbax.evaluate(result, episodes)]
    return {
        "seed": seed,
        "train_seconds": train_seconds,
        "evaluate_seconds": time.perf_counter() - started - train_seconds,
        "fitness_mean": [metrics["fitness_mean"] for metrics in result.history],
        "scores": scores,
    }


def compare(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Compares the last generations with the first."""
    first = [fitness for run in runs for fitness in run["fitness_mean"][:WINDOW]]
    last = [fitness for run in runs for fitness in run["fitness_mean"][-WINDOW:]]
    gains = [
        statistics.mean(run["fitness_mean"][-WINDOW:])
        - statistics.mean(run["fitness_mean"][:WINDOW])
        for run in runs
    ]
    gain = statistics.mean(gains)
    error = math.sqrt(
        statistics.variance(first) / len(first) + statistics.variance(last) / len(last)
    )
    return {
        "first": statistics.mean(first),
        "last": statistics.mean(last),
        "gain_in_standard_errors_over_generations": gain / error,
        "gain_in_standard_errors_over_seeds": gain
        / (statistics.stdev(gains) / math.sqrt(len(gains)))
        if len(gains) > 1
        else None,
    }


if __name__ == "__main__":
    main()
