"""The rules of car racing: variations, actions, rewards and the end of a race.

How the car moves is the business of `dynamics`, what it touches that of `contacts`, what it sees
that of `render`.

Source: OpenAI Gym's CarRacing-v0 by Oleg Klimov, MIT licence.
"""

import dataclasses
import math
from collections.abc import Mapping
from typing import Literal, final

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, UInt8

from hebbax.tasks.car_racing import render, senses
from hebbax.tasks.car_racing.contacts import find_contacts
from hebbax.tasks.car_racing.dynamics import (
    STEP,
    Car,
    Controls,
    Variation,
    drive,
    hull_position,
    place_car,
)
from hebbax.tasks.car_racing.track import MAX_TILES, PLAYFIELD, Track, draw_track
from hebbax.types import Lazy, PRNGKey, Struct, checks

SIDE_FORCE = 400.0  # N, the grip of one tyre on the road. The paper gives no figure.
SIDE_SLIP = 10.0  # m/s, as in the paper's public code.

# Per variation: friction, force along x, slip.
VARIATIONS = {
    "paper": {
        "default": (1.0, 0.0, 0.0),
        "friction_double": (2.0, 0.0, 0.0),
        "friction_half": (0.5, 0.0, 0.0),
        "force_west": (1.0, -SIDE_FORCE, 0.0),
        "force_east": (1.0, SIDE_FORCE, 0.0),
    },
    "reference": {
        "default": (1.0, 0.0, 0.0),
        "friction_double": (2.0, 0.0, 0.0),
        "friction_half": (0.5, 0.0, 0.0),
        "slip_left": (1.0, 0.0, -SIDE_SLIP),
        "slip_right": (1.0, 0.0, SIDE_SLIP),
    },
}

TRACK_REWARD = 1000.0  # For all tiles together.
STEP_REWARD = -0.1
OFF_FIELD_REWARD = -100.0


class Race(Struct):
    """The state of an episode.

    car: hull and wheels.
    track: the road, which stays as it is.
    is_visited: `[tiles]` which tiles a wheel has touched.
    is_on_road: `[4]` which wheels touched the road when the last step began.
    is_on_start: `[4]` which wheels touched the first tile then.
    num_paid: `[]` tiles that rewards were given for.
    num_steps: `[]` steps driven.
    num_idle: `[]` consecutive steps of negative reward.
    """

    car: Car
    track: Track
    is_visited: Bool[Array, " tiles"]
    is_on_road: Bool[Array, "4"]
    is_on_start: Bool[Array, "4"]
    num_paid: Int[Array, ""]
    num_steps: Int[Array, ""]
    num_idle: Int[Array, ""]


@final
@dataclasses.dataclass(frozen=True)
class CarRacing:
    """A car that shall visit every tile of a random closed road, quickly.

    Controls are steering, from -1 for left to 1 for right, gas and brake, from 0 to 1; what is
    beyond is clipped. What is not finite moves the car as zero would, and ends the episode in a
    rollout.

    Source: OpenAI Gym's CarRacing-v0; variations of Palm et al. 2020,
    https://arxiv.org/abs/2011.06811.
    """

    view: Literal["pixels", "state"] = "pixels"
    """What is observed: the picture from above, or the numbers of `senses.sense`."""
    view_size: int = 84
    """Pixels along a side of the picture, which is resized from 96."""
    variation_set: Literal["paper", "reference"] = "paper"
    """The five variations as the paper names them, or as its public code has them.

    With slipping tyres for pushed cars.
    """
    episode_steps: int = 1000
    """The most steps of a race."""
    patience: int | None = 20
    """Consecutive steps of negative reward that end a race.

    None for the original's rules, which have no such end.
    """
    lap_complete_percent: float | None = None
    """Share of the tiles, from 0 to 1, with which coming back to the first ends a race.

    None if only all tiles do.
    """
    is_squashed: bool = True
    """Whether steering is the tanh of an action's first number, and gas and brake are the sigmoids
    of the others, as suits a network whose last layer is linear; else the numbers themselves."""

    def __post_init__(self) -> None:
        """Checks the configuration."""
        checks.settle(
            self,
            "task.",
            view=checks.choice("pixels", "state"),
            view_size=checks.integer(at_least=1),
            variation_set=checks.choice(*VARIATIONS),
            episode_steps=checks.integer(at_least=1),
            patience=checks.optional(checks.integer(at_least=1)),
            lap_complete_percent=checks.optional(
                checks.number("from 0 to 1, or None", lambda value: 0 <= value <= 1)
            ),
            is_squashed=checks.flag,
        )

    @property
    def variations(self) -> Mapping[str, Variation]:
        """The five variations by name."""

        def make(name: str) -> Variation:
            friction, force, slip = VARIATIONS[self.variation_set][name]
            return Variation(
                friction=jnp.float32(friction),
                force=jnp.array([force, 0.0], jnp.float32),
                slip=jnp.float32(slip),
            )

        return Lazy(VARIATIONS[self.variation_set], make)

    @property
    def observation_shape(self) -> tuple[int, ...]:
        """One observation's shape.

        Rows, columns and colours from 0 to 1, or what `senses.sense` returns.
        """
        return (
            (self.view_size, self.view_size, 3) if self.view == "pixels" else (senses.NUM_SENSES,)
        )

    @property
    def action_size(self) -> int:
        """Numbers for steering, gas and brake."""
        return 3

    @property
    def action_bounds(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """The least and the most of each component of an action."""
        if self.is_squashed:
            return (-math.inf,) * 3, (math.inf,) * 3
        return (-1.0, 0.0, 0.0), (1.0, 1.0, 1.0)

    @property
    def observation_bounds(self) -> tuple[float, float]:
        """The least and the most of an observation's numbers; numbers of senses have none."""
        return (0.0, 1.0) if self.view == "pixels" else (-math.inf, math.inf)

    @property
    def max_steps(self) -> int:
        """The most steps of a race."""
        return self.episode_steps

    def reset(self, key: PRNGKey, variation: Variation) -> tuple[Race, Float[Array, "..."]]:
        """Draws a track and sets the car on its start. The key is consumed."""
        race = start_race(draw_track(key), variation)
        return race, self._observe(race)

    def step(
        self, state: Race, action: Float[Array, "3"], variation: Variation
    ) -> tuple[Race, Float[Array, "..."], Float[Array, ""], Bool[Array, ""]]:
        """Advances a race by one frame, a fiftieth of a second.

        Returns:
            The next state, what is seen in it, the reward, and whether the race ends: 1000 / tiles
            for every tile touched for the first time, less 0.1; but -100 beyond the playfield. A
            race ends when all tiles are visited, beyond the playfield, after the last step, or
            after `patience` consecutive steps of negative reward.
        """
        # The race of an episode that is over runs on unseen: a car without a place would have no
        # contacts and no picture.
        controls = action = jnp.asarray(action, jnp.float32)
        if action.shape != (self.action_size,):
            raise ValueError(
                f"action has shape {action.shape}, but must have (3,): steering, gas and brake"
            )
        if self.is_squashed:
            controls = jnp.concatenate([jnp.tanh(action[:1]), jax.nn.sigmoid(action[1:])])
        race = _advance(state, jnp.where(jnp.isfinite(action), controls, 0.0), variation)
        num_visited = jnp.sum(race.is_visited, dtype=jnp.int32)
        share = TRACK_REWARD / race.track.length.astype(jnp.float32)
        is_off_field = jnp.any(jnp.abs(hull_position(race.car)) > PLAYFIELD)
        reward = STEP_REWARD + share * (num_visited - race.num_paid).astype(jnp.float32)
        reward = jnp.where(is_off_field, OFF_FIELD_REWARD, reward)

        race = race.replace(
            num_paid=num_visited,
            num_steps=race.num_steps + 1,
            num_idle=jnp.where(reward < 0, race.num_idle + 1, 0),
        )
        done = (
            is_off_field
            | (num_visited == race.track.length)
            | (race.num_steps >= self.episode_steps)
        )
        if self.patience is not None:
            done = done | (race.num_idle >= self.patience)
        if self.lap_complete_percent is not None:
            is_back = jnp.any(race.is_on_start & ~state.is_on_start)
            done = done | (
                is_back
                & (
                    num_visited.astype(jnp.float32)
                    > self.lap_complete_percent * race.track.length.astype(jnp.float32)
                )
            )
        return race, self._observe(race), reward, done

    def frame(self, state: Race) -> UInt8[Array, "96 96 3"]:
        """The original's picture of a state, without the score."""
        return render.draw_frame(state.car, state.track, state.is_visited, _time(state))

    def _observe(self, race: Race) -> Float[Array, "..."]:
        if self.view == "state":
            return senses.sense(race.car, race.track, race.is_on_road)
        return render.draw_view(race.car, race.track, race.is_visited, _time(race), self.view_size)


def start_race(track: Track, variation: Variation) -> Race:
    """Sets the car on the start of a track.

    As in the original one step is made without action, in which the wheels come into place; the
    tiles touched in it are paid with the first reward.
    """
    zero = jnp.int32(0)
    race = Race(
        car=place_car(track.point[0], track.heading[0]),
        track=track,
        is_visited=jnp.zeros(MAX_TILES, bool),
        is_on_road=jnp.zeros(4, bool),
        is_on_start=jnp.zeros(4, bool),
        num_paid=zero,
        num_steps=zero,
        num_idle=zero,
    )
    return _advance(race, jnp.zeros(3), variation)


def _advance(race: Race, controls: Float[Array, "3"], variation: Variation) -> Race:
    """Moves the car.

    As in Box2D tiles are touched where the car was before, and grip is felt one step later.
    """
    contacts = find_contacts(race.car, race.track)
    gas, brake = jnp.clip(controls[1:], 0.0, 1.0)
    steering = -jnp.clip(controls[0], -1.0, 1.0)
    return race.replace(
        car=drive(race.car, Controls(steering, gas, brake), race.is_on_road, variation),
        is_visited=race.is_visited.at[contacts.tiles].max(jnp.any(contacts.is_touched, axis=0)),
        is_on_road=jnp.any(contacts.is_touched, axis=1),
        is_on_start=jnp.any(contacts.is_touched & (contacts.tiles == 0)[None], axis=1),
    )


def _time(race: Race) -> Float[Array, ""]:
    """Seconds since the start, in which the original counts the step of the reset."""
    return STEP * (race.num_steps + 1).astype(jnp.float32)
