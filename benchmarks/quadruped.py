"""How fast the quadruped's lifetimes are, and where their time goes.

Every case runs in a process of its own, three times in turn with the others but the largest, which
runs once, so that a noisy machine disturbs all alike; the figures are medians. Run it by `make
benchmarks`; it writes `benchmarks/results/quadruped-DEVICE.json` and prints a table. Ratios are
what travels between machines.

Cases
    hebbian, physics: a generation with the paper's plastic policy (12,288 synapses), and with a
        policy that only repeats an inherited action. No lifetime ends early. At a population of 500
        and 1,000 steps the peak memory is what matters. What the policy adds to physics
        `in_turn.py` measures.
    gymnasium: a loop over gymnasium's Ant-v5 in one process, with the plastic policy in NumPy, and
        without it.

Floor
    Physics is bounded by its operations, as XLA counts them in one lifetime's step, over the core's
    rate in a matrix product. XLA counts a loop's body once: we multiply by the substeps, and leave
    out the solver's line search.
"""

import argparse
import dataclasses
import functools
import itertools
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

NUM_SYNAPSES = 28 * 128 + 128 * 64 + 64 * 8
NUM_VARIATIONS = 4
RESULTS = Path(__file__).parent / "results"


@dataclasses.dataclass(frozen=True)
class Case:
    """One thing to measure, in a process of its own."""

    name: str
    body: str = "bullet"
    population: int = 64
    cores: int = 2
    steps: int = 200
    repeats: int = 4
    rounds: int = 3


CASES = [
    *(
        Case(name, body=body, cores=cores)
        for body in ("bullet", "brax")
        for name in ("hebbian", "physics")
        for cores in (1, 2)
    ),
    Case("hebbian", body="bullet", population=512),
    Case("hebbian", body="brax", population=512),
    Case("hebbian", population=500, steps=1000, repeats=1, rounds=1),
    Case("gymnasium", body="gymnasium's", population=1, cores=1, steps=2000),
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
    parser.add_argument("--case", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        case = Case(**json.loads(options.case))
        measured = measure_gymnasium(case) if case.name == "gymnasium" else measure(case)
        sys.stdout.write("\n" + json.dumps(measured) + "\n")
        return

    chosen = [case for case in CASES if not options.only or case.name in options.only.split(",")]
    runs: dict[Case, list[dict[str, Any]]] = {case: [] for case in chosen}
    # The first round compiles; the others find the programs that it left.
    with tempfile.TemporaryDirectory() as cache:
        for number in range(options.rounds):
            for case in [case for case in chosen if number < case.rounds]:
                runs[case].append(_in_a_process(case, cache))
                print(f"{case}: {runs[case][-1]['steps_per_second']:,.0f} steps/s", flush=True)
    write_results(runs)


def measure(case: Case) -> dict[str, Any]:
    """Measures generations of lifetimes that all run to their last step."""
    import hebbax

    hebbax.use_cpu_cores(case.cores)
    import jax
    import jax.numpy as jnp

    from hebbax import devices
    from hebbax.evolution.generation import generation as evolution
    from hebbax.evolution.generation import rollout
    from hebbax.evolution.run_dir import describe_environment

    config = configure(case)
    mesh = devices.population_mesh(case.population)
    state = devices.put_everywhere(evolution.initial_state(config), mesh)
    data = (
        evolution.random_keys(config)[1],
        rollout.stack(config.training_variations),
        jnp.zeros((), jnp.int32),
    )
    key, variations, number = devices.put_everywhere(data, mesh)
    jax.block_until_ready(state)

    started = time.perf_counter()
    run_generation = evolution.compile_generation(config, mesh)
    compile_seconds = time.perf_counter() - started
    seconds = []
    for _ in range(case.repeats):
        started = time.perf_counter()
        state, metrics = jax.block_until_ready(run_generation(key, variations, state, number))
        seconds.append(time.perf_counter() - started)
    steps = int(metrics["steps"])
    if steps != case.population * NUM_VARIATIONS * case.steps:
        raise RuntimeError(
            f"{steps} steps were lived, but {case.population * NUM_VARIATIONS * case.steps} were "
            "meant to be measured"
        )
    return {
        "steps_per_second": steps / statistics.median(seconds),
        "compile_seconds": compile_seconds,
        "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "environment": describe_environment(),
        "physics_operations_per_step": count_operations(hebbax.Quadruped(body=case.body)),
        **measure_rates(),
    }


def compile_lifetimes(case: Case) -> Callable[[], Any]:
    """A population's lifetimes, to be lived as often as called."""
    import jax

    from hebbax import devices
    from hebbax.evolution.generation import generation as evolution
    from hebbax.evolution.generation import rollout

    config = configure(case)
    mesh = devices.population_mesh(case.population)
    variations = rollout.stack(config.training_variations)

    def live(keys: Any, genotypes: Any) -> Any:
        return rollout.live(
            config.task, config.policy, keys, genotypes, variations, config.individuals_at_a_time
        )

    genotypes = config.strategy.ask(jax.random.key(1), evolution.initial_state(config).search)
    population = devices.put_everywhere(
        (jax.random.split(jax.random.key(0), case.population), genotypes), mesh
    )
    compiled = jax.jit(devices.over_population(live, mesh)).lower(*population).compile()
    lived, meant = (
        int(compiled(*population).num_steps.sum()),
        case.population * NUM_VARIATIONS * case.steps,
    )
    if lived != meant:
        raise RuntimeError(f"{lived} steps were lived, but {meant} were meant to be measured")
    return functools.partial(compiled, *population)


def configure(case: Case) -> Any:
    """The configuration whose generations a case measures."""
    import jax
    import jax.numpy as jnp

    import hebbax

    @dataclasses.dataclass(frozen=True)
    class Repeat:
        """A policy that repeats an inherited action."""

        def genotype_shape(self, task: Any) -> Any:
            return jax.ShapeDtypeStruct((task.action_size,), jnp.float32)

        def reset(self, key: jax.Array, genotype: jax.Array) -> tuple:
            del key, genotype
            return ()

        def act(self, genotype: jax.Array, memory: tuple, observation: jax.Array) -> tuple:
            del observation
            return jnp.tanh(genotype), memory

    @dataclasses.dataclass(frozen=True)
    class Enduring:
        """The quadruped whose lifetimes do not end before their last step."""

        task: Any

        def __getattr__(self, name: str) -> Any:
            return getattr(self.task, name)

        def step(self, state: Any, action: Any, variation: Any) -> Any:
            state, observation, reward, _ = self.task.step(state, action, variation)
            return state, observation, reward, jnp.zeros((), bool)

    @dataclasses.dataclass(frozen=True)
    class OneBody(Enduring):
        """With the default body only, four times: its physics does not depend on the variation."""

        @property
        def variations(self) -> dict[str, Any]:
            return {str(number): jnp.zeros(()) for number in range(NUM_VARIATIONS)}

        def reset(self, key: Any, variation: Any) -> Any:
            del variation
            return self.task.reset(key, self.task.variations["default"])

        def step(self, state: Any, action: Any, variation: Any) -> Any:
            del variation
            return super().step(state, action, self.task.variations["default"])

    task = hebbax.Quadruped(body=case.body, episode_steps=case.steps, burn_in_steps=0)
    return hebbax.Config(
        task=OneBody(task) if case.name == "one_body" else Enduring(task),
        policy=Repeat() if case.name == "physics" else hebbax.Hebbian(),
        genome=hebbax.Normal(init_scale=0.01),
        strategy=hebbax.ScoreFunction(population_size=case.population, std=hebbax.Schedule(0.01)),
        held_out=None if case.name == "one_body" else "long_front_legs",
        penalty=0.01,
    )


def count_operations(task: Any) -> float:
    """Floating-point operations of one lifetime's step.

    XLA's count for one substep, times the substeps.
    """
    import jax
    import jax.numpy as jnp

    from hebbax.tasks.quadruped.engine import SUBSTEPS

    variation = task.variations["default"]
    state = jax.eval_shape(task.reset, jax.random.key(0), variation)[0]
    lowered = jax.jit(task.step).lower(state, jnp.zeros(task.action_size), variation)
    return lowered.compile().cost_analysis()["flops"] * SUBSTEPS[task.body, task.pipeline]


def plasticity_bytes() -> float:
    """What a step of one lifetime moves at least.

    Its share of an individual's rules, and its weights read and written.
    """
    return 4 * NUM_SYNAPSES * (5 / NUM_VARIATIONS + 2)


def measure_rates() -> dict[str, float]:
    """One core's bandwidth and arithmetic, as NumPy reaches them within its cache."""
    import numpy as np

    # 2 MiB each, as rules and weights of a dozen lifetimes.
    source, target = np.ones(2**19, np.float32), np.ones(2**19, np.float32)
    copies = []
    for _ in range(50):
        started = time.perf_counter()
        np.copyto(target, source)
        copies.append(time.perf_counter() - started)
    matrix = np.ones((512, 512), np.float32)
    products = []
    for _ in range(20):
        started = time.perf_counter()
        matrix @ matrix
        products.append(time.perf_counter() - started)
    return {
        "copy_bytes_per_second": 2 * source.nbytes / min(copies),
        "operations_per_second": 2 * 512**3 / min(products),
    }


def measure_gymnasium(case: Case) -> dict[str, Any]:
    """Measures gymnasium's Ant-v5 with a plastic policy in NumPy, and alone."""
    import gymnasium
    import numpy as np

    env = gymnasium.make("Ant-v5")
    random = np.random.default_rng(0)
    sizes = [env.observation_space.shape[0], 128, 64, 8]
    rules = [
        0.01 * random.standard_normal((5, pre, post)).astype(np.float32)
        for pre, post in itertools.pairwise(sizes)
    ]
    weights = [random.uniform(-0.1, 0.1, rule.shape[1:]).astype(np.float32) for rule in rules]

    def act(observation: Any) -> Any:
        said = [observation.astype(np.float32)]
        for layer in weights:
            said.append(np.tanh(said[-1] @ layer))
        for layer, (eta, a, b, c, d), pre, post in zip(
            weights, rules, said[:-1], said[1:], strict=True
        ):
            layer += eta * (a * np.outer(pre, post) + b * pre[:, None] + c * post[None, :] + d)
        return said[-1]

    def steps_per_second(is_plastic: bool) -> float:
        observation, _ = env.reset(seed=0)
        started = time.perf_counter()
        for _ in range(case.steps):
            action = act(observation) if is_plastic else env.action_space.sample()
            observation, _, is_end, is_cut, _ = env.step(action)
            if is_end or is_cut:
                observation, _ = env.reset()
        return case.steps / (time.perf_counter() - started)

    return {
        "steps_per_second": steps_per_second(is_plastic=True),
        "environment_alone_steps_per_second": steps_per_second(is_plastic=False),
        "gymnasium": gymnasium.__version__,
        "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
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
        numbers |= (
            {"compile_seconds": measured[0]["compile_seconds"]}
            if "compile_seconds" in numbers
            else {}
        )
        rows.append(
            {
                **dataclasses.asdict(case),
                **numbers,
                "all_steps_per_second": [run["steps_per_second"] for run in measured],
            }
        )
    environments = [
        run["environment"] for measured in runs.values() for run in measured if "environment" in run
    ]
    results = {
        "environment": environments[-1] if environments else None,
        "ratios": ratios(rows),
        "cases": rows,
    }
    device = environments[-1]["devices"][0].replace(" ", "-") if environments else "none"
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"quadruped-{device}.json"
    from hebbax.files import write_json  # Here: a peer's Python has no hebbax.

    write_json(file, results)
    print(json.dumps(results["ratios"], indent=2), f"\nwritten to {file}")


def ratios(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Compares the cases that belong together."""
    by_case = {(row["name"], row["body"], row["population"], row["cores"]): row for row in rows}
    speed = {case: row["steps_per_second"] for case, row in by_case.items()}
    found: dict[str, float] = {}
    for body in ("bullet", "brax"):
        pairs = {
            f"{body}: two cores to one": (("hebbian", body, 64, 2), ("hebbian", body, 64, 1)),
            f"{body}: population 512 to 64": (("hebbian", body, 512, 2), ("hebbian", body, 64, 2)),
        }
        found |= {
            name: speed[first] / speed[second]
            for name, (first, second) in pairs.items()
            if first in speed and second in speed
        }
        if row := by_case.get(("physics", body, 64, 1)):
            least = row["physics_operations_per_step"] / row["operations_per_second"]
            found[f"{body}: physics to its floor"] = 1 / row["steps_per_second"] / least
        peer = ("gymnasium", "gymnasium's", 1, 1)
        if peer in speed and ("hebbian", body, 64, 1) in speed:
            found[f"{body}: one core to gymnasium with NumPy on one core"] = (
                speed[("hebbian", body, 64, 1)] / speed[peer]
            )
    return found


def _in_a_process(case: Case, cache: str) -> dict[str, Any]:
    """Measures a case in a new process, and returns what it printed last."""
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "JAX_COMPILATION_CACHE_DIR": cache,
    }
    command = [sys.executable, __file__, "--case", json.dumps(dataclasses.asdict(case))]
    if case.cores == 1:
        command = ["taskset", "-c", "0", *command]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
