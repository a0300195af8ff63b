"""The quadruped's skeleton.

Four two-jointed legs, in which variations differ, and where their parts are.

Legs are numbered as their joints are, by quarter, counter-clockwise as seen from above; the
quadruped walks towards +x with +y to its left: leg 0 is front left, leg 1 rear left, leg 2 rear
right, leg 3 front right. Joints are ordered hip, ankle, leg by leg. All arrays over legs follow
this order. Lengths are in metres along x and along y alike, so that a segment's true length is
sqrt(2) times its number; angles are in radians.

Source: AntBullet of pybullet-gym, https://github.com/benelot/pybullet-gym.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from hebbax.types import Struct

NUM_LEGS = 4
NUM_JOINTS = 2 * NUM_LEGS
SEGMENT = 0.2  # m, the hip's stub on the torso and the upper leg alike.
RADIUS = 0.08  # m, of every capsule of a leg.
TORSO_RADIUS = 0.25  # m
LINK_LAG = 0.004125  # s, one of Bullet's substeps.

# Where a leg points to, and which sign of its ankle's angle points it down.
QUARTERS = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]], np.float32)
ANKLE_SIGNS = np.array([1, -1, -1, 1], np.float32)
# m, where legs begin, in the torso's coordinates.
HIPS = SEGMENT * np.pad(QUARTERS, ((0, 0), (0, 1)))

NORMAL, SHORT, LONG = 0.4, 0.1, 0.6  # m, lengths of a lower leg.
_DEFAULT = (NORMAL, NORMAL, NORMAL, NORMAL)

# "reference" has the names of the paper's public code and the bodies that its XML files describe:
# what is called front there is left here, what is called back is right, and its damage on the right
# is rear left. "najarro" are the three bodies of Najarro and Risi 2020.
LOWER_LEGS: Mapping[str, Mapping[str, tuple[float, float, float, float]]] = MappingProxyType(
    {
        "paper": {
            "default": _DEFAULT,
            "damaged_front_left": (SHORT, NORMAL, NORMAL, NORMAL),
            "damaged_front_right": (NORMAL, NORMAL, NORMAL, SHORT),
            "long_rear_legs": (NORMAL, LONG, LONG, NORMAL),
            "long_front_legs": (LONG, NORMAL, NORMAL, LONG),
        },
        "reference": {
            "default": _DEFAULT,
            "damage_left": (SHORT, NORMAL, NORMAL, NORMAL),
            "damage_right": (NORMAL, SHORT, NORMAL, NORMAL),
            "long_back": (NORMAL, NORMAL, LONG, LONG),
            "long_front": (LONG, LONG, NORMAL, NORMAL),
        },
        "najarro": {
            "default": _DEFAULT,
            "damaged_front_left": (SHORT, NORMAL, NORMAL, NORMAL),
            "damaged_front_right": (NORMAL, NORMAL, NORMAL, SHORT),
        },
    }
)


class Pose(Struct):
    """Where the quadruped is and how it moves, in coordinates of its own.

    q: `[15]` torso position (m), torso orientation (quaternion w, x, y, z), joint angles (rad).
    qd: `[14]` torso velocity in the world (m/s), torso rotation in its own frame (rad/s), joint
        speeds (rad/s).
    """

    q: Float[Array, "15"]
    qd: Float[Array, "14"]


class Limbs(NamedTuple):
    """Where the parts of the four legs are, in the world.

    center: `[2]` m, mean place in the ground plane of all parts, the torso among them.
    clearance: `[4]` m, gap between the ground and a lower leg's nearer end; negative when it sinks
        in.
    """

    center: Float[Array, "2"]
    clearance: Float[Array, "4"]


def place_limbs(pose: Pose, lower_legs: Float[Array, "4"]) -> Limbs:
    """Places the limbs in the world.

    The score follows the mean of the 22 parts of the original's scene, which this reproduces with
    their two oddities. One part is the floor, always at the origin, which shortens every distance
    by 1 / 22. And the legs' parts lag behind the torso: Bullet places them before it moves the
    bodies for the last time.
    """
    _, knees, feet = _place_legs(pose.q[7:], lower_legs)
    past = _rewind(pose, LINK_LAG)
    past_links, _, _ = _place_legs(past[7:], lower_legs)
    offset = rotation(past[3:7]) @ jnp.sum(past_links, axis=0)
    center = (pose.q[:2] + 5 * NUM_LEGS * past[:2] + offset[:2]) / (2 + 5 * NUM_LEGS)

    heights = jnp.stack([knees, feet]) @ rotation(pose.q[3:7])[2] + pose.q[2]
    return Limbs(center=center, clearance=jnp.min(heights, axis=0) - RADIUS)


class Skeleton(NamedTuple):
    """Where the joints of the body are, in the world; between them run capsules.

    torso: `[3]` m, its middle.
    hips: `[4, 3]` m, where the stubs that are fixed to the torso end.
    knees: `[4, 3]` m
    feet: `[4, 3]` m, where the lower legs end.
    """

    torso: Float[Array, "3"]
    hips: Float[Array, "4 3"]
    knees: Float[Array, "4 3"]
    feet: Float[Array, "4 3"]


def place_skeleton(q: Float[Array, "15"], lower_legs: Float[Array, "4"]) -> Skeleton:
    """Places the joints in the world.

    Args:
        q: `[15]` as in `Pose`.
        lower_legs: `[4]` m along x and along y, the length of each leg's lower part.
    """
    _, knees, feet = _place_legs(q[7:], lower_legs)
    to_world = rotation(q[3:7]).T
    hips, knees, feet = (
        q[None, :3] + points @ to_world for points in (jnp.asarray(HIPS), knees, feet)
    )
    return Skeleton(torso=q[:3], hips=hips, knees=knees, feet=feet)


def rotation(quaternion: Float[Array, "4"]) -> Float[Array, "3 3"]:
    """Returns the matrix that turns the torso's coordinates into the world's."""
    w, x, y, z = quaternion
    return jnp.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def _place_legs(
    angles: Float[Array, "8"], lower_legs: Float[Array, "4"]
) -> tuple[Float[Array, "4 3"], Float[Array, "4 3"], Float[Array, "4 3"]]:
    """Returns the sum of each leg's five parts, its knee and its foot, in the torso's frame."""
    hips, ankles = angles[::2], angles[1::2]
    cosine, sine = jnp.cos(hips), jnp.sin(hips)
    x, y = QUARTERS[:, 0], QUARTERS[:, 1]
    outwards = jnp.stack(
        [cosine * x - sine * y, sine * x + cosine * y, jnp.zeros(NUM_LEGS)], axis=1
    )
    drop = -jnp.sqrt(2.0) * ANKLE_SIGNS * jnp.sin(ankles)

    hip = jnp.asarray(HIPS)
    upper = SEGMENT * outwards
    lower = lower_legs[:, None] * (jnp.cos(ankles)[:, None] * outwards).at[:, 2].set(drop)

    # The middle of the stub, the hip, the upper leg's middle, the knee, the lower leg's middle.
    knee = hip + upper
    parts = hip / 2 + hip + (hip + upper / 2) + knee + (knee + lower / 2)
    return parts, knee, knee + lower


def _rewind(pose: Pose, duration: float) -> Float[Array, "15"]:
    """Returns the coordinates from which the present velocities led here within a duration."""
    w, x, y, z = pose.q[3:7]
    half = -0.5 * duration * pose.qd[3:6]
    angle = jnp.linalg.norm(half)
    a, b, c = half * jnp.sinc(angle / jnp.pi)
    s = jnp.cos(angle)
    turned = jnp.stack(
        [
            w * s - x * a - y * b - z * c,
            w * a + x * s + y * c - z * b,
            w * b - x * c + y * s + z * a,
            w * c + x * b - y * a + z * s,
        ]
    )
    return jnp.concatenate(
        [pose.q[:3] - duration * pose.qd[:3], turned, pose.q[7:] - duration * pose.qd[6:]]
    )
