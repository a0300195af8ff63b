"""A population on some numbers of devices: `python spread_population.py WORLD GENOME COUNT...`.

Prints for each number of devices the fitness after the first generation and the genome after the
last, as JSON.
"""

import dataclasses
import json
import sys
from typing import Any

import hebbax

hebbax.use_cpu_cores(8)

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
from jax.flatten_util import ravel_pytree  # noqa: E402
from jax.sharding import AxisType, Mesh  # noqa: E402

from hebbax import devices  # noqa: E402
from hebbax.encodings import Tied  # noqa: E402
from hebbax.evolution.generation import RunData, compile_generation, initial_state  # noqa: E402
from hebbax.genomes.base import learned_of  # noqa: E402
from small_run import small_config  # noqa: E402

GENOMES: dict[str, Any] = {
    "Normal": hebbax.Normal(init_scale=0.1),
    "SharedRules": hebbax.SharedRules(num_rules=3),
    "FixedRules": hebbax.genomes.FixedRules(num_rules=3),
    "SharedNoise": hebbax.genomes.SharedNoise(Tied(num_rules=3), init_scale=0.1),
}
WORLDS: dict[str, Any] = {
    "quadruped": hebbax.tasks.Quadruped(body="brax", episode_steps=3, burn_in_steps=0),
    "car": hebbax.tasks.CarRacing(view="state", episode_steps=5),
}
POPULATION = 10  # Which neither four nor eight devices share evenly.


def make_config(world: str, genome: str) -> hebbax.Config:
    """Five generations on the small task; one in a world."""
    strategy = hebbax.ScoreFunction(population_size=POPULATION, is_mirrored=False)
    config = small_config(genome=GENOMES[genome], strategy=strategy, generations=5)
    if world == "small":
        return config
    policy = hebbax.Hebbian(hidden_sizes=(4,))
    return dataclasses.replace(
        config, task=WORLDS[world], policy=policy, held_out=None, generations=1
    )


def evolve(config: hebbax.Config, count: int) -> dict[str, Any]:
    """The numbers of a run on so many devices."""
    mesh = Mesh(np.asarray(jax.devices()[:count]), (devices.AXIS,), axis_types=(AxisType.Auto,))
    make_generation, data = compile_generation(config, mesh), RunData.of(config)
    state, history = initial_state(config), []
    for i in range(config.generations):
        arguments = devices.put_everywhere((data, state, jnp.asarray(i, jnp.int32)), mesh)
        state, metrics = make_generation(*arguments)
        history.append(metrics)
    genome, _ = ravel_pytree(learned_of(state.search.genome))
    first = [float(history[0][name]) for name in ("fitness_mean", "fitness_best", "fitness_std")]
    return {"fitness": first, "genome": genome.tolist()}


if __name__ == "__main__":
    world, genome, *counts = sys.argv[1:]
    for count in counts:
        print(json.dumps(evolve(make_config(world, genome), int(count))), flush=True)
