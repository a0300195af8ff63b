"""How long shared rules take a search: the population's score gradient, and its samples.

Every case runs in a process of its own, three times in turn with the others but the largest, which
runs once; the figures are medians, in seconds per individual. It writes
`benchmarks/results/genomes-DEVICE.json` and prints the ratios. The peer, evostrat, is no
dependency: name a Python that has `evostrat` and `torch` by `--peer-python`, or its cases are left
out.

Cases
    gradient: `score_gradient` of a population that lies split over the cores, as it does when its
        lifetimes have ended; every core has the sum.
    sampling: drawing the population, each core its share.
    evostrat: a sample of evostrat's `GaussianMixturePopulation` and the gradient of its
        log-density, on one core.

Floor
    The gradient needs an exponential for each synapse, rule and individual, and at least 25
    operations: a difference, a product and a sum for each of five coefficients, and ten for weights
    and moments. Over one core's rates for exponentials and in a matrix product that is the least
    time it can take.
"""

import dataclasses
import resource
import statistics
from pathlib import Path
from typing import Any

import harness
import jax
import jax.numpy as jnp
import rates
from harness import by_name, fields

import hebbax
from hebbax import devices
from hebbax.policies.convolutional import Features
from hebbax.presets import CAR_SYNAPSES, QUADRUPED_SYNAPSES
from hebbax.strategies.score_function import score_gradient

SENSES = {"quadruped": Features((28,), 8), "car": Features((648,), 3)}
NUM_SYNAPSES = {"quadruped": QUADRUPED_SYNAPSES, "car": CAR_SYNAPSES}
OPERATIONS = 25
STD = 0.1


@dataclasses.dataclass(frozen=True)
class Case:
    name: str
    network: str
    num_rules: int
    cores: int | None
    population: int = 32
    repeats: int = 3
    rounds: int = 3


SIZES = (("quadruped", 96), ("quadruped", 768), ("car", 713))
CASES = [
    *(
        Case(name, *size, cores=cores)
        for size in SIZES
        for name in ("gradient", "sampling")
        for cores in (1, 2)
    ),
    Case("gradient", "car", 5708, cores=2, population=200, repeats=1, rounds=1),
    *(Case("evostrat", *size, cores=1, population=1, repeats=1) for size in SIZES),
]
# Of equal size, by name and cores; "both" are the gradient and the samples on one core.
PAIRS = {
    "gradient, one core to two": (("gradient", 1), ("gradient", 2)),
    "sampling to gradient, two cores": (("sampling", 2), ("gradient", 2)),
    "evostrat to sampling and gradient, one core": (("evostrat", 1), "both"),
    "gradient to its floor, one core": (("gradient", 1), "floor"),
}
ROW = fields(
    "name network num_rules cores population repeats rounds seconds_per_individual "
    "all_seconds_per_individual peak_memory_bytes"
)
RATES = fields("compile_seconds memory_above_bytes exponentials_per_second operations_per_second")
FIELDS = fields(
    "environment ratios",
    cases=by_name({"evostrat": ROW | fields("version torch"), "*": ROW | RATES}),
)


def measure(case: Case) -> dict[str, Any]:
    """Measures the gradient or the samples of a population that the cores share."""
    mesh = devices.population_mesh(case.population)
    shape = hebbax.Hebbian().parameters(SENSES[case.network])
    strategy = hebbax.ScoreFunction(
        population_size=case.population, is_mirrored=False, std=hebbax.Schedule(STD)
    )
    rules = hebbax.SharedRules(num_rules=case.num_rules, sharpness=1.0)
    start = jax.jit(
        lambda key: strategy.init(key, rules.init(jax.random.key(1), shape)),
        out_shardings=devices.everywhere(mesh),
    )

    def spread(genotypes: Any) -> Any:
        return devices.over_population(lambda share: share, mesh)(genotypes)

    before = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    state = start(jax.random.key(0))
    key = devices.put_everywhere(jax.random.key(2), mesh)
    if case.name == "sampling":
        function = jax.jit(lambda key, state: spread(strategy.ask(key, state)))
        arguments = (key, state)
    else:
        # Not by `ask`: what that needs would count as the gradient's memory.
        draw = jax.jit(lambda key, rules: spread(draw_evenly(key, rules, shape, case.population)))
        weights = devices.put_everywhere(jnp.linspace(-1.0, 1.5, case.population), mesh)
        function = jax.jit(score_gradient)
        arguments = (state.genome, draw(key, state.genome.rules), weights)
    with jax.set_mesh(mesh):
        program, compile_seconds = harness.compiled(function, *arguments)
    seconds = harness.repeat(
        lambda: program(*arguments), case.repeats, warm_ups=int(case.repeats > 1)
    )
    peak = harness.peak_memory()
    if not all(bool(jnp.all(jnp.isfinite(leaf))) for leaf in jax.tree.leaves(program(*arguments))):
        raise RuntimeError("a result is not finite")
    genome_bytes = sum(leaf.nbytes for leaf in jax.tree.leaves(state.genome))
    # Each device's copy of the genome, and one gradient: a second device's is beyond it.
    known_bytes = genome_bytes * (mesh.size + int(case.name != "sampling"))
    return {
        "seconds_per_individual": statistics.median(seconds) / case.population,
        "compile_seconds": compile_seconds,
        "peak_memory_bytes": peak,
        "memory_above_bytes": peak - before - known_bytes,
        "exponentials_per_second": rates.exponentials_per_second(),
        "operations_per_second": rates.operations_per_second(),
    }


def draw_evenly(key: Any, rules: Any, shape: Any, population: int) -> Any:
    """Samples of the mixture, as if every rule were as likely."""

    def draw(keys: Any, leaf: Any) -> Any:
        chosen = jax.random.randint(keys[0], (population, *leaf.shape[1:]), 0, rules.shape[0])
        own = jnp.moveaxis(rules[chosen], -1, 1)
        return own + STD * jax.random.normal(keys[1], own.shape)

    leaves, structure = jax.tree.flatten(shape)
    keys = jax.random.split(key, (len(leaves), 2))
    return structure.unflatten(map(draw, keys, leaves))


def ratios(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Compares the cases that belong together."""
    found: dict[str, float] = {}
    for size in SIZES:
        seconds: dict[Any, float] = {
            (row["name"], row["cores"]): row["seconds_per_individual"]
            for row in rows
            if (row["network"], row["num_rules"]) == size
        }
        if ("gradient", 1) in seconds:
            seconds["floor"] = floor_seconds(*size, rows)
        if {("gradient", 1), ("sampling", 1)} <= seconds.keys():
            seconds["both"] = seconds["gradient", 1] + seconds["sampling", 1]
        network, num_rules = size
        for name, ratio in harness.ratios_of(seconds, PAIRS).items():
            found[f"{network}, {num_rules} rules: {name}"] = ratio
    return found


def floor_seconds(network: str, num_rules: int, rows: list[dict[str, Any]]) -> float:
    """The least time that one individual's gradient takes a core at its highest rates."""
    exponentials, operations = (
        max(row[rate] for row in rows if rate in row)
        for rate in ("exponentials_per_second", "operations_per_second")
    )
    return NUM_SYNAPSES[network] * num_rules * (1 / exponentials + OPERATIONS / operations)


BENCHMARK = harness.Benchmark(
    name="genomes",
    cases=CASES,
    measure=measure,
    figure="seconds_per_individual",
    ratios=ratios,
    fields=FIELDS,
    tiny={"num_rules": 2, "population": 2, "repeats": 2},
    peers={"evostrat": "evostrat"},
)

if __name__ == "__main__":
    harness.run(BENCHMARK, __doc__)
