"""What every rule and encoding writes, and whether it learns on a small task.

A point must reach a goal, in three variations of four; its network has 16 hidden neurons. Something
learns if the mean fitness of its last five generations is above that of the first five by four
standard errors or more, over the seeds. It writes `benchmarks/results/rules-and-encodings.json`.
"""

import argparse
import dataclasses
from typing import Any

import harness
import jax
import numpy as np
from harness import fields

import hebbax
from hebbax.encodings import Direct, LowRank, PerNeuron, Tied
from hebbax.evolution.training import train_together
from hebbax.policies.convolutional import Features
from hebbax.rules import ABCD, Decay, Every, Oja

LEAST_ERRORS = 4.0
NETWORKS = {"quadruped": Features((28,), 8), "car": Features((648,), 3)}
RULES = [
    *(ABCD(terms, rate) for terms in ("A", "ABC") for rate in ("none", "inside")),
    *(ABCD(terms, rate) for terms in ("AD", "ABCD") for rate in ("none", "inside")),
    *(ABCD(terms, rate) for terms in ("AD", "ABCD") for rate in ("outside", "both")),
    Oja(),
    Decay(ABCD(), rate=0.1),
    Every(ABCD(), steps=2),
]
ENCODINGS = [
    Direct(),
    Tied(rho=16),
    Tied(rho=16, is_signed=True),
    Tied(rho=16, by="layer"),
    PerNeuron(),
    PerNeuron(side="pre"),
    PerNeuron(side="post"),
    PerNeuron("nchl"),
    LowRank(1),
]
ROW = fields("name first last standard_errors learns numbers")
FIELDS = fields("environment generations population seeds", rules=ROW, encodings=ROW)


def main() -> None:
    """Trains with every rule, and with every encoding of the ABCD rule."""
    options = harness.arguments(
        __doc__, generations=(40, 10), population=(64, 8), seeds=(3, 2)
    ).parse_args()
    harness.take_cores(harness.cores_here(2))
    rules = [measure(rule, Direct(), str(rule), options) for rule in RULES]
    encodings = [measure(ABCD(), one, str(one), options) for one in ENCODINGS]
    results = {name: getattr(options, name) for name in ("generations", "population", "seeds")}
    results |= {"rules": rules, "encodings": encodings}
    harness.write(options, "rules-and-encodings", results, FIELDS)


def measure(rule: Any, encoding: Any, name: str, options: argparse.Namespace) -> dict[str, Any]:
    """The fitness of the first and the last generations, over the seeds, and what is written."""
    config = hebbax.Config(
        hebbax.tasks.Point(),
        hebbax.Hebbian(hidden_sizes=(16,), rule=rule, bound="largest"),
        hebbax.Normal(init_scale=0.1),
        hebbax.ScoreFunction(
            population_size=options.population,
            std=hebbax.Schedule(0.1),
            optimizer=hebbax.strategies.Adam(hebbax.Schedule(0.1)),
        ),
        encoding=encoding,
        generations=options.generations,
        held_out="strong",
    )
    configs = [dataclasses.replace(config, seed=seed) for seed in range(options.seeds)]
    histories = [result.history for result in train_together([(one, None) for one in configs])]
    fitness = np.array([[one["fitness_mean"] for one in history] for history in histories])
    first, last = fitness[:, :5].mean(axis=1), fitness[:, -5:].mean(axis=1)
    error = float(np.std(last - first, ddof=1) / np.sqrt(len(first)))
    gain = float(np.mean(last - first)) / error
    policy = hebbax.Hebbian(rule=rule)
    found = {
        "name": name,
        "first": float(np.mean(first)),
        "last": float(np.mean(last)),
        "standard_errors": gain,
        "learns": gain >= LEAST_ERRORS,
        "numbers": {
            network: sum(
                leaf.size
                for leaf in jax.tree.leaves(encoding.genotype_shape(policy.parameters(senses)))
            )
            for network, senses in NETWORKS.items()
        },
    }
    print(found, flush=True)
    return found


if __name__ == "__main__":
    main()
