"""What the quadruped senses, 28 numbers, and how its progress is scored.

Source: `WalkerBase.calc_state` and `WalkerBaseBulletEnv` of pybullet-gym,
https://github.com/benelot/pybullet-gym.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from hebbax.tasks.quadruped.anatomy import Pose

NUM_SENSES = 28
TARGET = np.array([1000.0, 0.0], np.float32)  # m, where the quadruped is meant to go.
BOUND = 5.0


def observe(
    pose: Pose,
    center: Float[Array, "2"],
    has_contact: Bool[Array, "4"],
    initial_height: Float[Array, ""] | float,
    joint_range: Float[Array, "8 2"],
) -> Float[Array, "28"]:
    """Returns what the quadruped senses.

    Args:
        pose: where the quadruped is and how it moves.
        center: `[2]` m, mean place of its parts, from which the target's direction is seen.
        has_contact: `[4]` whether a lower leg touches the ground.
        initial_height: `[]` m, height of the torso when the episode started.
        joint_range: `[8, 2]` rad, lower and upper limits of the joints.

    Returns:
        Height above the first (1), sine and cosine of the angle to the target (2), velocity in the
        yaw frame times 0.3 (3), roll and pitch (2), per joint its angle scaled to +-1 over its
        limits and its speed times 0.1 (16), contacts (4); clipped to +-5.
    """
    roll, pitch, yaw = _euler_angles(pose.q[3:7])
    heading = jnp.arctan2(TARGET[1] - center[1], TARGET[0] - center[0]) - yaw
    forward, left, up = pose.qd[0], pose.qd[1], pose.qd[2]
    cosine, sine = jnp.cos(yaw), jnp.sin(yaw)

    body = jnp.stack(
        [
            pose.q[2] - initial_height,
            jnp.sin(heading),
            jnp.cos(heading),
            0.3 * (cosine * forward + sine * left),
            0.3 * (cosine * left - sine * forward),
            0.3 * up,
            roll,
            pitch,
        ]
    )
    lower, upper = joint_range[:, 0], joint_range[:, 1]
    angles = (2 * pose.q[7:] - lower - upper) / (upper - lower)
    joints = jnp.stack([angles, 0.1 * pose.qd[6:]], axis=1).reshape(-1)
    return jnp.clip(jnp.concatenate([body, joints, has_contact.astype(jnp.float32)]), -BOUND, BOUND)


def progress(before: Float[Array, "2"], after: Float[Array, "2"]) -> Float[Array, ""]:
    """Returns by how many metres the target came nearer.

    The difference of two distances of a kilometre has no correct digit below 0.1 mm in float32;
    this is the same number by the difference of squares:
    |b| - |a| = (b - a) (b + a) / (|b| + |a|).
    """
    to_before, to_after = TARGET - before, TARGET - after
    distances = jnp.linalg.norm(to_before) + jnp.linalg.norm(to_after)
    return jnp.sum((after - before) * (to_before + to_after)) / distances


def _euler_angles(
    quaternion: Float[Array, "4"],
) -> tuple[Float[Array, ""], Float[Array, ""], Float[Array, ""]]:
    w, x, y, z = quaternion
    roll = jnp.arctan2(2 * (w * x + y * z), 1 - 2 * (x * x + y * y))
    pitch = jnp.arcsin(jnp.clip(2 * (w * y - x * z), -1, 1))
    yaw = jnp.arctan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))
    return roll, pitch, yaw
