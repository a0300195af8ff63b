"""The quadruped on film.

Its true body with its own lengths of leg, seen from its right and a little from ahead.
"""

import dataclasses
from collections.abc import Iterator
from typing import final

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from hebbax.evolution.episode import EpisodeState
from hebbax.tasks.quadruped.anatomy import (
    NORMAL,
    NUM_LEGS,
    RADIUS,
    TORSO_RADIUS,
    place_skeleton,
    rotation,
)
from hebbax.watching.films.camera import look_at
from hebbax.watching.films.capsules import Capsule
from hebbax.watching.films.scene import Footage, Picture, smooth, write
from hebbax.watching.films.stage import draw, set_stage

# m, relative to the torso's place on the floor. The quadruped is to walk along x: to the right of
# the picture, and a little towards the camera.
VIEWPOINT, TARGET = np.array([1.3, -3.8, 1.9], np.float32), np.array([0.0, 0.0, 0.25], np.float32)
CALM = 1.0  # s, over which the camera's way is smoothed.
PACE = 1.0  # s, over which the speed that is written is a mean.

TORSO, NOSE, UPPER, LOWER, CHANGED = (
    (71, 85, 105),
    (226, 232, 240),
    (122, 138, 158),
    (45, 150, 140),
    (234, 100, 20),
)
NOSE_PLACE, NOSE_RADIUS = np.array([0.2, 0.0, 0.08], np.float32), 0.09  # m, on the torso's front.


@final
@dataclasses.dataclass(frozen=True, eq=False)
class QuadrupedScene:
    """How a body of the quadruped is filmed.

    Lower legs that are not as long as usual have a colour of their own.
    """

    lower_legs: Float[Array, "4"]
    """m along x and along y, the length of each leg's lower part."""
    step_duration: float
    """s, of a policy step."""
    size: tuple[int, int] = (360, 640)
    """Rows and columns of a picture."""

    def keep(self, state: EpisodeState) -> Float[Array, "15"]:
        """The coordinates of the body."""
        return state.state.physics.q

    def draw(self, footage: Footage) -> Iterator[Picture]:
        """Draws the body on a floor of squares a metre wide, with its speed and its distance."""
        joints = np.asarray(jax.jit(jax.vmap(self._place))(footage.kept))
        base = look_at(VIEWPOINT, TARGET, *self.size)
        stage = set_stage(base)
        way = smooth(footage.kept[:, :2], round(CALM / self.step_duration))
        distances = np.cumsum(footage.rewards) * self.step_duration
        pace = max(1, round(PACE / self.step_duration))

        for step in footage.shown:
            camera = base.at(way[step] + VIEWPOINT[:2])
            picture = draw(stage, camera, self._build(joints[step]))
            seconds, speed = (
                (step + 1) * self.step_duration,
                np.mean(footage.rewards[max(0, step + 1 - pace) : step + 1]),
            )
            line = (
                f"step {step + 1}   {seconds:.1f} s   {speed:+.2f} m/s   "
                f"{distances[step]:+.1f} m   (squares: 1 m)"
            )
            yield write(picture, footage.title, line, footage.damage_at(step))

    def _place(self, q: Float[Array, "15"]) -> Float[Array, "14 3"]:
        """Torso, nose, hips, knees and feet in the world."""
        skeleton = place_skeleton(q, self.lower_legs)
        nose = q[:3] + rotation(q[3:7]) @ NOSE_PLACE
        return jnp.concatenate(
            [skeleton.torso[None], nose[None], skeleton.hips, skeleton.knees, skeleton.feet]
        )

    def _build(self, joints: Float[np.ndarray, "14 3"]) -> list[Capsule]:
        """The capsules of a body in a pose."""
        torso, nose, *legs = joints
        body = [Capsule(torso, torso, TORSO_RADIUS, TORSO), Capsule(nose, nose, NOSE_RADIUS, NOSE)]
        for leg, length in enumerate(np.asarray(self.lower_legs)):
            hip, knee, foot = legs[leg::NUM_LEGS]
            colour = LOWER if np.isclose(length, NORMAL) else CHANGED
            body += [
                Capsule(torso, hip, RADIUS, UPPER),
                Capsule(hip, knee, RADIUS, UPPER),
                Capsule(knee, foot, RADIUS, colour),
            ]
        return body
