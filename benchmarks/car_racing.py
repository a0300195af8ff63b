"""How fast the racer's steps are, and where their time goes.

Every case runs in a process of its own, several times in turn with the others, so that a noisy
machine disturbs all alike; the figures are medians. It writes
`benchmarks/results/car-racing-DEVICE.json` and prints the ratios, which are what travels between
machines. The peers, EnvPool and gymnasium, are no dependencies: name a Python that has `envpool`
and `gymnasium[box2d]` by `--peer-python`, or their cases are left out.

Cases
    loop: whole generations of the paper's plastic policy, search included, in four variations;
        `batch` is the population. Every lifetime has all its steps, a third of them in the first
        second, which is the dearest, and a road of its own.
    physics: steps without a view. The actions are a tape.
    state, view: steps whose observation is looked at, as numbers and as 84 x 84 pixels, the latter
        on a CPU 16 races at a time on each core. The car follows the road, as tiles in view cost
        time. The first second, when the whole field is in view, is measured apart.
        What larger batches cost `in_turn.py` measures.
    parts: what draws a view, part by part, and what the paper's policy does with it.
    envpool, gymnasium: CarRacing-v3 with its 96 x 96 pixels under random actions; gymnasium also
        without them.

The floors are written down in `docs/benchmarks.md`.
"""

import dataclasses
import functools
import statistics
from collections.abc import Callable
from typing import Any

import harness
import jax
import jax.numpy as jnp
from car_parts import PARTS, follow_road, measure_parts
from generations import Generation, check_steps
from harness import by_name, fields
from stand_ins import NUM_VARIATIONS

from hebbax import devices, platforms
from hebbax.evolution.rollout import stack
from hebbax.presets import PRESETS
from hebbax.tasks.car_racing import CarRacing

ZOOM_STEPS = 50  # In the first second the view zooms in.
# Of the paper's own code for a step of policy and environment on one core: torch 2.13, Box2D
# 2.3.10.
PAPER_MICROSECONDS = 10_214


@dataclasses.dataclass(frozen=True)
class Case:
    name: str
    batch: int = 64
    cores: int | None = 2
    steps: int = 300


CASES = [
    Case("loop", batch=16, cores=1, steps=150),
    *(Case("loop", batch=batch, steps=150) for batch in (16, 64, 200)),
    Case("physics"),
    Case("state"),
    Case("view"),
    Case("physics", batch=32, cores=1),
    Case("view", batch=32, cores=1),
    Case("parts", batch=32, cores=1, steps=100),
    Case("envpool"),
    Case("envpool", batch=32, cores=1),
    Case("gymnasium", batch=1, cores=1),
]
ROW = fields("name batch cores steps all_steps_per_second")
SPEED = ROW | fields("steps_per_second peak_memory_bytes")
FIELDS = fields(
    "environment ratios",
    cases=by_name(
        {
            "loop": SPEED | fields("microseconds_per_step_and_core"),
            "parts": ROW | fields(PARTS),
            "envpool": SPEED | fields("version"),
            "gymnasium": SPEED | fields("physics_steps_per_second version"),
            "*": SPEED | fields("first_second_steps_per_second reset_seconds mean_visited"),
        }
    ),
)


def measure(case: Case) -> dict[str, Any]:
    kinds = {"loop": measure_loop, "parts": measure_parts}
    return kinds.get(case.name, measure_races)(case)


def measure_loop(case: Case) -> dict[str, Any]:
    """Measures generations of the paper's policy; no lifetime ends early."""
    seconds = statistics.median(harness.repeat(compile_loop(case).run, 3, warm_ups=0))
    num_steps = case.batch * NUM_VARIATIONS * case.steps
    return {
        "steps_per_second": num_steps / seconds,
        "microseconds_per_step_and_core": 1e6 * (case.cores or 1) * seconds / num_steps,
        "peak_memory_bytes": harness.peak_memory(),
    }


def compile_loop(case: Case) -> Generation:
    """The first generation, to be run as often as called."""
    paper: Any = PRESETS["car-hebbian"]()
    generation = Generation(
        dataclasses.replace(
            paper,
            task=dataclasses.replace(paper.task, episode_steps=case.steps, patience=None),
            strategy=dataclasses.replace(paper.strategy, population_size=case.batch),
        )
    )
    check_steps(generation.run()[1]["steps"], case.batch * NUM_VARIATIONS * case.steps)
    return generation


def measure_races(case: Case) -> dict[str, Any]:
    """Measures steps of a batch of races in all five variations."""
    reset, compile_drive = make_races(case)
    races = jax.block_until_ready(reset())
    reset_seconds = harness.seconds_of(reset)
    speeds = []
    for steps in (ZOOM_STEPS, case.steps):
        drive = compile_drive(races, steps)
        races, seen = jax.block_until_ready(drive())
        speeds.append(case.batch * steps / harness.seconds_of(drive))
        if not bool(jnp.all(jnp.isfinite(seen))):
            raise RuntimeError("a race was not finite")
    return {
        "steps_per_second": speeds[1],
        "first_second_steps_per_second": speeds[0],
        "reset_seconds": reset_seconds,
        "mean_visited": float(jnp.mean(races.num_paid)),
        "peak_memory_bytes": harness.peak_memory(),
    }


def make_races(case: Case) -> tuple[Callable[[], Any], Callable[[Any, int], Callable[[], Any]]]:
    """What starts a batch of races, and what compiles a number of steps of them.

    The steps give the races after them and what was seen last.
    """
    view = "pixels" if case.name.startswith("view") else "state"
    task = CarRacing(view=view, is_squashed=False)
    variations = jax.tree.map(lambda leaf: leaf[jnp.arange(case.batch) % 5], stack(task.variations))
    mesh = devices.population_mesh(case.batch)

    def reset(keys: Any, variations: Any) -> Any:
        return jax.vmap(task.reset)(keys, variations)[0]

    def compile_drive(races: Any, steps: int) -> Callable[[], Any]:
        drive = functools.partial(drive_share, case.name, task, steps)
        program, _ = harness.compiled(
            jax.jit(devices.over_population(drive, mesh)), races, variations
        )
        return functools.partial(program, races, variations)

    keys = jax.random.split(jax.random.key(0), case.batch)
    start = jax.jit(devices.over_population(reset, mesh))
    return functools.partial(start, keys, variations), compile_drive


def drive_share(name: str, task: CarRacing, steps: int, races: Any, variations: Any) -> Any:
    """Drives a device's races, those with a view as many at a time as its lifetimes go."""
    share, chunk = races.num_steps.shape[0], platforms.sizes().chunk
    size = min(share, NUM_VARIATIONS * chunk) if name == "view" and chunk else share
    chunks = jax.tree.map(lambda leaf: leaf.reshape(-1, size, *leaf.shape[1:]), (races, variations))
    driven = jax.lax.map(lambda chunk: drive(name, task, steps, *chunk), chunks)
    return jax.tree.map(lambda leaf: leaf.reshape(share, *leaf.shape[2:]), driven)


def drive(name: str, task: CarRacing, steps: int, races: Any, variations: Any) -> Any:
    """Races after some steps, and what was seen in the last."""
    numbers = jnp.arange(races.num_steps.shape[0])

    def advance(carry: Any, _: None) -> tuple[Any, None]:
        races, _ = carry
        actions = jax.vmap(follow_road)(races) if task.view == "pixels" else tape(races, numbers)
        races, observation, reward, _ = jax.vmap(task.step)(races, actions, variations)
        # Carried on, as a rollout carries it, an observation is made; elsewhere XLA leaves it out.
        return (races, reward if name == "physics" else observation), None

    shape = () if name == "physics" else task.observation_shape
    return jax.lax.scan(advance, (races, jnp.zeros((*numbers.shape, *shape))), length=steps)[0]


def tape(races: Any, numbers: jax.Array) -> jax.Array:
    """Actions that depend on the time alone, another tape for each number."""
    times = 0.05 * races.num_steps.astype(jnp.float32) + numbers
    gas = 0.2 + 0.2 * jnp.sin(0.3 * times)
    return jnp.stack([0.3 * jnp.sin(times), gas, jnp.zeros_like(times)], axis=1)


def ratios(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Compares the cases that belong together."""
    speed = {
        (row["name"], row["batch"], row["cores"]): row["steps_per_second"]
        for row in rows
        if "steps_per_second" in row
    }
    pairs = {
        "loop: two cores to one": (("loop", 16, 2), ("loop", 16, 1)),
        "loop to EnvPool alone, two cores": (("loop", 64, 2), ("envpool", 64, 2)),
        "view to EnvPool, two cores": (("view", 64, 2), ("envpool", 64, 2)),
        "view to EnvPool, one core": (("view", 32, 1), ("envpool", 32, 1)),
        "view to gymnasium, one core": (("view", 32, 1), ("gymnasium", 1, 1)),
        "view: two cores to one": (("view", 64, 2), ("view", 32, 1)),
        "physics: two cores to one": (("physics", 64, 2), ("physics", 32, 1)),
        "physics to view": (("physics", 64, 2), ("view", 64, 2)),
    }
    paper = {
        f"loop: the paper's time to ours, population {row['batch']}, {row['cores']} cores": (
            PAPER_MICROSECONDS / row["microseconds_per_step_and_core"]
        )
        for row in rows
        if row["name"] == "loop" and row["cores"]
    }
    return harness.ratios_of(speed, pairs) | paper


BENCHMARK = harness.Benchmark(
    name="car-racing",
    cases=CASES,
    measure=measure,
    figure="steps_per_second",
    ratios=ratios,
    fields=FIELDS,
    tiny={"batch": 2, "steps": 5},
    peers={"envpool": "envpool", "gymnasium": "gymnasium.envs.box2d.car_racing"},
    has_cache=True,
)

if __name__ == "__main__":
    harness.run(BENCHMARK, __doc__)
