"""A point that must find which of several goals pays: the smallest task that needs the reward."""

import dataclasses
from collections.abc import Mapping
from typing import final

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from hebbax.types import Lazy, PRNGKey, Struct, checks

STEP = 0.15  # m, the longest way of a step along x and y.
REACH = 1.5  # m, from the middle to the walls.
DISTANCES = {"default": 1.0, "near": 0.7, "far": 1.3}  # m


@final
class HiddenGoalState(Struct):
    """Where the point is, and what it does not see.

    position: `[2]` m.
    goal: `[2]` m, the one that pays in this episode.
    num_steps: `[]` steps so far.
    """

    position: Float[Array, "2"]
    goal: Float[Array, "2"]
    num_steps: Int[Array, ""]


@final
@dataclasses.dataclass(frozen=True)
class HiddenGoal:
    """A point in a plane that sees its own place, and not which goal pays.

    The goals lie on a circle around the start. A step's reward is one less the distance to the one
    that pays, in m. Without the reward nobody can do better than to stay between them. Variations
    differ in the goals' distance from the start.

    Examples:
        >>> import hebbax
        >>> task = hebbax.tasks.HiddenGoal(num_goals=2)
        >>> list(task.variations), task.observation_shape
        (['default', 'near', 'far'], (3,))
    """

    num_goals: int = 4
    """How many goals there are."""
    episode_steps: int = 60
    """Steps of an episode."""

    def __post_init__(self) -> None:
        """Refuses a task without a choice, or without steps."""
        checks.settle(
            self,
            "task.",
            num_goals=checks.integer(at_least=2),
            episode_steps=checks.integer(at_least=1),
        )

    @property
    def variations(self) -> Mapping[str, Float[Array, ""]]:
        """The goals' distances by name, in m."""
        return Lazy(DISTANCES, lambda name: jnp.float32(DISTANCES[name]))

    @property
    def observation_shape(self) -> tuple[int, ...]:
        """The place, along x and y, in m, and a one: in the middle nothing else would be seen."""
        return (3,)

    @property
    def action_size(self) -> int:
        """The way along x and y, from -1 to 1; more is clipped."""
        return 2

    @property
    def max_steps(self) -> int:
        """The steps of an episode."""
        return self.episode_steps

    def reset(
        self, key: PRNGKey, variation: Float[Array, ""]
    ) -> tuple[HiddenGoalState, Float[Array, "3"]]:
        """Draws the goal that pays. The key is consumed."""
        index = jax.random.randint(key, (), 0, self.num_goals)
        angle = 2 * jnp.pi * index.astype(jnp.float32) / self.num_goals
        goal = variation * jnp.stack([jnp.cos(angle), jnp.sin(angle)])
        state = HiddenGoalState(jnp.zeros(2), goal, jnp.zeros((), jnp.int32))
        return state, _see(state.position)

    def step(
        self, state: HiddenGoalState, action: Float[Array, "2"], variation: Float[Array, ""]
    ) -> tuple[HiddenGoalState, Float[Array, "3"], Float[Array, ""], Bool[Array, ""]]:
        """Moves the point, up to the walls."""
        position = jnp.clip(state.position + STEP * jnp.clip(action, -1.0, 1.0), -REACH, REACH)
        state = HiddenGoalState(position, state.goal, state.num_steps + 1)
        reward = 1.0 - jnp.sqrt(jnp.sum(jnp.square(state.goal - position)))
        return state, _see(position), reward, state.num_steps >= self.episode_steps


def _see(position: Float[Array, "2"]) -> Float[Array, "3"]:
    return jnp.append(position, 1.0)
