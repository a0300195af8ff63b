"""What devices tell one another in a generation, for every genome and encoding.

A generation of the paper's plastic network for the quadruped, without physics, is compiled for a
mesh, and XLA's collectives are counted in the compiled program, which is the same whether the
devices belong to one process or to many. It writes `benchmarks/results/traffic-DEVICE.json`.

Floor
    A device must hear everybody's fitness and a sum of all devices' gradients: of as many numbers
    as an optimiser moves.

Model
    A ring of D devices sends 2 (D - 1) / D times what it adds up, and (D - 1) / D times what it
    gathers, from every device.
"""

import collections
import dataclasses
import re
from typing import Any

import harness
from generations import Generation
from harness import fields
from stand_ins import NoPhysics

import hebbax
from hebbax import encodings, genomes, strategies
from hebbax.evolution.generation import initial_state
from hebbax.evolution.limits import num_bytes
from hebbax.genomes.base import learned_of

DEVICES = 4  # For which programs are compiled.
ON_PAPER = (1, 8, 64, 512)
POPULATION = 512
BYTES = {"pred": 1, "s8": 1, "u8": 1, "s16": 2, "u16": 2, "bf16": 2, "f16": 2, "f64": 8, "s64": 8}
KINDS = ("all-reduce", "all-gather", "reduce-scatter", "all-to-all", "collective-permute")
COLLECTIVE = re.compile(rf"= (.*?) ({'|'.join(KINDS)})(?:-start)?\(")
ARRAY = re.compile(r"([a-z]+\d*)\[([\d,]*)\]")

ROW = fields("learned_bytes gathered_bytes added_bytes fitness_bytes to_floor sent_bytes")
FIELDS = fields("environment devices population", cases={"*": ROW})


def main() -> None:
    """Counts all cases."""
    options = harness.arguments(__doc__, population=(POPULATION, 16)).parse_args()
    hebbax.use_cpu_cores(DEVICES)
    cases = {name: count(one) for name, one in configurations(options.population).items()}
    results = {"devices": DEVICES, "population": options.population, "cases": cases}
    for name, row in cases.items():
        print(name, row)
    harness.write(options, "traffic-{device}", results, FIELDS)


def configurations(population: int) -> dict[str, hebbax.Config]:
    """A configuration of each genome and encoding, and of what else decides about the traffic."""
    base = hebbax.Config(
        task=NoPhysics(max_steps=10),
        policy=hebbax.Hebbian(),
        genome=hebbax.Normal(),
        strategy=hebbax.ScoreFunction(population),
    )
    weights = hebbax.Hebbian(has_evolved_weights=True)
    joint = genomes.Joint((("rules", hebbax.Normal()), ("weights", hebbax.Normal())))
    parts = encodings.Parts((("rules", encodings.Tied(rho=128)), ("weights", encodings.Direct())))
    changes: dict[str, dict[str, Any]] = {
        "Normal(), Static()": {"policy": hebbax.Static()},
        "Normal()": {},
        "SharedRules(rho=128)": {
            "genome": hebbax.SharedRules(rho=128),
            "strategy": hebbax.ScoreFunction(population, is_mirrored=False),
        },
        "FixedRules(rho=128)": {"genome": genomes.FixedRules(rho=128)},
        "SharedNoise(Tied(rho=128))": {"genome": genomes.SharedNoise(encodings.Tied(rho=128))},
        "Joint, rules and weights": {"policy": weights, "genome": joint},
        "Normal(), Tied(rho=128)": {"encoding": encodings.Tied(rho=128)},
        "Normal(), PerNeuron()": {"encoding": encodings.PerNeuron()},
        "Normal(), LowRank()": {"encoding": encodings.LowRank()},
        "Normal(), Parts, tied rules and weights": {"policy": weights, "encoding": parts},
        "Normal(), Evosax SNES": {"strategy": strategies.Evosax("SNES", population)},
    }
    return {name: dataclasses.replace(base, **change) for name, change in changes.items()}


def count(config: hebbax.Config) -> dict[str, Any]:
    """Bytes of one configuration's generation."""
    text = Generation(config).program.as_text()
    found = collectives(text)
    learned = num_bytes(learned_of(initial_state(config).search.genome))
    fitness = 4 * config.strategy.population_size
    gathered, added = found["all-gather"], found["all-reduce"]
    strangers = set(found) - {"all-gather", "all-reduce"}
    if strangers:
        raise RuntimeError(f"the program has {sorted(strangers)}, of which the model knows nothing")
    return {
        "learned_bytes": learned,
        "gathered_bytes": gathered,
        "added_bytes": added,
        "fitness_bytes": fitness,
        "to_floor": (gathered + added) / (learned + fitness),
        "sent_bytes": {
            str(devices): (devices - 1) / devices * (2 * added + gathered) for devices in ON_PAPER
        },
    }


def collectives(text: str) -> collections.Counter[str]:
    """Bytes of the results of a program's collectives, by their kind."""
    found: collections.Counter[str] = collections.Counter()
    for shapes, kind in COLLECTIVE.findall(text):
        for dtype, sizes in ARRAY.findall(shapes):
            size = 1
            for length in filter(None, sizes.split(",")):
                size *= int(length)
            found[kind] += size * BYTES.get(dtype, 4)
    return found


if __name__ == "__main__":
    main()
