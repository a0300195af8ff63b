"""A configuration's generation as a program that can be timed."""

import time
from typing import Any

import jax
import jax.numpy as jnp

from hebbax import devices
from hebbax.config import Config
from hebbax.evolution.generation import RunData, compile_generation, initial_state


class Generation:
    """The first generation of a run: its program, and the seconds of compiling it."""

    def __init__(self, config: Config) -> None:
        mesh = devices.population_mesh(config.strategy.population_size)
        arguments = (RunData.of(config), initial_state(config), jnp.zeros((), jnp.int32))
        arguments = jax.block_until_ready(devices.put_everywhere(arguments, mesh))
        self._data, self._state, self._index = arguments
        started = time.perf_counter()
        self.program: Any = compile_generation(config, mesh)
        self.compile_seconds = time.perf_counter() - started

    def run(self, state: Any = None) -> tuple[Any, Any]:
        """The state after it and its metrics, from the first state unless another is given."""
        state = self._state if state is None else state
        return self.program(self._data, state, self._index)


def check_steps(lived: Any, meant: int) -> None:
    """Refuses to measure other steps than were meant."""
    if lived != meant:
        raise RuntimeError(f"{lived} steps were lived, but {meant} were meant to be measured")
