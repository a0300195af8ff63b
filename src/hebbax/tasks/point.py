"""A point that must reach a goal: the smallest task, for examples and tests of learning."""

import dataclasses
from collections.abc import Mapping
from typing import final

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from hebbax.types import Lazy, PRNGKey, Struct, checks

STEP = 0.2  # s
GAINS = {"default": 1.0, "weak": 0.5, "strong": 2.0, "mirrored": -1.0}


@final
class PointState(Struct):
    """Where the point is, and where it should be.

    position: `[2]` m.
    goal: `[2]` m.
    num_steps: `[]` steps so far.
    """

    position: Float[Array, "2"]
    goal: Float[Array, "2"]
    num_steps: Int[Array, ""]


@final
@dataclasses.dataclass(frozen=True)
class Point:
    """A point in a plane that is pushed towards a goal, which it sees.

    A step's reward is minus the distance to the goal, in m. Variations differ in the gain of an
    action, in m/s; with the mirrored one the point moves the other way.
    """

    episode_steps: int = 20
    """Steps of an episode."""

    def __post_init__(self) -> None:
        """Refuses an episode without steps."""
        checks.settle(self, "task.", episode_steps=checks.integer(at_least=1))

    @property
    def variations(self) -> Mapping[str, Float[Array, ""]]:
        """The gains by name."""
        return Lazy(GAINS, lambda name: jnp.float32(GAINS[name]))

    @property
    def observation_shape(self) -> tuple[int, ...]:
        """The way to the goal, along x and y."""
        return (2,)

    @property
    def action_size(self) -> int:
        """The push along x and y."""
        return 2

    @property
    def max_steps(self) -> int:
        """The steps of an episode."""
        return self.episode_steps

    def reset(
        self, key: PRNGKey, variation: Float[Array, ""]
    ) -> tuple[PointState, Float[Array, "2"]]:
        """Draws a goal from the square of 2 m around the point. The key is consumed."""
        goal = jax.random.uniform(key, (2,), minval=-1.0, maxval=1.0)
        state = PointState(jnp.zeros(2), goal, jnp.zeros((), jnp.int32))
        return state, state.goal - state.position

    def step(
        self, state: PointState, action: Float[Array, "2"], variation: Float[Array, ""]
    ) -> tuple[PointState, Float[Array, "2"], Float[Array, ""], Bool[Array, ""]]:
        """Moves the point."""
        position = state.position + STEP * variation * action
        state = PointState(position, state.goal, state.num_steps + 1)
        way = state.goal - state.position
        reward = -jnp.sqrt(jnp.sum(jnp.square(way)))
        return state, way, reward, state.num_steps >= self.episode_steps
