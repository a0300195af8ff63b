"""What hebbax does on one accelerator.

Are its numbers right, how fast is a generation, and where does the time go.

Each figure is a line of JSON, written as soon as it is known, the most important first: a time
limit loses only what was left. Every figure has a process of its own. All compile side by side at
the start, and measure one after another when all have compiled. `--tiny` rehearses on a CPU.

Figures
    device: bytes a second of a large copy, read and written; operations a second of a product of
        float32 matrices; seconds that a trip of a loop takes, with one operation in it and with 33
        that cannot be fused.
    generations: seconds of whole generations, the strategy's part included, in the paper's
        networks; steps are the lifetimes', of all individuals and variations. `plasticity` has no
        physics, `physics` no network.
    agreement: the largest differences from the CPU in the same process: worlds, views, networks
        with their plasticity, the mixture's gradient.
    profile: the kernels of ten policy steps, and how long none ran.
"""

import argparse
import collections
import concurrent.futures
import dataclasses
import functools
import gzip
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import hebbax
from hebbax import devices
from hebbax.evolution.generation import generation as evolution
from hebbax.evolution.generation import rollout
from hebbax.evolution.run_dir import describe_environment
from hebbax.policies.vision import Vision
from hebbax.presets import PRESETS, QUADRUPED_SYNAPSES

NUM_VARIATIONS = 4
REPEATS = 4  # Generations that are measured, after one that is not.


@dataclasses.dataclass(frozen=True)
class Repeat:
    """A policy that repeats an inherited action."""

    def genotype_shape(self, task: Any) -> Any:
        """An action."""
        return jax.ShapeDtypeStruct((task.action_size,), jnp.float32)

    def reset(self, key: jax.Array, genotype: jax.Array) -> tuple[()]:
        """Nothing to remember."""
        del key, genotype
        return ()

    def act(
        self, genotype: jax.Array, memory: tuple[()], observation: jax.Array
    ) -> tuple[jax.Array, tuple[()]]:
        """The inherited action."""
        del observation
        return jnp.tanh(genotype), memory


@dataclasses.dataclass(frozen=True)
class NoPhysics:
    """The quadruped's senses and motors without its physics.

    What is sensed depends on the last action.
    """

    max_steps: int

    @property
    def variations(self) -> dict[str, Any]:
        """As many as the quadruped has, all alike."""
        return {
            name: jnp.float32(number) for number, name in enumerate(hebbax.Quadruped().variations)
        }

    observation_shape = (28,)
    action_size = 8

    def reset(self, key: jax.Array, variation: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Random senses."""
        observation = jax.random.normal(key, self.observation_shape)
        return observation + variation, observation

    def step(
        self, state: jax.Array, action: jax.Array, variation: jax.Array
    ) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
        """Senses moved by the action."""
        state = 0.9 * state + jnp.tile(action, 4)[:28] + 0.01 * variation
        return state, jnp.tanh(state), jnp.sum(action), jnp.zeros((), bool)


class Lines:
    """The file of figures, and the time that is left."""

    def __init__(self, path: Path, seconds: float) -> None:
        """Begins."""
        self._path, self._seconds, self._begin = path, seconds, time.perf_counter()

    def left(self) -> float:
        """Seconds."""
        return self._seconds - (time.perf_counter() - self._begin)

    def write(self, name: str, **figures: Any) -> None:
        """Writes a line."""
        line = json.dumps(
            {"name": name, "at_seconds": round(time.perf_counter() - self._begin, 1), **figures}
        )
        print(line, flush=True)
        with self._path.open("a") as stream:
            stream.write(line + "\n")


class Worker:
    """A process that compiles one thing, and measures it when it is told to."""

    def __init__(self, number: int, options: argparse.Namespace) -> None:
        """Starts it, and waits until it has compiled."""
        command = [
            sys.executable,
            __file__,
            "--worker",
            str(number),
            "--out",
            str(options.out),
            *(["--tiny"] if options.tiny else []),
        ]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.answer = self._read()

    def measure(self) -> dict[str, Any]:
        """Has it measure, the first time. After a failure the answer is the error."""
        if self._process.poll() is None and "error" not in self.answer:
            assert self._process.stdin
            self._process.stdin.write("go\n")
            self._process.stdin.flush()
            self.answer |= self._read()
        self._process.kill()
        self._process.wait()
        return self.answer

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout
        for line in self._process.stdout:
            if line.startswith("{"):
                return json.loads(line)
        return {"error": f"the process ended with code {self._process.wait()}"}


def start_worker(number: int, options: argparse.Namespace) -> Worker:
    """Starts a worker.

    A rehearsal needs no quiet, but memory for few processes: there it measures at once.
    """
    worker = Worker(number, options)
    if options.tiny:
        worker.measure()
    return worker


def main() -> None:
    """Measures everything, until the time is over."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("device.jsonl"),
        help="the lines; compiled programs are written beside it",
    )
    parser.add_argument(
        "--seconds", type=float, default=480.0, help="after which nothing new is begun"
    )
    parser.add_argument("--only", default="", help="names, separated by semicolons; all if empty")
    parser.add_argument(
        "--processes",
        type=int,
        default=len(os.sched_getaffinity(0)),
        help="how many compile at a time",
    )
    parser.add_argument("--tiny", action="store_true", help="sizes for a rehearsal on a CPU")
    parser.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker is not None:
        work(JOBS[options.worker], options)
        return

    lines = Lines(options.out, options.seconds)
    chosen = [
        number
        for number, job in enumerate(JOBS)
        if not options.only or job.name in options.only.split(";")
    ]
    with concurrent.futures.ThreadPoolExecutor(options.processes) as pool:
        compiling = {number: pool.submit(start_worker, number, options) for number in chosen}
        # Nothing is measured while others compile.
        concurrent.futures.wait(compiling.values(), timeout=max(1.0, 0.6 * options.seconds))
        lines.write(
            "compiled", done=sum(worker.done() for worker in compiling.values()), of=len(compiling)
        )
        for number, worker in compiling.items():
            name, sizes = JOBS[number].name, JOBS[number].sizes(options)
            if not worker.done() or lines.left() < 5:
                lines.write(name, **sizes, skipped="no time left")
                continue
            answer = pool.submit(worker.result().measure)
            try:
                lines.write(name, **sizes, **answer.result(timeout=max(5.0, lines.left())))
            except concurrent.futures.TimeoutError:
                lines.write(name, **sizes, error="not measured in time")
                break
        lines.write("end")
        os._exit(0)  # Some may still compile.


def work(job: "Job", options: argparse.Namespace) -> None:
    """What a process does: compiles, says so, waits, measures."""
    for part in (job.compile, job.measure):
        try:
            answer = part(options)
        except Exception as error:
            traceback.print_exc(limit=6)
            answer = {"error": f"{type(error).__name__}: {str(error)[:400]}"}
        print("\n" + json.dumps(answer), flush=True)
        if part == job.compile and not sys.stdin.readline():
            return  # Nobody waits any more.


class Device:
    """The device's own rates, with which floors are counted."""

    name = "device"

    def sizes(self, options: argparse.Namespace) -> dict[str, Any]:
        """Versions and settings."""
        del options
        return describe_environment()

    def compile(self, options: argparse.Namespace) -> dict[str, Any]:
        """Nothing beforehand."""
        del options
        return {"device_bytes": (jax.local_devices()[0].memory_stats() or {}).get("bytes_limit")}

    def measure(self, options: argparse.Namespace) -> dict[str, Any]:
        """Copies, multiplies, loops."""
        size, side = (2**20, 512) if options.tiny else (2**30, 8192)
        copied, matrix = (
            jnp.ones(size, jnp.float32),
            jax.random.normal(jax.random.key(0), (side, side)),
        )
        found = {
            "copy_bytes_per_second": 8
            * size
            / _fastest(functools.partial(jax.jit(jnp.add), copied, 1.0))
        }
        for precision in ("default", "highest"):
            product = jax.jit(functools.partial(jnp.matmul, precision=precision))
            found[f"matrix_operations_per_second_{precision}"] = (
                2 * side**3 / _fastest(functools.partial(product, matrix, matrix))
            )
        for operations in (1, 33):
            looped = jax.jit(functools.partial(_loop, operations))
            found[f"loop_trip_seconds_{operations}"] = (
                _fastest(functools.partial(looped, jnp.ones(1024))) / 1000
            )
        return found


class Generations:
    """Whole generations of a preset at a size."""

    def __init__(
        self, name: str, preset: str, population: int, steps: int = 200, **task: Any
    ) -> None:
        """Names it; `task` holds fields of the task that differ from the preset's."""
        self.name, self._preset, self._population, self._steps, self._task = (
            name,
            preset,
            population,
            steps,
            task,
        )

    def sizes(self, options: argparse.Namespace) -> dict[str, Any]:
        """Of the population and its lifetimes."""
        population = max(4, self._population // 128) if options.tiny else self._population
        return {
            "population": population,
            "variations": NUM_VARIATIONS,
            "episode_steps": min(20, self._steps) if options.tiny else self._steps,
        }

    def config(self, options: argparse.Namespace) -> hebbax.Config:
        """The preset at the size."""
        config: Any = PRESETS[self._preset]()
        sizes = self.sizes(options)
        strategy = dataclasses.replace(config.strategy, population_size=sizes["population"])
        burn_in = {"burn_in_steps": 0} if "quadruped" in self._preset else {}
        task: Any = dataclasses.replace(
            config.task, episode_steps=sizes["episode_steps"], **burn_in, **self._task
        )
        if self.name == "plasticity":
            task = NoPhysics(sizes["episode_steps"])
        policy = Repeat() if self.name == "physics" else config.policy
        return dataclasses.replace(config, task=task, policy=policy, strategy=strategy)

    def compile(self, options: argparse.Namespace) -> dict[str, Any]:
        """Makes the program of a generation."""
        started = time.perf_counter()
        with jax.default_matmul_precision("default" if "TF32" in self.name else None):
            self._config = self.config(options)
            self._mesh = devices.population_mesh(self._config.strategy.population_size)
            self._run = evolution.compile_generation(self._config, self._mesh)
        memory: Any = self._run.memory_analysis()  # pyright: ignore[reportFunctionMemberAccess]
        return {
            "compile_seconds": time.perf_counter() - started,
            "program_bytes": memory
            and memory.temp_size_in_bytes
            + memory.argument_size_in_bytes
            + memory.output_size_in_bytes,
        }

    def measure(self, options: argparse.Namespace) -> dict[str, Any]:
        """Runs some."""
        data = (
            evolution.random_keys(self._config).generations,
            rollout.stack(self._config.training_variations),
            evolution.initial_state(self._config),
            jnp.zeros((), jnp.int32),
        )
        key, variations, state, number = devices.put_everywhere(data, self._mesh)
        jax.block_until_ready(self._run(key, variations, state, number))
        seconds, means, metrics = [], [], {}
        for _ in range(REPEATS):
            started = time.perf_counter()
            state, metrics = jax.block_until_ready(self._run(key, variations, state, number))
            seconds.append(time.perf_counter() - started)
            means.append(round(float(metrics["fitness_mean"]), 3))
        steps_per_second = int(metrics["steps"]) / statistics.median(seconds)
        found = {
            "steps": int(metrics["steps"]),
            "generation_seconds": seconds,
            "steps_per_second": round(steps_per_second),
            "ended_early": float(metrics["ended_early"]),
            "non_finite": int(metrics["non_finite"]),
            "fitness_mean": means,
            "peak_bytes": (jax.local_devices()[0].memory_stats() or {}).get("peak_bytes_in_use"),
        }
        if self.name == "plasticity":
            # The rules once for all variations, weights read and written.
            least = 4 * QUADRUPED_SYNAPSES * (5 / NUM_VARIATIONS + 2)
            found["least_bytes_per_second"] = least * steps_per_second
        if "profile" in self.name:
            text: str = self._run.as_text()  # pyright: ignore[reportFunctionMemberAccess]
            (options.out.parent / f"{self._preset}.hlo.gz").write_bytes(
                gzip.compress(text.encode())
            )
            found |= profile(lambda: self._run(key, variations, state, number))
        return found


class Agreement:
    """How far this device's numbers are from the CPU's."""

    def __init__(self, name: str, compare: Callable[[], dict[str, Any]]) -> None:
        """Names it."""
        self.name, self._compare = f"agreement: {name}", compare

    def sizes(self, options: argparse.Namespace) -> dict[str, Any]:
        """Nothing to say."""
        del options
        return {}

    def compile(self, options: argparse.Namespace) -> dict[str, Any]:
        """Compares, for the programs run no longer than a moment."""
        del options
        return self._compare()

    def measure(self, options: argparse.Namespace) -> dict[str, Any]:
        """Nothing more."""
        del options
        return {}


def profile(call: Callable[[], Any]) -> dict[str, Any]:
    """The kernels of a call on the device, by the time that they took."""
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder):
            jax.block_until_ready(call())
        (file,) = Path(folder).glob("**/*.xplane.pb")
        planes = jax.profiler.ProfileData.from_file(str(file)).planes
        events = [
            (event.name, event.start_ns, event.duration_ns)
            for plane in planes
            if plane.name.startswith("/device:GPU")
            for line in plane.lines
            if line.name.startswith("Stream")
            for event in line.events
        ]
    if not events:
        return {"kernels": 0}
    busy: dict[str, list[float]] = collections.defaultdict(list)
    for name, _, duration in events:
        busy[re.sub(r"[._]\d+$", "", name)].append(duration)
    begin, end = (
        min(start for _, start, _ in events),
        max(start + duration for _, start, duration in events),
    )
    largest = sorted(busy.items(), key=lambda item: -sum(item[1]))[:25]
    return {
        "kernels": len(events),
        "span_seconds": (end - begin) / 1e9,
        "busy_seconds": sum(duration for *_, duration in events) / 1e9,
        "kernel_median_seconds": statistics.median(duration for *_, duration in events) / 1e9,
        "largest": [
            {"name": name, "count": len(times), "seconds": sum(times) / 1e9}
            for name, times in largest
        ],
    }


def _loop(operations: int, array: jax.Array) -> jax.Array:
    def trip(array: jax.Array, nothing: None) -> tuple[jax.Array, None]:
        for _ in range(operations):
            array = jax.lax.optimization_barrier(jnp.cos(array))
        return array, nothing

    return jax.lax.scan(trip, array, length=1000)[0]


def _fastest(call: Callable[[], Any], repeats: int = 5) -> float:
    jax.block_until_ready(call())
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        jax.block_until_ready(call())
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def compare_world(task: Any, steps: int) -> dict[str, Any]:
    """Differences of states and rewards between this device and the CPU.

    Over one lifetime of random actions in the default variation.
    """
    actions = jax.random.uniform(
        jax.random.key(1), (steps, task.action_size), minval=-0.5, maxval=0.5
    )

    def live(actions: jax.Array, variation: Any) -> Any:
        state, observation = task.reset(jax.random.key(0), variation)

        def step(state: Any, action: jax.Array) -> tuple[Any, Any]:
            state, observation, reward, _ = task.step(state, action, variation)
            return state, (observation, reward)

        return observation, jax.lax.scan(step, state, actions)[1]

    (first, (seen, rewards)), (first_cpu, (seen_cpu, rewards_cpu)) = _on_both(
        live, actions, task.variations["default"]
    )
    differences = np.abs(seen - seen_cpu).reshape(steps, -1).max(axis=1)
    found: dict[str, Any] = {"first_observation": float(np.abs(first - first_cpu).max())}
    for step in (0, 4, 9, steps - 1):
        found[f"observation_{step + 1}"] = float(differences[step])
        found[f"reward_{step + 1}"] = float(np.abs(rewards[step] - rewards_cpu[step]))
    found["equal_numbers"] = float(np.mean(np.isclose(seen[:5], seen_cpu[:5], atol=1.5 / 255)))
    return found


def compare_policy(policy: Any, precision: str) -> dict[str, Any]:
    """Differences of actions between this device and the CPU.

    Over one plastic lifetime of random observations.
    """
    task = NoPhysics(100) if not isinstance(policy, Vision) else hebbax.CarRacing()
    shape = policy.genotype_shape(task)
    leaves, structure = jax.tree.flatten(shape)
    keys = jax.random.split(jax.random.key(2), len(leaves))
    genotype = structure.unflatten(
        [0.1 * jax.random.normal(key, leaf.shape) for key, leaf in zip(keys, leaves, strict=True)]
    )
    observations = jax.random.uniform(jax.random.key(3), (20, *task.observation_shape))

    def live(genotype: Any, observations: jax.Array) -> jax.Array:
        def step(memory: Any, observation: jax.Array) -> tuple[Any, jax.Array]:
            action, memory = policy.act(genotype, memory, observation)
            return memory, action

        return jax.lax.scan(step, policy.reset(jax.random.key(4), genotype), observations)[1]

    with jax.default_matmul_precision(precision):
        actions, actions_cpu = _on_both(live, genotype, observations)
    differences = np.abs(actions - actions_cpu).max(axis=1)
    return {f"action_{step + 1}": float(differences[step]) for step in (0, 4, 19)}


def compare_mixture() -> dict[str, Any]:
    """The relative error of the mixture's gradient on this device, to the same on the CPU."""
    config = dataclasses.replace(
        PRESETS["quadruped-shared-rho128"](),
        strategy=hebbax.ScoreFunction(population_size=32, is_mirrored=False),
    )
    genome = config.genome.init(
        jax.random.key(5), config.policy.genotype_shape(config.task)
    ).with_std(jnp.float32(0.1))
    genotypes = jax.vmap(genome.sample)(jax.random.split(jax.random.key(6), 32))
    weights = jax.random.normal(jax.random.key(7), (32,))

    def gradient(genome: Any, genotypes: Any, weights: jax.Array) -> Any:
        slope = jax.grad(
            lambda genome: jnp.sum(weights * genome.log_probs(genotypes)), allow_int=True
        )(genome)
        return slope.logits, slope.rules

    (logits, rules), (logits_cpu, rules_cpu) = _on_both(gradient, genome, genotypes, weights)
    return {
        "logits": float(np.linalg.norm(logits - logits_cpu) / np.linalg.norm(logits_cpu)),
        "rules": float(np.linalg.norm(rules - rules_cpu) / np.linalg.norm(rules_cpu)),
    }


def _on_both(function: Callable[..., Any], *arguments: Any) -> list[Any]:
    """What a function says on this device and on the CPU, in float64."""
    arguments = jax.device_get(arguments)
    found = []
    for place in (jax.devices()[0], jax.devices("cpu")[0]):
        with jax.default_device(place):
            answer = jax.device_get(jax.jit(function)(*jax.device_put(arguments, place)))
        found.append(jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), answer))
    return found


Job = Device | Generations | Agreement
JOBS: list[Job] = [
    Device(),
    Generations("quadruped", "quadruped-hebbian", 512),
    Generations("quadruped", "quadruped-hebbian", 4096),
    Agreement(
        "quadruped", lambda: compare_world(hebbax.Quadruped(episode_steps=100, burn_in_steps=0), 50)
    ),
    Agreement("plastic network", lambda: compare_policy(hebbax.Hebbian(), "default")),
    Agreement("car's pixels", lambda: compare_world(hebbax.CarRacing(), 10)),
    Agreement("network with a view", lambda: compare_policy(Vision(), "default")),
    Agreement("mixture's gradient", compare_mixture),
    Generations("car", "car-hebbian", 512),
    Generations("car", "car-hebbian", 64),
    Generations("quadruped, profile", "quadruped-hebbian", 4096, steps=10),
    Generations("car, profile", "car-hebbian", 512, steps=10),
    Generations("plasticity", "quadruped-hebbian", 4096),
    Generations("physics", "quadruped-hebbian", 4096),
    Generations("quadruped, shared rho 128", "quadruped-shared-rho128", 500),
    Agreement("car", lambda: compare_world(hebbax.CarRacing(view="state"), 50)),
    Agreement(
        "quadruped, Brax's body",
        lambda: compare_world(
            hebbax.Quadruped(body="brax", episode_steps=100, burn_in_steps=0), 50
        ),
    ),
    Agreement(
        "plastic network, products in float32", lambda: compare_policy(hebbax.Hebbian(), "highest")
    ),
    Agreement(
        "network with a view, products in float32", lambda: compare_policy(Vision(), "highest")
    ),
    Generations("quadruped", "quadruped-hebbian", 16384),
    Generations("car", "car-hebbian", 2048),
    Generations("quadruped, Brax's body", "quadruped-hebbian", 4096, body="brax"),
    Generations("quadruped, products in TF32", "quadruped-hebbian", 4096),
    Generations("car, products in TF32", "car-hebbian", 512),
    Generations("quadruped, static", "quadruped-static", 4096),
]


if __name__ == "__main__":
    main()
