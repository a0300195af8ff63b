"""Which wheels touch which tiles of the road.

A wheel touches a tile when the two polygons overlap, or are nearer than the skins that Box2D puts
around both. Only the tiles whose middle is nearest to the car are looked at.

Source: Box2D 2.3's `b2TestOverlap` and `b2_polygonRadius` by Erin Catto, zlib licence.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from hebbax.tasks.car_racing.dynamics import WHEEL_HALF_WIDTH, WHEEL_RADIUS, Car
from hebbax.tasks.car_racing.track import Track
from hebbax.types import Struct

SKIN = 0.02  # m, two polygons' skins of 0.01.
# A car is within reach of seven tiles of one stretch of road, and of two stretches where the road
# crosses itself.
NUM_CANDIDATES = 16


class Contacts(Struct):
    """What the wheels touch.

    tiles: `[candidates]` numbers of the tiles near the car.
    is_touched: `[4, candidates]` whether each wheel touches each of them.
    """

    tiles: Int[Array, " candidates"]
    is_touched: Bool[Array, "4 candidates"]


def find_contacts(car: Car, track: Track) -> Contacts:
    """Looks which wheels touch which tiles."""
    distances = jnp.sum((track.middle[0] - car.center[:1]) ** 2, axis=1)
    _, tiles = jax.lax.top_k(-distances, NUM_CANDIDATES)
    touches = jax.vmap(jax.vmap(_touches, (None, None, 0)), (0, 0, None))
    return Contacts(
        tiles=tiles, is_touched=touches(car.center[1:], car.angle[1:], track.corners[0, tiles])
    )


def _touches(
    center: Float[Array, "2"], angle: Float[Array, ""], corners: Float[Array, "4 2"]
) -> Bool[Array, ""]:
    """Whether a wheel and a tile overlap: no side of either separates them."""
    half_sizes = jnp.array([WHEEL_HALF_WIDTH, WHEEL_RADIUS])
    axes = jnp.stack(
        [jnp.stack([jnp.cos(angle), jnp.sin(angle)]), jnp.stack([-jnp.sin(angle), jnp.cos(angle)])]
    )
    # Corners in the wheel's frame.
    seen = jnp.sum((corners - center[None])[:, None] * axes[None], axis=2)
    wheel_gap = jnp.maximum(jnp.min(seen, axis=0) - half_sizes, -jnp.max(seen, axis=0) - half_sizes)

    sides = jnp.roll(seen, -1, axis=0) - seen
    normals = jnp.stack([-sides[:, 1], sides[:, 0]], axis=1) / jnp.linalg.norm(
        sides, axis=1, keepdims=True
    )
    tile_gap = -jnp.sum(normals * seen, axis=1) - jnp.sum(
        jnp.abs(normals) * half_sizes[None], axis=1
    )
    return jnp.maximum(jnp.max(wheel_gap), jnp.max(tile_gap)) <= SKIN
