"""A configuration's generation as a program that can be timed."""

import time
from typing import Any

import jax
import jax.numpy as jnp

from hebbax import devices
from hebbax.config import Config
from hebbax.evolution.generation import compile_generation, initial_state
from hebbax.evolution.keys import random_keys
from hebbax.evolution.rollout import stack


class Generation:
    """The first generation of a run: its program, and the seconds of compiling it."""

    def __init__(self, config: Config) -> None:
        mesh = devices.population_mesh(config.strategy.population_size)
        data = (
            random_keys(config.seed).generations,
            stack(config.training_variations),
            initial_state(config),
            jnp.zeros((), jnp.int32),
        )
        data = jax.block_until_ready(devices.put_everywhere(data, mesh))
        self._key, self._variations, self._state, self._index = data
        started = time.perf_counter()
        self.program: Any = compile_generation(config, mesh)
        self.compile_seconds = time.perf_counter() - started

    def run(self, state: Any = None) -> tuple[Any, Any]:
        """The state after it and its metrics, from the first state unless another is given."""
        state = self._state if state is None else state
        return self.program(self._key, self._variations, state, self._index)


def check_steps(lived: Any, meant: int) -> None:
    """Refuses to measure other steps than were meant."""
    if lived != meant:
        raise RuntimeError(f"{lived} steps were lived, but {meant} were meant to be measured")
