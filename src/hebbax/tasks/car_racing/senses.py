"""What a driver without eyes senses.

The car's motion, its wheels, and the road ahead, as numbers of order one.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from hebbax.tasks.car_racing.dynamics import (
    STEERING_LIMIT,
    Car,
    hull_position,
    joint_angles,
    rotate,
)
from hebbax.tasks.car_racing.track import PLAYFIELD, Track

# Of the line along the middle of the road, counted from the point that is nearest to the car.
POINTS_AHEAD = np.arange(0, 24, 2)
NUM_SENSES = 24 + 2 * len(POINTS_AHEAD)

SPEED_SCALE = 50.0  # m/s
SPIN_SCALE = 5.0  # rad/s
ROLLING_SCALE = 100.0  # rad/s
SIGHT = 50.0  # m


def sense(car: Car, track: Track, is_on_road: Bool[Array, "4"]) -> Float[Array, "48"]:
    """Returns what the driver senses.

    Args:
        car: the car.
        track: the road.
        is_on_road: `[4]` which wheels touch the road.

    Returns:
        Place on the field (2), cosine and sine of the hull's angle (2), velocity in the hull's
        frame (2), spin (1), gas (1), per wheel: rolling (4), angle (4), whether on the road (4),
        whether skidding (4); then the road ahead, 12 points seven metres apart in the hull's frame
        (24).
    """
    position, angle = hull_position(car), car.angle[0]
    nearest = jnp.argmin(jnp.sum((track.point - position[None]) ** 2, axis=1))
    ahead = track.point[jnp.mod(nearest + POINTS_AHEAD.astype(np.int32), track.length)]
    motion = jnp.stack([jnp.cos(angle), jnp.sin(angle), car.spin[0] / SPIN_SCALE, car.gas])
    parts = [
        position / PLAYFIELD,
        motion[:2],
        rotate(car.velocity[0], -angle) / SPEED_SCALE,
        motion[2:],
        car.rolling / ROLLING_SCALE,
        joint_angles(car) / STEERING_LIMIT,
        is_on_road.astype(jnp.float32),
        car.is_skidding.astype(jnp.float32),
        rotate(ahead - position[None], -angle).reshape(-1) / SIGHT,
    ]
    return jnp.concatenate(parts)
