"""A checkerboard that fades into the distance, with squares of a metre.

The scale and the speed of what walks on it.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float32

from hebbax.watching.films.camera import Camera, cast_rays

SKY = np.array([250, 251, 253], np.float32)
LIGHT_SQUARE, DARK_SQUARE = (
    np.array([240, 243, 246], np.float32),
    np.array([212, 220, 228], np.float32),
)
SIGHT = 14.0  # m, at which the floor has faded to a third.


class Floor(NamedTuple):
    """What does not change as a camera travels.

    points: `[rows, columns, 2]` m, where each pixel's ray meets the floor, relative to the camera.
    spread: `[rows, columns, 2]` m, how much of the floor a pixel covers along each axis.
    clarity: `[rows, columns]` how much of the floor's colour is left; 0 above the horizon.
    """

    points: Float32[np.ndarray, "rows columns 2"]
    spread: Float32[np.ndarray, "rows columns 2"]
    clarity: Float32[np.ndarray, "rows columns"]


def lay_floor(camera: Camera) -> Floor:
    """Works out where the camera's pixels meet the floor."""
    rays = cast_rays(camera, samples=1)
    # Rays at or above the horizon meet it too far away to be seen.
    distance = camera.position[2] / np.maximum(-rays[..., 2], 1e-4)
    points = rays[..., :2] * distance[..., None]
    along_rows, along_columns = np.gradient(points, axis=(0, 1))
    spread = np.maximum(np.abs(along_rows), np.abs(along_columns)) + 1e-6
    return Floor(
        points, spread.astype(np.float32), np.exp(-((distance / SIGHT) ** 2)).astype(np.float32)
    )


def draw_floor(floor: Floor, camera: Camera) -> Float32[np.ndarray, "rows columns 3"]:
    """Draws the floor, each pixel the mean colour of what it covers."""
    stripes = _mean_stripes(floor.points + camera.position[:2], floor.spread)
    share = floor.clarity * (0.5 - 0.5 * stripes[..., 0] * stripes[..., 1])
    return (
        SKY
        + floor.clarity[..., None] * (LIGHT_SQUARE - SKY)
        + share[..., None] * (DARK_SQUARE - LIGHT_SQUARE)
    )


def _mean_stripes(places: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """The mean over an interval of stripes that are 1 and -1 in turn, a metre wide.

    The difference of their integral, a zigzag, at its ends.
    """
    halves, quarter = places / 2, spread / 4
    ends = (end - np.floor(end) for end in (halves - quarter, halves + quarter))
    return 2 * np.subtract(*(np.abs(end - 0.5) for end in ends)) / spread
