"""Why the paper's shared rules learn little: whether a network can be told from a permuted one.

python experiments/bottleneck/permuted_outputs.py

Where no logit is larger than another, all synapses of the mixture have the same law, and so have a
network and the same network whose torques go to other legs: what fitness says of the one it says of
the other, and no rule can make legs do different things but by chance. Of each genome, at the start
and after a training of 30 generations (fold and seed 0): by how many nats is what it draws more
probable than the same with all torques moved on by a leg, E[log p(h) - log p(h')]? Zero: they
cannot be told apart. It writes `permuted_outputs.json`.
"""

import dataclasses
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from methods import FOLDER, make_afterthought, tuned

import hebbax
from hebbax import devices
from hebbax.evolution.generation import initial_state
from hebbax.files import write_json
from hebbax.types import Genotype, PRNGKey

DRAWS = 1024
GENERATIONS = 30
TORQUES_OF_A_LEG = 2


def main() -> None:
    """Measures every genome in both states."""
    devices.use_compilation_cache()
    hebbax.use_cpu_cores()
    rows: list[dict[str, Any]] = []
    for method, tried in (make_afterthought() | {"fixed": tuned("fixed")}).items():
        config = dataclasses.replace(tried, generations=GENERATIONS)
        trained: Any = hebbax.train(config, FOLDER / "signal" / method).state
        for name, state in (("first", initial_state(config)), ("trained", trained)):
            nats, error = told_apart(state.search.genome, jax.random.key(0))
            rows.append({"method": method, "state": name, "nats": nats, "error": error})
            print(rows[-1], flush=True)
    write_json(Path(__file__).with_suffix(".json"), rows)


def told_apart(genome: Any, key: PRNGKey) -> tuple[float, float]:
    """The mean difference of log-densities, and its standard error."""
    drawn = jax.vmap(genome.sample)(jax.random.split(key, DRAWS))
    differences = jax.vmap(genome.log_prob)(drawn) - jax.vmap(genome.log_prob)(moved_on(drawn))
    error = jnp.std(differences, ddof=1) / jnp.sqrt(jnp.float32(DRAWS))
    return float(jnp.mean(differences)), float(error)


def moved_on(genotypes: Genotype) -> Genotype:
    """The same networks, in which each leg gets the torques of the one before it."""
    leaves, treedef = jax.tree.flatten(genotypes)
    leaves[-1] = jnp.roll(leaves[-1], TORQUES_OF_A_LEG, axis=-1)
    return jax.tree.unflatten(treedef, leaves)


if __name__ == "__main__":
    main()
