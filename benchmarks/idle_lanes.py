"""How many steps are made for episodes that have ended, and what could spare them.

An episode is a lane. Lanes of a batch are stepped together until the last one's episode is over.
The share of their steps that an episode needed is found for one population of a training at several
ages, on one device, as its episodes' lengths have it:

    all at once: one batch, as accelerators run it.
    chunks: four individuals with their four variations at a time, as a CPU runs them.
    by individual: the same, where an individual whose episodes are all over makes room for the
        next.
    by episode: the same, where every episode makes room for the next, which would need the rules of
        another individual.

It writes `benchmarks/results/idle-lanes.json`.
"""

import dataclasses
import heapq
from collections.abc import Mapping
from typing import Any

import harness
import jax
import numpy as np
from harness import fields

import hebbax
from hebbax import devices
from hebbax.config import Config
from hebbax.evolution.episode import Setup
from hebbax.evolution.generation import initial_state
from hebbax.evolution.rollout import SEGMENT, rollout_population, stack
from hebbax.presets import PRESETS

POPULATION, CHUNK = 64, 4
AGES: Mapping[str, tuple[int, ...]] = {"quadruped-hebbian": (0, 4), "car-demo": (0, 10, 40, 120)}
FIELDS = {
    "environment": None,
    "rows": fields("preset generations mean_steps all_at_once chunks by_individual by_episode"),
}


def main() -> None:
    options = harness.arguments(__doc__).parse_args()
    harness.take_cores(harness.cores_here(2))
    rows = []
    for preset, ages in AGES.items():
        config = make_config(preset, is_tiny=options.tiny)
        result = None
        for age in ages[:1] if options.tiny else ages:
            if age:
                longer = dataclasses.replace(config, generations=age)
                result = hebbax.train(longer, initial=result)
            num_steps = run(config, result)
            rows.append({"preset": preset, "generations": age, **uses(num_steps)})
            print(rows[-1], flush=True)
    results = {"environment": harness.environment(), "rows": rows}
    harness.write(options, "idle-lanes", results, FIELDS)


def make_config(preset: str, *, is_tiny: bool) -> Config:
    """A preset with a variation held out, and a population of `POPULATION`."""
    config: Any = PRESETS[preset]()
    size = 8 if is_tiny else POPULATION
    task = dataclasses.replace(config.task, episode_steps=60) if is_tiny else config.task
    return dataclasses.replace(
        config,
        task=task,
        held_out=config.held_out or list(config.task.variations)[-1],
        strategy=dataclasses.replace(config.strategy, population_size=size),
    )


def run(config: Config, result: hebbax.Result | None) -> np.ndarray:
    """`[population, variations]` the lengths of a population's episodes."""
    state = result.state if result else initial_state(config)
    assert state
    population_size = config.strategy.population_size
    genotypes = config.strategy.ask(jax.random.key(0), state.search)
    keys = jax.random.split(jax.random.key(1), population_size)
    mesh = devices.population_mesh(population_size)
    setup = dataclasses.replace(Setup.of(config), chunk_size=CHUNK)

    def share(wiring: Any, variations: Any, keys: Any, genotypes: Any) -> Any:
        return rollout_population(setup, wiring, keys, genotypes, variations)

    data = (state.wiring, stack(config.training_variations), keys, genotypes)
    program = jax.jit(devices.over_population(share, mesh, num_whole=2))
    return np.asarray(program(*devices.put_everywhere(data, mesh)).num_steps)


def uses(num_steps: np.ndarray) -> dict[str, float]:
    """The share of the lanes' steps that an episode needed, in each way to run them."""
    whole = -(-num_steps // SEGMENT) * SEGMENT  # A batch looks up after so many steps.
    population, variations = whole.shape
    individuals = whole.max(axis=1)
    chunks = [individuals[i : i + CHUNK] for i in range(0, population, CHUNK)]
    made = {
        "all_at_once": whole.size * whole.max(),
        "chunks": sum(chunk.size * variations * chunk.max() for chunk in chunks),
        "by_individual": CHUNK * variations * last(individuals, CHUNK),
        "by_episode": CHUNK * variations * last(whole.ravel(), CHUNK * variations),
    }
    return {"mean_steps": float(num_steps.mean())} | {
        name: float(num_steps.sum() / steps) for name, steps in made.items()
    }


def last(lengths: np.ndarray, num_lanes: int) -> float:
    """When the last of some lanes is done, each of which takes the next when it is free."""
    ends = [0.0] * num_lanes
    for length in lengths:
        heapq.heapreplace(ends, ends[0] + float(length))
    return max(ends)


if __name__ == "__main__":
    main()
