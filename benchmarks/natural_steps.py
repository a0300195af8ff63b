"""How far noise moves shared rules and their assignment, by the number of rules.

Along the plain gradient and along the natural one.

Fitness is random, so every step is noise: what differs between the numbers of rules is the scale of
the steps. Sizes are those of the paper's quadruped, with undecided logits. It writes
`benchmarks/results/natural-steps.json`, which `tables.py` makes a table of.

Figures, at a learning rate of one, times the population
    rules: mean square of the step of a rule's coefficient, over std^2.
    assignment: sum over the rules of the squared steps of a synapse's probabilities, mean over the
        synapses.
"""

import json
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hebbax.evolution.run_dir import describe_environment
from hebbax.files import write_json
from hebbax.genomes.shared import SharedRules
from hebbax.strategies.score_function import score_gradient
from hebbax.strategies.shaping import centred_ranks, standardize

RESULT = Path(__file__).parent / "results" / "natural-steps.json"
SHAPE = tuple(
    jax.ShapeDtypeStruct((5, pre, post), jnp.float32)
    for pre, post in ((28, 128), (128, 64), (64, 8))
)
NUM_RULES = (1, 16, 96, 768)
POPULATION = 16
STD = 0.01  # The paper's last, at which samples tell the rules apart.


def main() -> None:
    """Measures all numbers of rules."""
    rows = [measure(num_rules) for num_rules in NUM_RULES]
    results = {
        "environment": describe_environment(),
        "population": POPULATION,
        "std": STD,
        "rows": rows,
    }
    write_json(RESULT, results)
    sys.stdout.write(json.dumps(rows, indent=2) + "\n")


def measure(num_rules: int) -> dict[str, Any]:
    """Measures as many populations as make the figures of a few rules as sure as those of many."""
    genome = (
        SharedRules(num_rules=num_rules).init(jax.random.key(0), SHAPE).with_std(jnp.asarray(STD))
    )
    repeats = max(3, 300 // num_rules)
    figures = [step_squares(genome, key) for key in jax.random.split(jax.random.key(1), repeats)]
    means = {
        name: POPULATION * float(np.mean([each[name] for each in figures])) for name in figures[0]
    }
    return {"num_rules": num_rules, "repeats": repeats, **means}


@jax.jit
def step_squares(genome: Any, key: jax.Array) -> dict[str, jax.Array]:
    """Squared steps that a population of random fitness makes."""
    sample_key, fitness_key = jax.random.split(key)
    genotypes = jax.vmap(genome.sample)(jax.random.split(sample_key, POPULATION))
    weights = standardize(centred_ranks(jax.random.normal(fitness_key, (POPULATION,))))
    plain = score_gradient(genome, genotypes, weights)
    figures = {}
    for name, step in {"plain": plain, "natural": genome.natural_gradient(plain)}.items():
        p = jax.nn.softmax(genome.logits)
        moved = p * (step.logits - jnp.sum(p * step.logits, axis=1, keepdims=True))
        figures[f"{name}_rules"] = jnp.mean(jnp.square(step.rules)) / jnp.square(genome.std)
        figures[f"{name}_assignment"] = jnp.mean(jnp.sum(jnp.square(moved), axis=1))
    return figures


if __name__ == "__main__":
    main()
