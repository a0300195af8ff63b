"""Tasks and policies that leave out a part of a lifetime, so that the rest can be measured."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

import hebbax
from hebbax.types import Parameter

NUM_VARIATIONS = 4  # That the paper's generations have.


@dataclasses.dataclass(frozen=True)
class Repeat:
    """A policy that repeats an inherited action."""

    def parameters(self, task: Any) -> Parameter:
        return Parameter((task.action_size,), ("",), "weight")

    def reset(self, key: jax.Array, phenotype: jax.Array) -> tuple[()]:
        return ()

    def act(
        self, phenotype: jax.Array, memory: tuple[()], observation: jax.Array, reward: jax.Array
    ) -> tuple[jax.Array, tuple[()]]:
        return jnp.clip(phenotype, -1.0, 1.0), memory

    def plastic_weights(self, memory: tuple[()]) -> tuple[()]:
        return memory


@dataclasses.dataclass(frozen=True)
class NoPhysics:
    """The quadruped's senses and motors without its physics.

    What is sensed depends on the last action.
    """

    max_steps: int
    observation_shape = (28,)
    action_size = 8

    @property
    def variations(self) -> dict[str, Any]:
        """As many as the quadruped has, all alike."""
        names = hebbax.Quadruped().variations
        return {name: jnp.float32(number) for number, name in enumerate(names)}

    def reset(self, key: jax.Array, variation: jax.Array) -> tuple[jax.Array, jax.Array]:
        observation = jax.random.normal(key, self.observation_shape)
        return observation + variation, observation

    def step(
        self, state: jax.Array, action: jax.Array, variation: jax.Array
    ) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
        state = 0.9 * state + jnp.tile(action, 4)[:28] + 0.01 * variation
        return state, jnp.tanh(state), jnp.sum(action), jnp.zeros((), bool)


@dataclasses.dataclass(frozen=True)
class Enduring:
    """A task whose lifetimes do not end before their last step."""

    task: Any

    def __getattr__(self, name: str) -> Any:
        return getattr(self.task, name)

    def step(self, state: Any, action: Any, variation: Any) -> Any:
        state, observation, reward, _ = self.task.step(state, action, variation)
        return state, observation, reward, jnp.zeros((), bool)


@dataclasses.dataclass(frozen=True)
class OneBody:
    """A task in its default variation alone, several times.

    Its physics does not depend on the variation.
    """

    task: Any

    def __getattr__(self, name: str) -> Any:
        return getattr(self.task, name)

    @property
    def variations(self) -> dict[str, Any]:
        return {str(number): jnp.zeros(()) for number in range(NUM_VARIATIONS)}

    def reset(self, key: Any, variation: Any) -> Any:
        return self.task.reset(key, self.task.variations["default"])

    def step(self, state: Any, action: Any, variation: Any) -> Any:
        return self.task.step(state, action, self.task.variations["default"])
