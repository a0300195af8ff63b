"""Whether the demo learns, and in what time: `quadruped-demo` over three seeds.

Writes `benchmarks/results/demo-DEVICE.json`: every generation's fitness, the scores of all five
bodies, and by how many standard errors the mean fitness of the last five generations exceeds that
of the first five, over generations and over seeds.
"""

import dataclasses
import json
import math
import statistics
import time
from argparse import ArgumentParser, Namespace
from typing import Any

import harness
from harness import fields

import hebbax
from hebbax.evolution.progress import ProgressBar
from hebbax.presets import PRESETS

WINDOW = 5  # Generations at each end that are compared.
FIELDS = fields(
    "environment first last gain_in_standard_errors_over_generations "
    "gain_in_standard_errors_over_seeds",
    runs=fields(
        "seed train_seconds evaluate_seconds fitness_mean",
        scores=fields("variation is_held_out non_finite mean std low high ended_early"),
    ),
)


def main() -> None:
    options = parse(harness.arguments(__doc__))
    hebbax.use_cpu_cores()
    runs = [run_seed("quadruped-demo", seed, options) for seed in range(options.seeds)]
    write_results("demo", options, {**compare(runs), "runs": runs}, FIELDS)


def parse(parser: ArgumentParser) -> Namespace:
    """The command line of both demos."""
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--episodes", type=int, default=100)
    options = parser.parse_args()
    if options.tiny:
        options.seeds, options.episodes = 2, 2
    return options


def write_results(
    name: str, options: Namespace, results: dict[str, Any], fields: dict[str, Any]
) -> None:
    """Writes the results, without the single returns, and prints what they come to."""
    for run in results["runs"]:
        for score in run["scores"]:
            del score["returns"]
    print(json.dumps({name: value for name, value in results.items() if name != "runs"}, indent=2))
    harness.write(options, f"{name}-{{device}}", results, fields)


def configure(preset: str, seed: int, options: Namespace) -> Any:
    """The preset, or something that only has to run."""
    config: Any = dataclasses.replace(PRESETS[preset](), seed=seed)
    if not options.tiny:
        return config
    return dataclasses.replace(
        config,
        task=dataclasses.replace(config.task, episode_steps=10),
        strategy=dataclasses.replace(config.strategy, population_size=4),
        generations=WINDOW + 1,
    )


def run_seed(preset: str, seed: int, options: Namespace) -> dict[str, Any]:
    """Trains and evaluates one seed of a preset."""
    config = configure(preset, seed, options)
    started = time.perf_counter()
    with ProgressBar(config.generations) as progress:
        result = hebbax.train(config, callbacks=[progress])
    train_seconds = time.perf_counter() - started
    scores = [score.to_dict() for score in hebbax.evaluate(result, options.episodes)]
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
