"""Whether `car-demo` learns to follow a road, beside a driver that goes straight.

Three seeds are trained and scored in all five variations. Drivers that never steer, each with a
constant gas of its own, race on the same tracks; the gas with the best mean is compared, one for
the training variations and one for the held-out one. `benchmarks/results/car-demo-DEVICE.json` says
by how many standard errors the learned drivers are better: over races, each against the straight
driver's on the same track, which is about these genomes; and over seeds, which is about the method.
"""

import argparse
import dataclasses
import math
import tempfile
from typing import Any

import demo
import jax
import jax.numpy as jnp
import numpy as np

import hebbax

PRESET = "car-demo"
GASES = (0.05, 0.1, 0.2, 0.3, 0.5, 1.0)  # Of the straight drivers.


@dataclasses.dataclass(frozen=True)
class Straight:
    """A driver that never steers or brakes, and whose gas is inherited."""

    def genotype_shape(self, task: Any) -> Any:
        """The gas."""
        del task
        return jax.ShapeDtypeStruct((), jnp.float32)

    def reset(self, key: jax.Array, genotype: jax.Array) -> tuple:
        """Nothing to remember."""
        del key, genotype
        return ()

    def act(self, genotype: jax.Array, memory: tuple, observation: jax.Array) -> tuple:
        """Steering, gas and brake."""
        del observation
        return jnp.zeros(3).at[1].set(genotype), memory


def main() -> None:
    """Trains and evaluates every seed, and compares."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--episodes", type=int, default=100)
    options = parser.parse_args()
    hebbax.use_cpu_cores()

    from hebbax.evolution.run_dir import describe_environment

    # The first seed compiles; the others find its programs, and the straight drivers those of the
    # first of them.
    with tempfile.TemporaryDirectory() as cache:
        jax.config.update("jax_compilation_cache_dir", cache)
        runs = [demo.run_seed(PRESET, seed, options.episodes) for seed in range(options.seeds)]
        straight = {
            gas: np.array(
                [drive_straight(seed, gas, options.episodes) for seed in range(options.seeds)]
            )
            for gas in GASES
        }
    learned = np.array([[score["returns"] for score in run["scores"]] for run in runs])
    is_held_out = np.array([score["is_held_out"] for score in runs[0]["scores"]])
    results = {
        "environment": describe_environment(),
        **demo.compare(runs),
        "training": compare(learned, straight, ~is_held_out),
        "held_out": compare(learned, straight, is_held_out),
        "straight": {
            str(gas): np.mean(returns, axis=(0, 2)).tolist() for gas, returns in straight.items()
        },
        "runs": runs,
    }
    demo.write_results(PRESET, results)


def drive_straight(seed: int, gas: float, episodes: int) -> list[tuple[float, ...]]:
    """Returns `[variations, episodes]` of a straight driver on the evaluation's tracks."""
    from hebbax.evolution.training import Result
    from hebbax.genomes.normal import NormalGenome
    from hebbax.presets import PRESETS

    demo_config = PRESETS[PRESET]()
    # It does not look, so that no picture needs to be drawn.
    task = dataclasses.replace(demo_config.task, view="state")
    config = dataclasses.replace(demo_config, seed=seed, task=task, policy=Straight())
    genome = NormalGenome(mean=jnp.float32(gas), std=jnp.ones(()))
    result = Result(config, genome=genome, best_genome=genome, best_generation=0, history=[])
    return [score.returns for score in hebbax.evaluate(result, episodes)]


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
