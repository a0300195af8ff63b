"""Pictures of capsules on a floor, drawn by the processor alone: no OpenGL, no display."""

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
from hebbax.watching.films.floor import Floor, draw_floor, lay_floor

SAMPLES = 2  # Along each side of a pixel, which smooths the edges of bodies.


class Stage(NamedTuple):
    """What all pictures of a film share.

    floor: as the camera sees it wherever it is.
    rays: `[rows, columns, 3]` through every sample of the picture.
    """

    floor: Floor
    rays: Float32[np.ndarray, "rows columns 3"]


def set_stage(camera: Camera) -> Stage:
    """Works out what does not change while a camera travels."""
    return Stage(lay_floor(camera), cast_rays(camera, SAMPLES))


def draw(
    stage: Stage, camera: Camera, capsules: Sequence[Capsule]
) -> UInt8[np.ndarray, "rows columns 3"]:
    """Draws capsules on the floor: what is nearer hides what is farther."""
    picture = draw_floor(stage.floor, camera)
    picture *= 1 - _cast_shadows(stage.floor, camera, capsules)[..., None]
    rows, columns = _join([window_of(camera, capsule) for capsule in capsules])
    fine = np.repeat(np.repeat(picture[rows, columns], SAMPLES, axis=0), SAMPLES, axis=1)
    _draw_bodies(fine, stage.rays, camera, capsules, (rows.start, columns.start))
    picture[rows, columns] = (
        sum(fine[y::SAMPLES, x::SAMPLES] for y in range(SAMPLES) for x in range(SAMPLES))
        / SAMPLES**2
    )
    return np.clip(picture + 0.5, 0, 255).astype(np.uint8)


def _cast_shadows(
    floor: Floor, camera: Camera, capsules: Sequence[Capsule]
) -> Float32[np.ndarray, "rows columns"]:
    """Which share of the light the capsules take from each pixel of the floor.

    Their shadows do not add up.
    """
    dark = np.zeros((camera.height, camera.width), np.float32)
    for capsule in capsules:
        window = window_of(camera, flatten(capsule))
        np.maximum(
            dark[window],
            shadow_on_floor(floor.points[window] + camera.position[:2], capsule),
            out=dark[window],
        )
    return dark


def _draw_bodies(
    fine: np.ndarray,
    rays: np.ndarray,
    camera: Camera,
    capsules: Sequence[Capsule],
    corner: tuple[int, int],
) -> None:
    """Draws capsules into a window of samples whose first pixel is the corner."""
    nearest = np.full(fine.shape[:2], np.inf, np.float32)
    for capsule in capsules:
        window = window_of(camera, capsule)
        if _is_empty(window):
            continue
        there, here = tuple(_finer(side, 0) for side in window), tuple(map(_finer, window, corner))
        distance, share = meet_capsule(rays[there], camera.position, capsule)
        is_nearer = distance < nearest[here]
        points = camera.position + distance[is_nearer][:, None] * rays[there][is_nearer]
        nearest[here][is_nearer] = distance[is_nearer]
        fine[here][is_nearer] = shade(points, share[is_nearer], capsule)


def _finer(side: slice, start: int) -> slice:
    """The samples of pixels that are counted from a start."""
    return slice(SAMPLES * (side.start - start), SAMPLES * (side.stop - start))


def _is_empty(window: tuple[slice, slice]) -> bool:
    return any(side.start >= side.stop for side in window)


def _join(windows: Sequence[tuple[slice, slice]]) -> tuple[slice, slice]:
    """The smallest window around all that are not empty."""
    seen = [window for window in windows if not _is_empty(window)]
    if not seen:
        return slice(0, 0), slice(0, 0)
    rows, columns = (
        slice(min(side.start for side in sides), max(side.stop for side in sides))
        for sides in zip(*seen, strict=True)
    )
    return rows, columns
