"""What `accelerator.py` measures, the most important first."""

import argparse
import dataclasses
import functools
import gzip
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import harness
import jax
import jax.numpy as jnp
from device_agreement import (
    LINE,
    LONG_WORLD,
    MIXTURE,
    POLICY,
    WORLD,
    compare_mixture,
    compare_policy,
    compare_world,
)
from device_profile import PROFILE, profile
from generations import Generation
from harness import fields
from quadruped import plasticity_bytes
from rates import fastest
from stand_ins import NUM_VARIATIONS, NoPhysics, Repeat

import hebbax
from hebbax.evolution.environment import describe_environment
from hebbax.policies.convolutional import Convolutional
from hebbax.presets import PRESETS

REPEATS = 4  # Generations that are measured, after one that is not.
TRIPS = 1000  # Of a loop.
GENERATIONS = LINE | fields(
    "population variations episode_steps compile_seconds program_bytes steps generation_seconds "
    "steps_per_second ended_early non_finite fitness_mean peak_bytes"
)


class Device:
    """The device's own rates, with which floors are counted."""

    name = "device"
    fields = LINE | fields(
        "started python packages backend devices cores machine git_commit jax device_bytes "
        "copy_bytes_per_second matrix_operations_per_second_default "
        "matrix_operations_per_second_highest loop_trip_seconds_1 loop_trip_seconds_33"
    )

    def sizes(self, options: argparse.Namespace) -> dict[str, Any]:
        return describe_environment()

    def run(self, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
        yield {"device_bytes": harness.device_memory("bytes_limit")}
        size, side = (2**20, 512) if options.tiny else (2**30, 8192)
        copy, copied = jax.jit(jnp.add), jnp.ones(size, jnp.float32)
        found = {"copy_bytes_per_second": 8 * size / fastest(lambda: copy(copied, 1.0), 5)}
        matrix = jax.random.normal(jax.random.key(0), (side, side))
        for precision in ("default", "highest"):
            product = jax.jit(functools.partial(jnp.matmul, precision=precision))
            seconds = fastest(functools.partial(product, matrix, matrix), 5)
            found[f"matrix_operations_per_second_{precision}"] = 2 * side**3 / seconds
        for operations in (1, 33):
            looped = jax.jit(functools.partial(_loop, operations))
            seconds = fastest(functools.partial(looped, jnp.ones(1024)), 5)
            found[f"loop_trip_seconds_{operations}"] = seconds / TRIPS
        yield found


def _loop(operations: int, array: jax.Array) -> jax.Array:
    def trip(array: jax.Array, nothing: None) -> tuple[jax.Array, None]:
        for _ in range(operations):
            array = jax.lax.optimization_barrier(jnp.cos(array))
        return array, nothing

    return jax.lax.scan(trip, array, length=TRIPS)[0]


@dataclasses.dataclass(frozen=True)
class Agreement:
    """How far this device's numbers are from the CPU's: programs run no longer than a moment."""

    name: str
    fields: Mapping[str, Any]
    compare: Callable[[], dict[str, Any]]

    def sizes(self, options: argparse.Namespace) -> dict[str, Any]:
        return {}

    def run(self, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
        yield self.compare()
        yield {}


@dataclasses.dataclass(frozen=True)
class Generations:
    """Whole generations of a preset at a size.

    task: fields of the task that differ from the preset's.
    """

    name: str
    preset: str
    population: int
    steps: int = 200
    task: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def fields(self) -> dict[str, Any]:
        least = fields("least_bytes_per_second") if self.name == "plasticity" else {}
        return GENERATIONS | least | (PROFILE if "profile" in self.name else {})

    def sizes(self, options: argparse.Namespace) -> dict[str, Any]:
        return {
            "population": max(4, self.population // 128) if options.tiny else self.population,
            "variations": NUM_VARIATIONS,
            "episode_steps": min(20, self.steps) if options.tiny else self.steps,
        }

    def config(self, options: argparse.Namespace) -> hebbax.Config:
        """The preset at the size."""
        config: Any = PRESETS[self.preset]()
        sizes = self.sizes(options)
        steps, population = sizes["episode_steps"], sizes["population"]
        burn_in = {"burn_in_steps": 0} if "quadruped" in self.preset else {}
        task = dataclasses.replace(config.task, episode_steps=steps, **burn_in, **self.task)
        return dataclasses.replace(
            config,
            task=NoPhysics(steps) if self.name == "plasticity" else task,
            policy=Repeat() if self.name == "physics" else config.policy,
            strategy=dataclasses.replace(config.strategy, population_size=population),
            precision="default" if "TF32" in self.name else config.precision,
        )

    def run(self, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
        generation = Generation(self.config(options))
        memory = generation.program.memory_analysis()
        parts = ("temp", "argument", "output")
        yield {
            "compile_seconds": generation.compile_seconds,
            "program_bytes": memory
            and sum(getattr(memory, f"{part}_size_in_bytes") for part in parts),
        }
        found = self._measure(generation)
        if "profile" in self.name:
            text = generation.program.as_text().encode()
            (options.out / f"{self.preset}.hlo.gz").write_bytes(gzip.compress(text))
            found |= profile(generation.run)
        yield found

    def _measure(self, generation: Generation) -> dict[str, Any]:
        jax.block_until_ready(generation.run())
        state, metrics, seconds, means = None, {}, [], []
        for _ in range(REPEATS):
            started = time.perf_counter()
            state, metrics = jax.block_until_ready(generation.run(state))
            seconds.append(time.perf_counter() - started)
            means.append(round(float(metrics["fitness_mean"]), 3))
        steps_per_second = int(metrics["steps"]) / statistics.median(seconds)
        # The rules once for all variations, weights read and written.
        least = {"least_bytes_per_second": plasticity_bytes() * steps_per_second}
        return {
            "steps": int(metrics["steps"]),
            "generation_seconds": seconds,
            "steps_per_second": round(steps_per_second),
            "ended_early": float(metrics["ended_early"]),
            "non_finite": int(metrics["non_finite"]),
            "fitness_mean": means,
            "peak_bytes": harness.device_memory("peak_bytes_in_use"),
            **(least if self.name == "plasticity" else {}),
        }


def agreement(name: str, fields: Any, compare: Callable[..., Any], *arguments: Any) -> Agreement:
    return Agreement(f"agreement: {name}", fields, functools.partial(compare, *arguments))


def walker(body: Any) -> hebbax.Quadruped:
    """A quadruped whose lifetimes are long enough to be compared."""
    return hebbax.Quadruped(body, episode_steps=100, burn_in_steps=0)


FULL = "products in float32"
Job = Device | Generations | Agreement
JOBS: list[Job] = [
    Device(),
    Generations("quadruped", "quadruped-hebbian", 512),
    Generations("quadruped", "quadruped-hebbian", 4096),
    agreement("quadruped", LONG_WORLD, compare_world, walker("bullet"), 50),
    agreement("plastic network", POLICY, compare_policy, hebbax.Hebbian(), "default"),
    agreement("car's pixels", WORLD, compare_world, hebbax.CarRacing(is_squashed=False), 10),
    agreement("network with a view", POLICY, compare_policy, Convolutional(), "default"),
    agreement("mixture's gradient", MIXTURE, compare_mixture),
    Generations("car", "car-hebbian", 512),
    Generations("car", "car-hebbian", 64),
    Generations("quadruped, 1,000 steps", "quadruped-hebbian", 500, steps=1000),
    Generations("car, 1,000 steps", "car-hebbian", 500, steps=1000),
    Generations("quadruped, profile", "quadruped-hebbian", 4096, steps=10),
    Generations("car, profile", "car-hebbian", 512, steps=10),
    Generations("plasticity", "quadruped-hebbian", 4096),
    Generations("physics", "quadruped-hebbian", 4096),
    Generations("quadruped, shared rho 128", "quadruped-shared-rho128", 500),
    agreement(
        "car", LONG_WORLD, compare_world, hebbax.CarRacing(view="state", is_squashed=False), 50
    ),
    agreement("quadruped, Brax's body", LONG_WORLD, compare_world, walker("brax"), 50),
    agreement(f"plastic network, {FULL}", POLICY, compare_policy, hebbax.Hebbian(), "highest"),
    agreement(f"network with a view, {FULL}", POLICY, compare_policy, Convolutional(), "highest"),
    Generations("quadruped", "quadruped-hebbian", 16384),
    Generations("car", "car-hebbian", 2048),
    Generations("quadruped, Brax's body", "quadruped-hebbian", 4096, task={"body": "brax"}),
    Generations("quadruped, products in TF32", "quadruped-hebbian", 4096),
    Generations("car, products in TF32", "car-hebbian", 512),
    Generations("quadruped, static", "quadruped-static", 4096),
]
