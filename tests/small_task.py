"""A task that costs next to nothing: a cart on a short track, pushed by a force."""

import dataclasses
from typing import final

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from hebbax.types import Lazy, PRNGKey, Struct

TRACK = 1.2  # m, half the length of the track; beyond it the episode ends.
TIME_STEP = 0.2  # s
NEVER = 10_000
MASSES = {"light": 0.5, "medium": 1.0, "heavy": 2.0}  # kg


class Variation(Struct):
    """What differs between two carts.

    mass: `[]` kg.
    last_step: `[]` the episode ends with this step, wherever the cart is.
    broken_step: `[]` the reward of this step is NaN.
    """

    mass: Float[Array, ""]
    last_step: Int[Array, ""]
    broken_step: Int[Array, ""]


class State(Struct):
    """A cart on its way.

    position: `[]` m from the middle of the track.
    speed: `[]` m/s.
    step: `[]` steps lived.
    """

    position: Float[Array, ""]
    speed: Float[Array, ""]
    step: Int[Array, ""]


@final
@dataclasses.dataclass(frozen=True)
class Cart:
    """A reward of 1 in the middle of the track, 0 at its ends, where an episode is over.

    max_steps: the most steps of an episode.
    last_steps: of each variation, the step that ends an episode.
    broken_steps: of each variation, the step whose reward is NaN.
    """

    max_steps: int = 13
    last_steps: tuple[int, int, int] = (NEVER, NEVER, NEVER)
    broken_steps: tuple[int, int, int] = (NEVER, NEVER, NEVER)

    @property
    def variations(self) -> Lazy[Variation]:
        numbers = zip(MASSES.items(), self.last_steps, self.broken_steps, strict=True)
        of_name = {name: (mass, last, broken) for (name, mass), last, broken in numbers}
        return Lazy(MASSES, lambda name: Variation(*map(jnp.asarray, of_name[name])))

    @property
    def observation_shape(self) -> tuple[int, ...]:
        return (2,)

    @property
    def action_size(self) -> int:
        return 1

    def reset(self, key: PRNGKey, variation: Variation) -> tuple[State, Float[Array, "2"]]:
        del variation
        position = jax.random.uniform(key, minval=-1.0, maxval=1.0)
        state = State(position=position, speed=jnp.zeros(()), step=jnp.zeros((), jnp.int32))
        return state, _observation(state)

    def step(
        self, state: State, action: Float[Array, "1"], variation: Variation
    ) -> tuple[State, Float[Array, "2"], Float[Array, ""], Bool[Array, ""]]:
        speed = state.speed + TIME_STEP * action[0] / variation.mass
        state = State(position=state.position + TIME_STEP * speed, speed=speed, step=state.step + 1)
        reward = jnp.where(
            state.step == variation.broken_step, jnp.nan, 1 - jnp.abs(state.position) / TRACK
        )
        is_end = (jnp.abs(state.position) > TRACK) | (state.step >= variation.last_step)
        return state, _observation(state), reward, is_end


def stacked(task: Cart) -> Variation:
    """The variations of a task along a leading axis."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *task.variations.values())


def _observation(state: State) -> Float[Array, "2"]:
    return jnp.stack([state.position, state.speed])
