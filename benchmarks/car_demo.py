"""Whether `car-demo` learns to follow a road, beside a driver that goes straight.

Three seeds are trained and scored in all five variations. Drivers that never steer, each with a
constant gas of its own, race on the same tracks; the gas with the best mean is compared, one for
the training variations and one for the held-out one. `benchmarks/results/car-demo-DEVICE.json` says
by how many standard errors the learned drivers are better: over races, each against the straight
driver's on the same track, which is about these genomes; and over seeds, which is about the method.
"""

import dataclasses
import math
import tempfile
from argparse import Namespace

import demo
import harness
import jax
import jax.numpy as jnp
import numpy as np
from harness import fields
from stand_ins import Repeat

import hebbax
from hebbax.evolution.result import Result
from hebbax.genomes.normal import NormalGenome

PRESET = "car-demo"
GASES = (0.05, 0.1, 0.2, 0.3, 0.5, 1.0)  # Of the straight drivers.
COMPARISON = fields(
    "score straight_score straight_gas least_gain_of_a_seed gain_in_standard_errors_over_races "
    "gain_in_standard_errors_over_seeds"
)
FIELDS = demo.FIELDS | fields("straight", training=COMPARISON, held_out=COMPARISON)


def main() -> None:
    options = demo.parse(harness.arguments(__doc__))
    hebbax.use_cpu_cores()
    seeds = range(options.seeds)
    # The first seed compiles; the others find its programs, and the straight drivers those of the
    # first of them.
    with tempfile.TemporaryDirectory() as cache:
        jax.config.update("jax_compilation_cache_dir", cache)
        runs = [demo.run_seed(PRESET, seed, options) for seed in seeds]
        straight = {
            gas: np.array([drive_straight(seed, gas, options) for seed in seeds]) for gas in GASES
        }
    learned = np.array([[score["returns"] for score in run["scores"]] for run in runs])
    is_held_out = np.array([score["is_held_out"] for score in runs[0]["scores"]])
    results = {
        **demo.compare(runs),
        "training": compare(learned, straight, ~is_held_out),
        "held_out": compare(learned, straight, is_held_out),
        "straight": {
            str(gas): np.mean(returns, axis=(0, 2)).tolist() for gas, returns in straight.items()
        },
        "runs": runs,
    }
    demo.write_results(PRESET, options, results, FIELDS)


def drive_straight(seed: int, gas: float, options: Namespace) -> list[tuple[float, ...]]:
    """Returns `[variations, episodes]` of a straight driver on the evaluation's tracks."""
    config = demo.configure(PRESET, seed, options)
    # It neither steers nor brakes. It does not look either, so that no picture needs to be drawn.
    task = dataclasses.replace(config.task, view="state")
    config = dataclasses.replace(config, task=task, policy=Repeat())
    genome = NormalGenome(mean=jnp.array([0.0, gas, 0.0]), std=jnp.ones(()))
    result = Result(config, genome, genome, best_generation=0, wiring=(), history=[])
    return [score.returns for score in hebbax.evaluate(result, options.episodes)]


def compare(
    learned: np.ndarray, straight: dict[float, np.ndarray], chosen: np.ndarray
) -> dict[str, float]:
    """Compares returns `[seeds, variations, episodes]` with the best straight driver's."""
    gas = max(straight, key=lambda gas: np.mean(straight[gas][:, chosen]))
    gains = (learned - straight[gas])[:, chosen].reshape(len(learned), -1)
    means = np.mean(gains, axis=1)
    return {
        "score": float(np.mean(learned[:, chosen])),
        "straight_score": float(np.mean(straight[gas][:, chosen])),
        "straight_gas": gas,
        "least_gain_of_a_seed": float(np.min(means)),
        "gain_in_standard_errors_over_races": float(
            np.mean(gains) / (np.std(gains, ddof=1) / math.sqrt(gains.size))
        ),
        "gain_in_standard_errors_over_seeds": float(
            np.mean(means) / (np.std(means, ddof=1) / math.sqrt(means.size))
        ),
    }


if __name__ == "__main__":
    main()
