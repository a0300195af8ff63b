"""Tasks as gymnax environments, for whoever trains with gymnax.

Source: gymnax 1.0, https://github.com/RobertTLange/gymnax.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from hebbax.tasks.car_racing import CarRacing
from hebbax.tasks.car_racing.dynamics import Variation
from hebbax.tasks.car_racing.task import Race
from hebbax.types import PRNGKey, Struct

try:
    from gymnax.environments import environment, spaces  # pyright: ignore[reportMissingImports]
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"make_gymnax needs gymnax 1.0 and six, but {error.name} is missing: pip install "
        "'hebbax[gymnax]'"
    ) from error

UNLIMITED = 2**30  # Steps. How long an episode lasts is said by gymnax's parameters.


class EnvState(Struct):
    """An episode.

    race: the task's state.
    time: `[]` steps so far.
    """

    race: Race
    time: Int[Array, ""]


class EnvParams(Struct):
    """What differs between two environments.

    variation: grip and what pushes the car.
    max_steps_in_episode: `[]` steps after which an episode is truncated.
    """

    variation: Variation
    max_steps_in_episode: Int[Array, ""] | int


def make_gymnax(name: str, **options: Any) -> tuple["CarRacingEnvironment", EnvParams]:
    """Makes an environment with gymnax's interface, as `gymnax.make` does.

    Args:
        name: `"CarRacing"`.
        options: of the task, as `view="state"`; an episode has the original's rules if `patience`
            is not given, and its actions are the controls unless `is_squashed` says otherwise.

    Returns:
        The environment and its default parameters.
        `params.replace(variation=env.variations["friction_half"])` makes another variation.

    Raises:
        ValueError: if there is no such task.

    Examples:
        >>> import hebbax
        >>> env, params = hebbax.make_gymnax("CarRacing", view="state")
        >>> env.name, env.num_actions, params.max_steps_in_episode
        ('CarRacing', 3, 1000)
        >>> params = params.replace(variation=env.variations["friction_half"])
    """
    if name != "CarRacing":
        raise ValueError(f"name is {name!r}: choose CarRacing.")
    env = CarRacingEnvironment(
        CarRacing(**{"patience": None, "is_squashed": False, **options, "episode_steps": UNLIMITED})
    )
    return env, env.default_params


class CarRacingEnvironment(environment.Environment):
    """Car racing for gymnax. An observation is the task's; an action is steering, gas and brake."""

    def __init__(self, task: CarRacing) -> None:
        super().__init__()
        self.task = task
        self.variations = task.variations
        self.obs_shape = task.observation_shape

    @property
    def default_params(self) -> EnvParams:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The default variation, for at most 1,000 steps."""
        return EnvParams(variation=self.variations["default"], max_steps_in_episode=1000)

    def reset_env(self, key: PRNGKey, params: EnvParams) -> tuple[Float[Array, "..."], EnvState]:
        """Starts an episode on a new track. The key is consumed."""
        race, observation = self.task.reset(key, params.variation)
        return observation, EnvState(race=race, time=jnp.int32(0))

    def step_env(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, key: PRNGKey, state: EnvState, action: Float[Array, "3"], params: EnvParams
    ) -> tuple[Float[Array, "..."], EnvState, Float[Array, ""], Bool[Array, ""], dict[str, Any]]:
        """Advances an episode by one step, without resetting it. No randomness is needed.

        An action that is not finite ends the episode with a reward that is not a number, as in
        hebbax's own rollouts.
        """
        race, observation, reward, is_end = self.task.step(state.race, action, params.variation)
        is_finite = jnp.all(jnp.isfinite(action))
        reward, is_end = jnp.where(is_finite, reward, jnp.nan), is_end | ~is_finite
        state = EnvState(race=race, time=state.time + 1)
        return observation, state, reward, is_end, {"discount": jnp.where(is_end, 0.0, 1.0)}

    @partial(jax.jit, static_argnames=("self",))
    def step(
        self,
        key: PRNGKey,
        state: EnvState,
        action: Float[Array, "3"],
        params: EnvParams | None = None,
    ) -> tuple[
        Float[Array, "..."],
        EnvState,
        Float[Array, ""],
        Bool[Array, ""],
        Bool[Array, ""],
        dict[str, Any],
    ]:
        """Advances an episode by one step, and starts the next where it ends. The key is consumed.

        gymnax's own makes a new episode at every step and mostly throws it away. Here one is made
        only when an episode of the batch ends: drawing a track takes as long as hundreds of steps.
        """
        params = self.default_params if params is None else params
        key_step, key_reset = jax.random.split(key)
        observation, moved, reward, terminated, info = self.step_env(
            key_step, state, action, params
        )
        truncated = self.is_truncated(moved, params)

        def reset(episode: tuple[Array, Array, EnvState]) -> tuple[Array, Array, EnvState]:
            # Cloned, because a loop could draw from it twice; this one runs once at most.
            return jnp.zeros((), bool), *self.reset_env(jax.random.clone(key_reset), params)

        _, next_observation, next_state = jax.lax.while_loop(
            lambda episode: episode[0], reset, (terminated | truncated, observation, moved)
        )
        info |= {
            "terminated": terminated,
            "truncated": truncated,
            "final_observation": observation,
        }
        return next_observation, next_state, reward, terminated, truncated, info

    @property
    def name(self) -> str:
        """The environment's name."""
        return "CarRacing"

    @property
    def num_actions(self) -> int:
        """Components of an action."""
        return self.task.action_size

    def action_space(self, params: EnvParams | None = None) -> spaces.Box:
        """Steering, gas and brake."""
        low, high = map(jnp.asarray, self.task.action_bounds)
        return spaces.Box(low, high, (3,), jnp.float32)

    def observation_space(self, params: EnvParams | None = None) -> spaces.Box:
        """Pixels from 0 to 1, or numbers without bounds."""
        return spaces.Box(*self.task.observation_bounds, self.obs_shape, jnp.float32)
