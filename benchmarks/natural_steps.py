"""How far noise moves shared rules and their assignment, by the number of rules.

Along the plain gradient (`Sgd` alone), along the natural one (`Natural`), and along the gradient
scaled by `EvenSteps`.

Fitness is random, so every step is noise: what differs between the numbers of rules is the scale of
the steps. Sizes are those of the paper's quadruped, with undecided logits. It writes
`benchmarks/results/natural-steps.json`, which `tables.py` makes a table of.

Figures, at a learning rate of one, times the population
    rules: mean square of the step of a rule's coefficient, over std^2.
    assignment: sum over the rules of the squared steps of a synapse's probabilities, mean over the
        synapses.
"""

from typing import Any

import harness
import jax
import jax.numpy as jnp
import numpy as np
from harness import fields

from hebbax import SharedRules
from hebbax.presets import PRESETS
from hebbax.strategies.score_function import score_gradient
from hebbax.strategies.shaping import centred_ranks, standardize

NUM_RULES = (1, 16, 96, 768)
POPULATION = 16
STD = 0.01  # The paper's last, at which samples tell the rules apart.
FIELDS = fields(
    "environment population std",
    rows=fields(
        "num_rules repeats plain_rules plain_assignment natural_rules natural_assignment "
        "even_rules even_assignment"
    ),
)


def main() -> None:
    options = harness.arguments(__doc__).parse_args()
    rows = [
        measure(num_rules, 1 if options.tiny else max(3, 300 // num_rules))
        for num_rules in (NUM_RULES[:2] if options.tiny else NUM_RULES)
    ]
    results = {"population": POPULATION, "std": STD, "rows": rows}
    harness.write(options, "natural-steps", results, FIELDS, results)


def measure(num_rules: int, repeats: int) -> dict[str, Any]:
    """Measures as many populations as make the figures of a few rules as sure as those of many."""
    config = PRESETS["quadruped-hebbian"]()
    genome = SharedRules(num_rules=num_rules).init(
        jax.random.key(0), config.policy.parameters(config.task)
    )
    genome = genome.with_std(jnp.asarray(STD))
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
    steps = {
        "plain": plain,
        "natural": genome.natural_gradient(plain),
        "even": genome.even_gradient(plain),
    }
    figures = {}
    for name, step in steps.items():
        p = jax.nn.softmax(genome.logits)
        moved = p * (step.logits - jnp.sum(p * step.logits, axis=1, keepdims=True))
        figures[f"{name}_rules"] = jnp.mean(jnp.square(step.rules)) / jnp.square(genome.std)
        figures[f"{name}_assignment"] = jnp.mean(jnp.sum(jnp.square(moved), axis=1))
    return figures


if __name__ == "__main__":
    main()
