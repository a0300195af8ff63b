"""Pictures of capsules on a floor, drawn by the processor alone: no OpenGL, no display.

The floor is a checkerboard with squares of a metre, the scale and the speed of what walks on it. It
fades into the distance.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, UInt8

from hebbax.watching.films.camera import Camera, cast_rays
from hebbax.watching.films.capsules import (
    Capsule,
    flatten,
    meet_capsule,
    shade,
    shadow_on_floor,
    window_of,
)

SKY = np.array([250, 251, 253], np.float32)
LIGHT_SQUARE, DARK_SQUARE = (
    np.array([240, 243, 246], np.float32),
    np.array([212, 220, 228], np.float32),
)
SIGHT = 14.0  # m, at which the floor has faded to a third.
SAMPLES = 2  # Along each side of a pixel, which smooths the edges of bodies.


class Stage(NamedTuple):
    """What all pictures of a film share: what does not change as a camera travels.

    points: `[rows, columns, 2]` m, where each pixel's ray meets the floor, relative to the camera.
    spread: `[rows, columns, 2]` m, how much of the floor a pixel covers along each axis.
    clarity: `[rows, columns]` how much of the floor's colour is left; 0 above the horizon.
    rays: `[rows, columns, 3]` through every sample of the picture.
    """

    points: Float32[np.ndarray, "rows columns 2"]
    spread: Float32[np.ndarray, "rows columns 2"]
    clarity: Float32[np.ndarray, "rows columns"]
    rays: Float32[np.ndarray, "samples_down samples_across 3"]


def set_stage(camera: Camera) -> Stage:
    """Works out where the camera's pixels meet the floor, and their rays."""
    rays = cast_rays(camera, samples=1)
    # Rays at or above the horizon meet it too far away to be seen.
    distance = camera.position[2] / np.maximum(-rays[..., 2], 1e-4)
    points = rays[..., :2] * distance[..., None]
    along_rows, along_columns = np.gradient(points, axis=(0, 1))
    spread = np.maximum(np.abs(along_rows), np.abs(along_columns)) + 1e-6
    clarity = np.exp(-((distance / SIGHT) ** 2))
    return Stage(
        points,
        spread.astype(np.float32),
        clarity.astype(np.float32),
        cast_rays(camera, SAMPLES),
    )


def draw(
    stage: Stage, camera: Camera, capsules: Sequence[Capsule]
) -> UInt8[np.ndarray, "rows columns 3"]:
    """Draws capsules on the floor: what is nearer hides what is farther."""
    picture = draw_floor(stage, camera)
    picture *= 1 - _cast_shadows(stage, camera, capsules)[..., None]
    fine = picture.repeat(SAMPLES, axis=0).repeat(SAMPLES, axis=1)
    _draw_bodies(fine, stage.rays, camera, capsules)
    smooth = (
        sum(fine[y::SAMPLES, x::SAMPLES] for y in range(SAMPLES) for x in range(SAMPLES))
        / SAMPLES**2
    )
    return np.clip(smooth + 0.5, 0, 255).astype(np.uint8)


def draw_floor(stage: Stage, camera: Camera) -> Float32[np.ndarray, "rows columns 3"]:
    """Draws the floor, each pixel the mean colour of what it covers."""
    stripes = _mean_stripes(stage.points + camera.position[:2], stage.spread)
    share = stage.clarity * (0.5 - 0.5 * stripes[..., 0] * stripes[..., 1])
    return (
        SKY
        + stage.clarity[..., None] * (LIGHT_SQUARE - SKY)
        + share[..., None] * (DARK_SQUARE - LIGHT_SQUARE)
    )


def _mean_stripes(places: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """The mean over an interval of stripes that are 1 and -1 in turn, a metre wide.

    The difference of their integral, a zigzag, at its ends.
    """
    halves, quarter = places / 2, spread / 4
    ends = (end - np.floor(end) for end in (halves - quarter, halves + quarter))
    return 2 * np.subtract(*(np.abs(end - 0.5) for end in ends)) / spread


def _cast_shadows(
    stage: Stage, camera: Camera, capsules: Sequence[Capsule]
) -> Float32[np.ndarray, "rows columns"]:
    """Which share of the light the capsules take from each pixel of the floor.

    Their shadows do not add up.
    """
    dark = np.zeros((camera.height, camera.width), np.float32)
    for capsule in capsules:
        window = window_of(camera, flatten(capsule))
        np.maximum(
            dark[window],
            shadow_on_floor(stage.points[window] + camera.position[:2], capsule),
            out=dark[window],
        )
    return dark


def _draw_bodies(
    fine: np.ndarray, rays: np.ndarray, camera: Camera, capsules: Sequence[Capsule]
) -> None:
    """Draws capsules into a picture of samples."""
    nearest = np.full(fine.shape[:2], np.inf, np.float32)
    for capsule in capsules:
        window = window_of(camera, capsule)
        here = tuple(slice(SAMPLES * side.start, SAMPLES * side.stop) for side in window)
        distance, share = meet_capsule(rays[here], camera.position, capsule)
        is_nearer = distance < nearest[here]
        points = camera.position + distance[is_nearer][:, None] * rays[here][is_nearer]
        nearest[here][is_nearer] = distance[is_nearer]
        fine[here][is_nearer] = shade(points, share[is_nearer], capsule)
