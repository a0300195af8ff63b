"""How long shared rules take a search: the population's score gradient, and its samples.

Every case runs in a process of its own, in turn with the others; the figures are medians, in
seconds per individual. It writes `benchmarks/results/genomes-DEVICE.json` and prints the ratios.
The peer, evostrat, is no dependency: name a Python that has `evostrat` and `torch` by
`--peer-python`, or its cases are left out.

Cases
    gradient: `score_gradient` of a population that lies split over the cores, as it does when its
        lifetimes have ended; the result is left split over them too.
    sampling: drawing the population, each core its share.
    evostrat: a sample of evostrat's `GaussianMixturePopulation` and the gradient of its
        log-density, on one core.

Floor
    The gradient needs an exponential for each synapse, rule and individual, and at least 25
    operations: a difference, a product and a sum for each of five coefficients, and ten for weights
    and moments. Over one core's rates for exponentials and in a matrix product that is the least
    time it can take.
"""

import argparse
import dataclasses
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
LAYERS = {"quadruped": ((28, 128), (128, 64), (64, 8)), "car": ((648, 128), (128, 64), (64, 3))}
NUM_SYNAPSES = {name: sum(pre * post for pre, post in layers) for name, layers in LAYERS.items()}
OPERATIONS = 25
STD = 0.1


@dataclasses.dataclass(frozen=True)
class Case:
    """One thing to measure, in a process of its own."""

    name: str
    network: str
    num_rules: int
    cores: int
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


def main() -> None:
    """Measures all cases, or in a child process one."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3, help="processes per case, at most 3")
    parser.add_argument(
        "--only", default="", help="names of cases, separated by commas; all if empty"
    )
    parser.add_argument(
        "--peer-python", default=sys.executable, help="an interpreter that has the peer"
    )
    parser.add_argument("--case", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        case = Case(**json.loads(options.case))
        measured = measure_evostrat if case.name == "evostrat" else measure
        sys.stdout.write("\n" + json.dumps(measured(case)) + "\n")
        return

    chosen = [case for case in CASES if not options.only or case.name in options.only.split(",")]
    if not _has(options.peer_python, "evostrat"):
        chosen = [case for case in chosen if case.name != "evostrat"]
    runs: dict[Case, list[dict[str, Any]]] = {case: [] for case in chosen}
    for number in range(options.rounds):
        for case in [case for case in chosen if number < case.rounds]:
            runs[case].append(
                _in_a_process(
                    case, options.peer_python if case.name == "evostrat" else sys.executable
                )
            )
            print(f"{case}: {1e3 * runs[case][-1]['seconds_per_individual']:.2f} ms", flush=True)
    write_results(runs)


def measure(case: Case) -> dict[str, Any]:
    """Measures the gradient or the samples of a population that the cores share."""
    import hebbax

    hebbax.use_cpu_cores(case.cores)
    import jax
    import jax.numpy as jnp

    from hebbax import devices
    from hebbax.evolution.run_dir import describe_environment
    from hebbax.genomes.shared import SharedRules
    from hebbax.strategies.score_function import score_gradient

    mesh = devices.population_mesh(case.population)
    shape = tuple(
        jax.ShapeDtypeStruct((5, pre, post), jnp.float32) for pre, post in LAYERS[case.network]
    )
    strategy = hebbax.ScoreFunction(
        population_size=case.population, is_mirrored=False, std=hebbax.Schedule(STD)
    )

    def start(key: Any) -> Any:
        return strategy.init(
            key, SharedRules(num_rules=case.num_rules, sharpness=1.0).init(jax.random.key(1), shape)
        )

    def draw(key: Any, rules: Any) -> Any:
        """Samples of the mixture, as if every rule were as likely."""
        layer_keys = jax.random.split(key, (len(shape), 2))
        chosen = [
            jax.random.randint(keys[0], (case.population, *leaf.shape[1:]), 0, case.num_rules)
            for keys, leaf in zip(layer_keys, shape, strict=True)
        ]
        own = [jnp.moveaxis(rules[rule], -1, 1) for rule in chosen]
        return tuple(
            rule + STD * jax.random.normal(keys[1], rule.shape)
            for keys, rule in zip(layer_keys, own, strict=True)
        )

    def spread(genotypes: Any) -> Any:
        """Splits a population over the cores."""
        return devices.over_population(lambda share: share, mesh)(genotypes)

    before = _resident_memory()
    state = jax.jit(start, out_shardings=devices.everywhere(mesh))(jax.random.key(0))
    key = devices.put_everywhere(jax.random.key(2), mesh)
    if case.name == "sampling":
        function, arguments = (
            jax.jit(lambda key, state: spread(strategy.ask(key, state))),
            (key, state),
        )
    else:
        # Not by `ask`: what that needs would count as the gradient's memory.
        genotypes = jax.jit(lambda key, rules: spread(draw(key, rules)))(key, state.genome.rules)
        weights = devices.put_everywhere(jnp.linspace(-1.0, 1.5, case.population), mesh)
        function = jax.jit(score_gradient)
        arguments = (state.genome, genotypes, weights)

    started = time.perf_counter()
    with jax.set_mesh(mesh):
        program = function.lower(*arguments).compile()
    compile_seconds = time.perf_counter() - started
    if case.repeats > 1:
        jax.block_until_ready(program(*arguments))
    seconds = []
    for _ in range(case.repeats):
        started = time.perf_counter()
        found = jax.block_until_ready(program(*arguments))
        seconds.append(time.perf_counter() - started)
    if not all(bool(jnp.all(jnp.isfinite(leaf))) for leaf in jax.tree.leaves(found)):
        raise RuntimeError("a result is not finite")
    peak = _peak_memory()
    genome_bytes = sum(leaf.nbytes for leaf in jax.tree.leaves(state.genome))
    return {
        "seconds_per_individual": statistics.median(seconds) / case.population,
        "compile_seconds": compile_seconds,
        "peak_memory_bytes": peak,
        # What the process takes besides what it took before, each device's copy of the genome, and
        # the gradient, of which each device has its share.
        "memory_above_bytes": peak
        - before
        - genome_bytes * mesh.size
        - (0 if case.name == "sampling" else genome_bytes),
        "environment": describe_environment(),
        **measure_rates(),
    }


def measure_rates() -> dict[str, float]:
    """Exponentials per second of one core within its cache, and operations in a matrix product."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    repeats, values = 200, jnp.linspace(-5.0, 0.0, 2**14)
    decay = jax.jit(
        lambda values: jax.lax.fori_loop(0, repeats, lambda _, now: jnp.exp(now) - 1.0, values)
    )
    matrix = np.ones((512, 512), np.float32)
    return {
        "exponentials_per_second": repeats
        * values.size
        / _least_seconds(lambda: jax.block_until_ready(decay(values))),
        "operations_per_second": 2 * 512**3 / _least_seconds(lambda: matrix @ matrix),
    }


def measure_evostrat(case: Case) -> dict[str, Any]:
    """Measures a sample of evostrat's mixture and the gradient of its log-density."""
    import importlib.metadata

    import torch
    from evostrat import GaussianMixturePopulation

    torch.set_num_threads(case.cores)
    population = GaussianMixturePopulation(
        {"rules": torch.Size((NUM_SYNAPSES[case.network],))},
        torch.Size((case.num_rules, 5)),
        lambda individual: individual,
        std=STD,
    )
    started = time.perf_counter()
    for _, log_prob in population.sample(case.population):
        torch.autograd.grad(log_prob, population.parameters())
    return {
        "seconds_per_individual": (time.perf_counter() - started) / case.population,
        "peak_memory_bytes": _peak_memory(),
        "version": importlib.metadata.version("evostrat"),
        "torch": torch.__version__,
    }


def write_results(runs: dict[Case, list[dict[str, Any]]]) -> None:
    """Writes medians, and the ratios that they were measured for."""
    rows = []
    for case, measured in runs.items():
        numbers = {
            name: statistics.median(run[name] for run in measured)
            for name, value in measured[0].items()
            if isinstance(value, int | float)
        }
        texts = {name: value for name, value in measured[0].items() if isinstance(value, str)}
        every = [run["seconds_per_individual"] for run in measured]
        rows.append(
            {**dataclasses.asdict(case), **numbers, **texts, "all_seconds_per_individual": every}
        )
    environments = [
        run["environment"] for measured in runs.values() for run in measured if "environment" in run
    ]
    results = {"environment": environments[-1], "ratios": ratios(rows), "cases": rows}
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"genomes-{environments[-1]['devices'][0].replace(' ', '-')}.json"
    from hebbax.files import write_json  # Here: a peer's Python has no hebbax.

    write_json(file, results)
    print(json.dumps(results["ratios"], indent=2), f"\nwritten to {file}")


def ratios(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Compares the cases that belong together."""
    seconds = {
        (row["name"], row["network"], row["num_rules"], row["cores"]): row["seconds_per_individual"]
        for row in rows
    }
    found: dict[str, float] = {}
    for network, num_rules in SIZES:
        gradient, sampling, peer = (
            {cores: seconds.get((name, network, num_rules, cores)) for cores in (1, 2)}
            for name in ("gradient", "sampling", "evostrat")
        )
        size = f"{network}, {num_rules} rules"
        if gradient[1] and gradient[2]:
            found[f"{size}: gradient, one core to two"] = gradient[1] / gradient[2]
        if gradient[2] and sampling[2]:
            found[f"{size}: sampling to gradient, two cores"] = sampling[2] / gradient[2]
        if gradient[1] and sampling[1] and peer[1]:
            found[f"{size}: evostrat to sampling and gradient, one core"] = peer[1] / (
                gradient[1] + sampling[1]
            )
        if gradient[1]:
            found[f"{size}: gradient to its floor, one core"] = gradient[1] / floor_seconds(
                network, num_rules, rows
            )
    return found


def floor_seconds(network: str, num_rules: int, rows: list[dict[str, Any]]) -> float:
    """The least time that one individual's gradient takes a core at its highest rates."""
    exponentials, operations = (
        max(row[rate] for row in rows if rate in row)
        for rate in ("exponentials_per_second", "operations_per_second")
    )
    return NUM_SYNAPSES[network] * num_rules * (1 / exponentials + OPERATIONS / operations)


def _least_seconds(function: Any) -> float:
    """The shortest of some calls, after one that compiles."""
    seconds = []
    for _ in range(20):
        started = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - started)
    return min(seconds[1:])


def _peak_memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _resident_memory() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def _has(python: str, module: str) -> bool:
    found = (
        subprocess.run(
            [python, "-c", f"import {module}"], capture_output=True, check=False
        ).returncode
        == 0
    )
    if not found:
        print(f"{python} has no {module}: its cases are left out", flush=True)
    return found


def _in_a_process(case: Case, python: str) -> dict[str, Any]:
    """Measures a case in a new process, and returns what it printed last."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [python, __file__, "--case", json.dumps(dataclasses.asdict(case))]
    if case.cores == 1:
        command = ["taskset", "-c", "0", *command]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
