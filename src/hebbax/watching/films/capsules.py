"""Capsules, of which bodies are made.

Rays meet them, a light shades them, and they throw shadows on the floor.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float32

from hebbax.watching.films.camera import FOCAL, Camera, project

# The direction towards the light, of length one.
LIGHT = np.array([-0.29, -0.48, 0.83], np.float32)
AMBIENT = 0.5  # Share of a colour that shows where no light falls.
SHADOW = 0.3  # Share of the floor's brightness that a shadow takes.
SOFTNESS = 0.04  # m, width of a shadow's edge.


class Capsule(NamedTuple):
    """All points within a radius of a segment; a sphere if its ends are one.

    start: `[3]` m
    end: `[3]` m
    radius: m
    colour: red, green and blue from 0 to 255.
    """

    start: Float32[np.ndarray, "3"]
    end: Float32[np.ndarray, "3"]
    radius: float
    colour: tuple[int, int, int]


def window_of(camera: Camera, capsule: Capsule) -> tuple[slice, slice]:
    """The rows and columns of the picture that a capsule can cover; empty out of sight."""
    places, depth = project(camera, np.stack([capsule.start, capsule.end]))
    if np.min(depth) <= 2 * capsule.radius:
        return slice(0, 0), slice(0, 0)
    # A ball looks wider the farther it is from the middle of the picture: twice its radius is more
    # than enough.
    margin = 2 * FOCAL * camera.width * capsule.radius / np.min(depth)
    low, high = np.floor(places.min(axis=0) - margin), np.ceil(places.max(axis=0) + margin)
    (left, right), (top, bottom) = (
        (max(int(a), 0), max(int(b), 0)) for a, b in zip(low, high, strict=True)
    )
    return slice(top, min(bottom, camera.height)), slice(left, min(right, camera.width))


def meet_capsule(
    rays: Float32[np.ndarray, "rows columns 3"], origin: Float32[np.ndarray, "3"], capsule: Capsule
) -> tuple[Float32[np.ndarray, "rows columns"], Float32[np.ndarray, "rows columns"]]:
    """Returns at what distance rays meet a capsule, infinite for those that miss it.

    Also the point of its axis that is nearest there, as a share.

    A ray enters a capsule where it enters one of the balls that make it up: the one around that
    point of the axis which is nearest to where the ray enters the endless cylinder, kept between
    the ends.
    """
    axis, start = capsule.end - capsule.start, origin - capsule.start
    axis_2, start_2, start_axis = float(axis @ axis), float(start @ start), float(start @ axis)
    ray_axis, ray_start = rays @ axis, rays @ start
    a = np.maximum(axis_2 - ray_axis**2, 1e-9)
    b = axis_2 * ray_start - ray_axis * start_axis
    c = axis_2 * (start_2 - capsule.radius**2) - start_axis**2
    entry = (-b - np.sqrt(np.maximum(b**2 - a * c, 0))) / a
    share = np.clip((start_axis + entry * ray_axis) / max(axis_2, 1e-9), 0, 1)

    # Of the ball around `capsule.start + share * axis`, likewise written in the products above.
    b = ray_start - share * ray_axis
    inside = b**2 - (start_2 - 2 * share * start_axis + share**2 * axis_2) + capsule.radius**2
    distance = np.where(inside >= 0, -b - np.sqrt(np.maximum(inside, 0)), np.inf).astype(np.float32)
    return distance, share


def shade(
    points: Float32[np.ndarray, "pixels 3"], share: Float32[np.ndarray, " pixels"], capsule: Capsule
) -> Float32[np.ndarray, "pixels 3"]:
    """Returns the colour, under the light, of points on a capsule's surface.

    Each is on the ball at its share of the axis.
    """
    normal = (
        points - capsule.start - share[:, None] * (capsule.end - capsule.start)
    ) / capsule.radius
    brightness = AMBIENT + (1 - AMBIENT) * np.maximum(normal @ LIGHT, 0)
    return brightness[:, None] * np.array(capsule.colour, np.float32)


def flatten(capsule: Capsule) -> Capsule:
    """Returns a capsule's shadow on the floor, a little larger than it is."""
    start, end = (place - place[2] / LIGHT[2] * LIGHT for place in (capsule.start, capsule.end))
    return capsule._replace(start=start, end=end)


def shadow_on_floor(
    points: Float32[np.ndarray, "rows columns 2"], capsule: Capsule
) -> Float32[np.ndarray, "rows columns"]:
    """Returns which share of the light a capsule takes from points of the floor."""
    flat = flatten(capsule)
    axis = flat.end - flat.start
    x, y = points[..., 0] - flat.start[0], points[..., 1] - flat.start[1]
    share = np.clip((x * axis[0] + y * axis[1]) / max(float(axis @ axis), 1e-9), 0, 1)
    distance = np.sqrt((x - share * axis[0]) ** 2 + (y - share * axis[1]) ** 2)
    return SHADOW * np.clip((capsule.radius - distance) / SOFTNESS + 0.5, 0, 1)
