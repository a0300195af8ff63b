"""How fast the racer's steps are, and where their time goes.

Every case runs in a process of its own, several times in turn with the others, so that a noisy
machine disturbs all alike; the figures are medians. It writes
`benchmarks/results/car-racing-DEVICE.json` and prints a table. Ratios are what travels between
machines. The peers, EnvPool and gymnasium, are no dependencies: name a Python that has `envpool`
and `gymnasium[box2d]` by `--peer-python`, or their cases are left out.

Cases
    loop: whole generations of the paper's plastic policy, search included, in four variations;
        `batch` is the population. Every lifetime has all its steps, half of them in the first
        second, which is the dearest.
    physics: steps without a view. The actions are a tape.
    state, view: steps whose observation is looked at, as numbers and as 84 x 84 pixels, the latter
        16 races at a time on each core. The car follows the road, as tiles in view cost time. The
        first second, when the whole field is in view, is measured apart.
    view at once: the same without a limit to the races at a time. What larger batches cost
    `in_turn.py` measures. parts: what draws a view, part by part, and what the paper's policy does
    with it, in microseconds for one view on one core. envpool, gymnasium: CarRacing-v3 with its 96
    x 96 pixels under random actions; gymnasium also without them.

The floors are written down in `docs/benchmarks.md`.
"""

import argparse
import dataclasses
import functools
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
ZOOM_STEPS = 50  # In the first second the view zooms in.
# Races at a time on each core, as `hebbax.devices.CPU_CHUNK` individuals in four variations make
# them.
TOGETHER = 16
NUM_VARIATIONS = 4  # That the loop trains on.
# Of the paper's own code for a step of policy and environment on one core: torch 2.13, Box2D
# 2.3.10.
PAPER_MICROSECONDS = 10_214
PEERS = ("envpool", "gymnasium")


@dataclasses.dataclass(frozen=True)
class Case:
    """One thing to measure, in a process of its own."""

    name: str
    batch: int = 64
    cores: int = 2
    steps: int = 300


CASES = [
    Case("loop", batch=16, cores=1, steps=100),
    *(Case("loop", batch=batch, steps=100) for batch in (16, 64, 200)),
    *(Case(name, batch=batch) for name in ("physics", "view") for batch in (16, 64, 256)),
    Case("view at once", batch=256),
    Case("state"),
    Case("physics", batch=32, cores=1),
    Case("view", batch=32, cores=1),
    Case("parts", batch=32, cores=1, steps=100),
    Case("envpool"),
    Case("envpool", batch=32, cores=1),
    Case("gymnasium", batch=1, cores=1),
]


def main() -> None:
    """Measures all cases, or in a child process one."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3, help="processes per case")
    parser.add_argument(
        "--only", default="", help="names of cases, separated by commas; all if empty"
    )
    parser.add_argument(
        "--peer-python", default=sys.executable, help="an interpreter that has the peers"
    )
    parser.add_argument("--case", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        case = Case(**json.loads(options.case))
        measured = {
            "loop": measure_loop,
            "envpool": measure_envpool,
            "gymnasium": measure_gymnasium,
            "parts": measure_parts,
        }.get(case.name, measure)
        sys.stdout.write("\n" + json.dumps(measured(case)) + "\n")
        return

    chosen = [case for case in CASES if not options.only or case.name in options.only.split(",")]
    chosen = [
        case for case in chosen if case.name not in PEERS or _has(options.peer_python, case.name)
    ]
    runs: dict[Case, list[dict[str, Any]]] = {case: [] for case in chosen}
    for _ in range(options.rounds):
        for case in chosen:
            runs[case].append(
                _in_a_process(case, options.peer_python if case.name in PEERS else sys.executable)
            )
            print(
                case,
                {name: value for name, value in runs[case][-1].items() if name != "environment"},
                flush=True,
            )
    write_results(runs)


def measure_loop(case: Case) -> dict[str, Any]:
    """Measures generations of the paper's policy; no lifetime ends early."""
    import hebbax

    hebbax.use_cpu_cores(case.cores)
    from hebbax.evolution.run_dir import describe_environment

    run_generation = compile_loop(case)
    seconds = statistics.median(seconds_of(run_generation) for _ in range(3))
    num_steps = case.batch * NUM_VARIATIONS * case.steps
    return {
        "steps_per_second": num_steps / seconds,
        "microseconds_per_step_and_core": 1e6 * case.cores * seconds / num_steps,
        "peak_memory_bytes": _peak_memory(),
        "environment": describe_environment(),
    }


def compile_loop(case: Case) -> Callable[[], Any]:
    """The first generation, to be run as often as called."""
    import jax.numpy as jnp

    from hebbax import devices
    from hebbax.evolution.generation import generation as evolution
    from hebbax.evolution.generation import rollout
    from hebbax.presets import PRESETS

    paper = PRESETS["car-hebbian"]()
    config = dataclasses.replace(
        paper,
        task=dataclasses.replace(paper.task, episode_steps=case.steps, patience=None),
        strategy=dataclasses.replace(paper.strategy, population_size=case.batch),
    )
    mesh = devices.population_mesh(case.batch)
    data = (
        evolution.random_keys(config)[1],
        rollout.stack(config.training_variations),
        evolution.initial_state(config),
        jnp.zeros((), jnp.int32),
    )
    run_generation = functools.partial(
        evolution.compile_generation(config, mesh), *devices.put_everywhere(data, mesh)
    )
    num_steps = case.batch * NUM_VARIATIONS * case.steps
    if (lived := int(run_generation()[1]["steps"])) != num_steps:
        raise RuntimeError(f"{lived} steps were lived, but {num_steps} were meant to be measured")
    return run_generation


def measure(case: Case) -> dict[str, Any]:
    """Measures steps of a batch of races in all five variations."""
    import hebbax

    hebbax.use_cpu_cores(case.cores)
    import jax
    import jax.numpy as jnp

    from hebbax.evolution.run_dir import describe_environment

    reset, compile_drive = make_races(case)
    races = jax.block_until_ready(reset())
    reset_seconds = seconds_of(reset)
    drive_first = compile_drive(races, ZOOM_STEPS)
    races, _ = jax.block_until_ready(drive_first())
    zoom_seconds = seconds_of(drive_first)
    drive = compile_drive(races, case.steps)
    races, seen = jax.block_until_ready(drive())
    seconds = seconds_of(drive)
    if not bool(jnp.all(jnp.isfinite(seen))):
        raise RuntimeError("a race was not finite")
    return {
        "steps_per_second": case.batch * case.steps / seconds,
        "first_second_steps_per_second": case.batch * ZOOM_STEPS / zoom_seconds,
        "reset_seconds": reset_seconds,
        "mean_visited": float(jnp.mean(races.num_paid)),
        "peak_memory_bytes": _peak_memory(),
        "environment": describe_environment(),
    }


def make_races(case: Case) -> tuple[Callable[[], Any], Callable[[Any, int], Callable[[], Any]]]:
    """What starts a batch of races, and what compiles a number of steps of them.

    The steps give the races after them and what was seen last.
    """
    import jax
    import jax.numpy as jnp

    from hebbax import devices
    from hebbax.tasks.car_racing import CarRacing

    is_view = case.name.startswith("view")
    task = CarRacing(view="pixels" if is_view else "state")
    variations = jax.tree.map(lambda *leaves: jnp.stack(leaves), *task.variations.values())
    variations = jax.tree.map(lambda leaf: leaf[jnp.arange(case.batch) % 5], variations)
    mesh = devices.population_mesh(case.batch)

    def reset(keys: Any, variations: Any) -> Any:
        return jax.vmap(task.reset)(keys, variations)[0]

    def drive(races: Any, variations: Any, steps: int) -> Any:
        def advance(carry: Any, _: None) -> tuple[Any, None]:
            races, _ = carry
            actions = jax.vmap(follow_road)(races) if is_view else tape(races)
            races, observation, reward, _ = jax.vmap(task.step)(races, actions, variations)
            # Carried on, as a rollout carries it, an observation is made; elsewhere XLA leaves it
            # out.
            return (races, reward if case.name == "physics" else observation), None

        shape = () if case.name == "physics" else task.observation_shape
        return jax.lax.scan(
            advance, (races, jnp.zeros((races.num_steps.shape[0], *shape))), None, length=steps
        )[0]

    def tape(races: Any) -> Any:
        times = 0.05 * races.num_steps.astype(jnp.float32) + jnp.arange(races.num_steps.shape[0])
        return jnp.stack(
            [0.3 * jnp.sin(times), 0.2 + 0.2 * jnp.sin(0.3 * times), jnp.zeros_like(times)], axis=1
        )

    def drive_share(races: Any, variations: Any, steps: int) -> Any:
        share = races.num_steps.shape[0]
        size = min(share, TOGETHER) if case.name == "view" else share
        chunks = jax.tree.map(
            lambda leaf: leaf.reshape(-1, size, *leaf.shape[1:]), (races, variations)
        )
        driven = jax.lax.map(lambda chunk: drive(*chunk, steps), chunks)
        return jax.tree.map(lambda leaf: leaf.reshape(share, *leaf.shape[2:]), driven)

    def compile_drive(races: Any, steps: int) -> Callable[[], Any]:
        run = devices.over_population(
            lambda races, variations: drive_share(races, variations, steps), mesh
        )
        return functools.partial(jax.jit(run).lower(races, variations).compile(), races, variations)

    keys = jax.random.split(jax.random.key(0), case.batch)
    return functools.partial(
        jax.jit(devices.over_population(reset, mesh)), keys, variations
    ), compile_drive


def seconds_of(run: Callable[[], Any]) -> float:
    """How long a call takes until all its results are there."""
    import jax

    started = time.perf_counter()
    jax.block_until_ready(run())
    return time.perf_counter() - started


def follow_road(race: Any) -> Any:
    """Steers at the road seven metres ahead, at 30 m/s."""
    import jax.numpy as jnp

    from hebbax.tasks.car_racing import senses

    seen = senses.sense(race.car, race.track, race.is_on_road)
    ahead, speed = seen[28:30], senses.SPEED_SCALE * seen[5]
    steering = 2.0 * jnp.arctan2(ahead[0], jnp.maximum(ahead[1], 1e-3))
    return jnp.stack([steering, jnp.where(speed < 30.0, 0.2, 0.0), jnp.zeros(())])


def measure_parts(case: Case) -> dict[str, Any]:
    """Measures what a view and a policy are made of, one part at a time, on one core."""
    import hebbax

    hebbax.use_cpu_cores(1)
    import jax
    import jax.numpy as jnp

    from hebbax.tasks.car_racing import CarRacing, render

    task = CarRacing(view="state")
    variation = task.variations["default"]
    races = jax.jit(jax.vmap(lambda key: task.reset(key, variation)[0]))(
        jax.random.split(jax.random.key(0), case.batch)
    )

    def advance(races: Any, _: None) -> tuple[Any, None]:
        return jax.vmap(lambda race: task.step(race, follow_road(race), variation)[0])(races), None

    races = jax.jit(lambda races: jax.lax.scan(advance, races, None, length=case.steps)[0])(races)
    time_of = jax.vmap(lambda race: 0.02 * race.num_steps.astype(jnp.float32))
    cameras = jax.vmap(render._place_camera)(races.car, time_of(races))
    planes = jax.vmap(render._draw_road)(races.track, races.is_visited, cameras)
    fields = jax.vmap(render._draw_field)(planes, cameras)
    parts = {
        "road": (render._draw_road, (races.track, races.is_visited, cameras)),
        "field": (render._draw_field, (planes, cameras)),
        "car": (render._draw_car, (fields, races.car, cameras)),
        "panel": (render._draw_panel, (races.car,)),
        "frame": (render.draw_frame, (races.car, races.track, races.is_visited, time_of(races))),
        "view": (
            lambda *scene: render.draw_view(*scene, 84),
            (races.car, races.track, races.is_visited, time_of(races)),
        ),
        "step": (
            lambda race: task.step(race, jnp.zeros(3), variation)[0].replace(track=None),
            (races,),
        ),
    }
    times = {
        name: _microseconds(jax.jit(jax.vmap(part)), arguments, case.batch)
        for name, (part, arguments) in parts.items()
    }
    return {f"{name}_microseconds": time for name, time in {**times, **_time_policy()}.items()}


def _time_policy() -> dict[str, float]:
    """Times the paper's plastic policy.

    Two individuals, which a core lives at a time, in four lifetimes each.
    """
    import jax

    from hebbax.policies.vision import look
    from hebbax.presets import PRESETS

    config = PRESETS["car-hebbian"]()
    policy: Any = config.policy
    keys = jax.random.split(jax.random.key(0), 2)
    genotypes = jax.vmap(
        lambda key: config.genome.init(key, policy.genotype_shape(config.task)).mean
    )(keys)
    memories = jax.vmap(
        lambda key, genotype: jax.vmap(lambda key: policy.reset(key, genotype))(
            jax.random.split(key, 4)
        )
    )(keys, genotypes)
    pictures = jax.random.uniform(jax.random.key(1), (2, 4, *config.task.observation_shape))

    def for_all(function: Any) -> Any:
        return jax.jit(jax.vmap(jax.vmap(function, in_axes=(None, 0, 0))))

    see = for_all(lambda genotype, memory, picture: look(genotype.filters, picture))
    learn = for_all(lambda genotype, memory, seen: policy.head.act(genotype.head, memory, seen))
    features = see(genotypes, memories, pictures)
    return {
        "look": _microseconds(see, (genotypes, memories, pictures), 8),
        "network_and_plasticity": _microseconds(learn, (genotypes, memories, features), 8),
    }


def _microseconds(part: Any, arguments: tuple, batch: int) -> float:
    import jax

    jax.block_until_ready(part(*arguments))
    seconds = []
    for _ in range(20):
        started = time.perf_counter()
        jax.block_until_ready(part(*arguments))
        seconds.append(time.perf_counter() - started)
    return 1e6 * statistics.median(seconds) / batch


def measure_envpool(case: Case) -> dict[str, Any]:
    """Measures EnvPool's CarRacing-v3, as many threads as cores."""
    import envpool
    import numpy as np

    envs = envpool.make_gymnasium("CarRacing-v3", num_envs=case.batch, num_threads=case.cores)
    random = np.random.default_rng(0)
    envs.reset()

    def drive(steps: int) -> float:
        started = time.perf_counter()
        for _ in range(steps):
            envs.step(
                random.uniform([-0.3, 0.0, 0.0], [0.3, 0.4, 0.0], (case.batch, 3)).astype(
                    np.float32
                )
            )
        return time.perf_counter() - started

    drive(20)
    return {
        "steps_per_second": case.batch * case.steps / drive(case.steps),
        "version": envpool.__version__,
        "peak_memory_bytes": _peak_memory(),
    }


def measure_gymnasium(case: Case) -> dict[str, Any]:
    """Measures gymnasium's CarRacing-v3, with and without its pixels."""
    import gymnasium

    env = gymnasium.make("CarRacing-v3")
    env.action_space.seed(0)

    def steps_per_second() -> float:
        env.reset(seed=0)
        started = time.perf_counter()
        for _ in range(case.steps):
            env.step(env.action_space.sample())
        return case.steps / (time.perf_counter() - started)

    with_pixels = steps_per_second()
    env.unwrapped._render = lambda mode: env.observation_space.low
    return {
        "steps_per_second": with_pixels,
        "physics_steps_per_second": steps_per_second(),
        "version": gymnasium.__version__,
        "peak_memory_bytes": _peak_memory(),
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
        speeds = (
            {"all_steps_per_second": [run["steps_per_second"] for run in measured]}
            if "steps_per_second" in numbers
            else {}
        )
        rows.append({**dataclasses.asdict(case), **numbers, **texts, **speeds})
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
    file = RESULTS / f"car-racing-{device}.json"
    from hebbax.files import write_json  # Here: a peer's Python has no hebbax.

    write_json(file, results)
    print(json.dumps(results["ratios"], indent=2), f"\nwritten to {file}")


def ratios(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Compares the cases that belong together."""
    speed = {
        (row["name"], row["batch"], row["cores"]): row["steps_per_second"]
        for row in rows
        if "steps_per_second" in row
    }
    pairs = {
        "loop: two cores to one": (("loop", 16, 2), ("loop", 16, 1)),
        "view to EnvPool, two cores": (("view", 64, 2), ("envpool", 64, 2)),
        "view to EnvPool, one core": (("view", 32, 1), ("envpool", 32, 1)),
        "view to gymnasium, one core": (("view", 32, 1), ("gymnasium", 1, 1)),
        "view: two cores to one": (("view", 64, 2), ("view", 32, 1)),
        "physics: two cores to one": (("physics", 64, 2), ("physics", 32, 1)),
        "physics to view": (("physics", 64, 2), ("view", 64, 2)),
    }
    found = {
        name: speed[first] / speed[second]
        for name, (first, second) in pairs.items()
        if first in speed and second in speed
    }
    for row in rows:
        if row["name"] == "loop":
            name = (
                f"loop: the paper's time to ours, population {row['batch']}, {row['cores']} cores"
            )
            found[name] = PAPER_MICROSECONDS / row["microseconds_per_step_and_core"]
    return found


def _peak_memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


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
