"""Whether a demo learns, and in what time: `quadruped-demo` or `car-demo` over three seeds.

Writes `benchmarks/results/demo-DEVICE.json` or `car-demo-DEVICE.json`: every generation's fitness,
the scores of all five variations, and by how many standard errors the mean fitness of the last five
generations exceeds that of the first five, over generations and over seeds.

Racers are compared with drivers that never steer, each with a constant gas of its own, on the same
tracks; the gas with the best mean counts, one for the training variations and one for the held-out
one. The file says by how many standard errors the learned drivers are better: over races, each
against the straight driver's on the same track, which is about these genomes; and over seeds, which
is about the method.
"""

import dataclasses
import tempfile
import time
from argparse import Namespace
from typing import Any

import harness
import jax
import jax.numpy as jnp
import numpy as np
from harness import fields
from stand_ins import Repeat

import hebbax
from hebbax.evolution.progress import ProgressBar
from hebbax.evolution.result import Result
from hebbax.genomes.normal import NormalGenome
from hebbax.presets import PRESETS

FILES = {"quadruped-demo": "demo", "car-demo": "car-demo"}  # Of results, by the preset.
WINDOW = 5  # Generations at each end that are compared.
GASES = (0.05, 0.1, 0.2, 0.3, 0.5, 1.0)  # Of the straight drivers.
COMPARISON = fields(
    "score straight_score straight_gas least_gain_of_a_seed gain_in_standard_errors_over_races "
    "gain_in_standard_errors_over_seeds"
)
LEARNED = fields(
    "environment first last gain_in_standard_errors_over_generations "
    "gain_in_standard_errors_over_seeds",
    runs=fields(
        "seed train_seconds evaluate_seconds fitness_mean",
        scores=fields("variation is_held_out non_finite mean std low high ended_early"),
    ),
)
DRIVEN = LEARNED | fields("straight", training=COMPARISON, held_out=COMPARISON)


def fields_of(results: dict[str, Any]) -> dict[str, Any]:
    """Only racers are compared with drivers that go straight."""
    return DRIVEN if "straight" in results else LEARNED


FIELDS = fields_of


def main() -> None:
    parser = harness.arguments(__doc__, seeds=(3, 2), episodes=(100, 2))
    parser.add_argument("preset", choices=FILES)
    options = parser.parse_args()
    hebbax.use_cpu_cores()
    # The first seed compiles; the others find its programs, and the straight drivers those of the
    # first of them.
    with tempfile.TemporaryDirectory() as cache:
        jax.config.update("jax_compilation_cache_dir", cache)
        seeds = [run_seed(seed, options) for seed in range(options.seeds)]
        runs = [run for run, _ in seeds]
        results = rise(np.array([run["fitness_mean"] for run in runs]))
        if options.preset == "car-demo":
            is_held_out = np.array([score["is_held_out"] for score in runs[0]["scores"]])
            learned = np.array([returns for _, returns in seeds])
            results |= compare_with_straight(learned, is_held_out, options)
    name, written = f"{FILES[options.preset]}-{{device}}", results | {"runs": runs}
    harness.write(options, name, written, fields_of(written), results)


def configure(seed: int, options: Namespace) -> Any:
    """The preset, or something that only has to run."""
    config: Any = dataclasses.replace(PRESETS[options.preset](), seed=seed)
    if not options.tiny:
        return config
    return dataclasses.replace(
        config,
        task=dataclasses.replace(config.task, episode_steps=10),
        strategy=dataclasses.replace(config.strategy, population_size=4),
        generations=WINDOW + 1,
    )


def run_seed(seed: int, options: Namespace) -> tuple[dict[str, Any], list[tuple[float, ...]]]:
    """Trains and evaluates one seed of the preset.

    Returns:
        What is written of it, and the returns `[variations, episodes]`.
    """
    config = configure(seed, options)
    started = time.perf_counter()
    with ProgressBar(config.generations) as progress:
        result = hebbax.train(config, callbacks=[progress])
    train_seconds = time.perf_counter() - started
    scores = [dataclasses.asdict(score) for score in hebbax.evaluate(result, options.episodes)]
    evaluate_seconds = time.perf_counter() - started - train_seconds
    returns = [score.pop("returns") for score in scores]
    return {
        "seed": seed,
        "train_seconds": train_seconds,
        "evaluate_seconds": evaluate_seconds,
        "fitness_mean": [metrics["fitness_mean"] for metrics in result.history],
        "scores": scores,
    }, returns


def rise(fitness: np.ndarray) -> dict[str, Any]:
    """Compares the last generations with the first, of fitness `[seeds, generations]`."""
    first, last = fitness[:, :WINDOW], fitness[:, -WINDOW:]
    gains = np.mean(last, axis=1) - np.mean(first, axis=1)
    error = np.sqrt(np.var(first, ddof=1) / first.size + np.var(last, ddof=1) / last.size)
    return {
        "first": float(np.mean(first)),
        "last": float(np.mean(last)),
        "gain_in_standard_errors_over_generations": float(np.mean(gains) / error),
        "gain_in_standard_errors_over_seeds": standard_errors(gains),
    }


def standard_errors(gains: np.ndarray) -> float:
    """How many standard errors the mean of some gains is above zero; NaN of a single one."""
    return float(np.mean(gains) / (np.std(gains, ddof=1) / np.sqrt(gains.size)))


def compare_with_straight(
    learned: np.ndarray, is_held_out: np.ndarray, options: Namespace
) -> dict[str, Any]:
    """Compares returns `[seeds, variations, episodes]` with those of drivers that go straight."""
    straight = {
        gas: np.array([drive_straight(seed, gas, options) for seed in range(options.seeds)])
        for gas in GASES
    }
    return {
        "training": compare(learned, straight, ~is_held_out),
        "held_out": compare(learned, straight, is_held_out),
        "straight": {
            str(gas): np.mean(returns, axis=(0, 2)).tolist() for gas, returns in straight.items()
        },
    }


def drive_straight(seed: int, gas: float, options: Namespace) -> list[tuple[float, ...]]:
    """Returns `[variations, episodes]` of a straight driver on the evaluation's tracks."""
    config = configure(seed, options)
    # It neither steers nor brakes. It does not look either, so that no picture needs to be drawn.
    config = dataclasses.replace(
        config,
        task=dataclasses.replace(config.task, view="state", is_squashed=False),
        policy=Repeat(),
    )
    genome = NormalGenome(mean=jnp.array([0.0, gas, 0.0]), std=jnp.ones(()))
    result = Result(config, genome, genome, best_generation=0, wiring=(), history=[])
    return [score.returns for score in hebbax.evaluate(result, options.episodes)]


def compare(
    learned: np.ndarray, straight: dict[float, np.ndarray], chosen: np.ndarray
) -> dict[str, float]:
    """Compares returns in some variations with the best straight driver's."""
    gas = max(straight, key=lambda gas: np.mean(straight[gas][:, chosen]))
    gains = (learned - straight[gas])[:, chosen]
    of_seeds = np.mean(gains, axis=(1, 2))
    return {
        "score": float(np.mean(learned[:, chosen])),
        "straight_score": float(np.mean(straight[gas][:, chosen])),
        "straight_gas": gas,
        "least_gain_of_a_seed": float(np.min(of_seeds)),
        "gain_in_standard_errors_over_races": standard_errors(gains),
        "gain_in_standard_errors_over_seeds": standard_errors(of_seeds),
    }


if __name__ == "__main__":
    main()
