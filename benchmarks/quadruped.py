"""How fast the quadruped's lifetimes are, and where their time goes.

Every case runs in a process of its own, three times in turn with the others but the largest, which
runs once, so that a noisy machine disturbs all alike; the figures are medians. Run it by `make
benchmarks`; it writes `benchmarks/results/quadruped-DEVICE.json` and prints the ratios, which are
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

import dataclasses
import functools
import statistics
from collections.abc import Callable
from typing import Any

import harness
import jax
import jax.numpy as jnp
import rates
from generations import Generation, check_steps
from harness import by_name, fields
from stand_ins import NUM_VARIATIONS, Enduring, OneBody, Repeat

import hebbax
from hebbax import devices
from hebbax.evolution import limits
from hebbax.evolution.episode import Setup
from hebbax.evolution.generation import initial_state
from hebbax.evolution.rollout import rollout_population, stack
from hebbax.presets import QUADRUPED_SYNAPSES
from hebbax.tasks.quadruped.engine import SUBSTEPS


@dataclasses.dataclass(frozen=True)
class Case:
    name: str
    body: str = "bullet"
    population: int = 64
    cores: int | None = 2
    steps: int = 200
    generations: int = 4
    rounds: int = 3

    @property
    def num_steps(self) -> int:
        """Steps of a generation in which no lifetime ends early."""
        return self.population * NUM_VARIATIONS * self.steps


CASES = [
    *(
        Case(name, body=body, cores=cores)
        for body in ("bullet", "brax")
        for name in ("hebbian", "physics")
        for cores in (1, 2)
    ),
    Case("hebbian", body="bullet", population=512),
    Case("hebbian", body="brax", population=512),
    Case("hebbian", population=500, steps=1000, generations=1, rounds=1),
    Case("gymnasium", body="gymnasium's", population=1, cores=1, steps=2000),
]
ROW = fields(
    "name body population cores steps generations rounds steps_per_second all_steps_per_second "
    "peak_memory_bytes"
)
RATES = fields(
    "compile_seconds physics_operations_per_step copy_bytes_per_second operations_per_second"
)
FIELDS = fields(
    "environment ratios",
    cases=by_name(
        {"gymnasium": ROW | fields("environment_alone_steps_per_second"), "*": ROW | RATES}
    ),
)


def measure(case: Case) -> dict[str, Any]:
    """Measures generations of lifetimes that all run to their last step."""
    generation = Generation(configure(case))
    check_steps(generation.run()[1]["steps"], case.num_steps)
    seconds = harness.repeat(generation.run, case.generations, warm_ups=0)
    return {
        "steps_per_second": case.num_steps / statistics.median(seconds),
        "compile_seconds": generation.compile_seconds,
        "peak_memory_bytes": harness.peak_memory(),
        "physics_operations_per_step": count_operations(hebbax.Quadruped(body=case.body)),
        "copy_bytes_per_second": rates.copy_bytes_per_second(),
        "operations_per_second": rates.operations_per_second(),
    }


def compile_lifetimes(case: Case, **changes: Any) -> Callable[[], Any]:
    """A population's lifetimes, to be lived as often as called; other fields may be changed."""
    config = dataclasses.replace(configure(case), **changes)
    mesh = devices.population_mesh(case.population)
    state, variations = initial_state(config), stack(config.training_variations)
    setup = Setup.of(config)
    setup = dataclasses.replace(setup, chunk_size=limits.chunk_size(setup, NUM_VARIATIONS))

    def live(keys: Any, genotypes: Any) -> Any:
        return rollout_population(setup, state.wiring, keys, genotypes, variations)

    keys = jax.random.split(jax.random.key(0), case.population)
    genotypes = config.strategy.ask(jax.random.key(1), state.search)
    population = devices.put_everywhere((keys, genotypes), mesh)
    program, _ = harness.compiled(jax.jit(devices.over_population(live, mesh)), *population)
    check_steps(program(*population).num_steps.sum(), case.num_steps)
    return functools.partial(program, *population)


def configure(case: Case) -> Any:
    """The configuration whose generations a case measures."""
    is_one_body = case.name == "one_body"
    task: Any = Enduring(
        hebbax.Quadruped(body=case.body, episode_steps=case.steps, burn_in_steps=0)
    )
    return hebbax.Config(
        task=OneBody(task) if is_one_body else task,
        policy=Repeat() if case.name == "physics" else hebbax.Hebbian(),
        genome=hebbax.Normal(init_scale=0.01),
        strategy=hebbax.ScoreFunction(population_size=case.population, std=hebbax.Schedule(0.01)),
        held_out=None if is_one_body else "long_front_legs",
        penalty=0.01,
    )


def count_operations(task: Any) -> float:
    """Floating-point operations of one lifetime's step.

    XLA's count for one substep, times the substeps.
    """
    variation = task.variations["default"]
    state = jax.eval_shape(task.reset, jax.random.key(0), variation)[0]
    program, _ = harness.compiled(jax.jit(task.step), state, jnp.zeros(task.action_size), variation)
    return program.cost_analysis()["flops"] * SUBSTEPS[task.body]


def plasticity_bytes() -> float:
    """What a step of one lifetime moves at least.

    Its share of an individual's rules, and its weights read and written.
    """
    return 4 * QUADRUPED_SYNAPSES * (5 / NUM_VARIATIONS + 2)


def ratios(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Compares the cases that belong together."""
    by_case = {(row["name"], row["body"], row["population"], row["cores"]): row for row in rows}
    speed = {case: row["steps_per_second"] for case, row in by_case.items()}
    peer = ("gymnasium", "gymnasium's", 1, 1)
    found: dict[str, float] = {}
    for body in ("bullet", "brax"):
        one, two = (("hebbian", body, 64, cores) for cores in (1, 2))
        pairs = {
            f"{body}: two cores to one": (two, one),
            f"{body}: population 512 to 64": (("hebbian", body, 512, 2), two),
            f"{body}: one core to gymnasium with NumPy on one core": (one, peer),
        }
        found |= harness.ratios_of(speed, pairs)
        if row := by_case.get(("physics", body, 64, 1)):
            found[f"{body}: physics to its floor"] = row["operations_per_second"] / (
                row["steps_per_second"] * row["physics_operations_per_step"]
            )
    return found


BENCHMARK = harness.Benchmark(
    name="quadruped",
    cases=CASES,
    measure=measure,
    figure="steps_per_second",
    ratios=ratios,
    fields=FIELDS,
    tiny={"population": 4, "steps": 5, "generations": 2},
    peers={"gymnasium": "gymnasium"},
    has_cache=True,
)

if __name__ == "__main__":
    harness.run(BENCHMARK, __doc__)
