"""A camera that travels at a fixed height and never turns.

The rays through its pixels are worked out once for a whole film.

Pictures are arrays of rows and columns; on the picture x goes to the right and y down, in pixels.
In the world z is up; lengths are in metres.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float32

FOCAL = 1.0  # Focal length in parts of the picture's width.


class Camera(NamedTuple):
    """Where a camera is and how it looks.

    position: `[3]` m
    axes: `[3, 3]` rows: the directions of the picture's right, its down, and forwards.
    height: rows of the picture.
    width: columns of the picture.
    """

    position: Float32[np.ndarray, "3"]
    axes: Float32[np.ndarray, "3 3"]
    height: int
    width: int

    def at(self, place: Float32[np.ndarray, "2"]) -> "Camera":
        """The same camera above another place."""
        return self._replace(position=np.append(place, self.position[2:]))


def look_at(
    position: Float32[np.ndarray, "3"], target: Float32[np.ndarray, "3"], height: int, width: int
) -> Camera:
    """Points a camera at a target and holds it upright."""
    forward = _unit(target - position)
    right = _unit(np.cross(forward, np.array([0.0, 0.0, 1.0], np.float32)))
    return Camera(
        position,
        np.stack([right, np.cross(forward, right), forward]).astype(np.float32),
        height,
        width,
    )


def project(
    camera: Camera, points: Float32[np.ndarray, "points 3"]
) -> tuple[Float32[np.ndarray, "points 2"], Float32[np.ndarray, " points"]]:
    """Returns where points are on the picture, and their depth before the camera in metres."""
    right, down, depth = camera.axes @ (points - camera.position).T
    focal = FOCAL * camera.width
    return np.stack(
        [camera.width / 2 + focal * right / depth, camera.height / 2 + focal * down / depth], axis=1
    ).astype(np.float32), depth


def cast_rays(camera: Camera, samples: int) -> Float32[np.ndarray, "rows columns 3"]:
    """Returns unit directions through `samples` x `samples` points of every pixel."""
    y, x = (
        (np.arange(samples * size, dtype=np.float32) + 0.5) / samples - size / 2
        for size in (camera.height, camera.width)
    )
    grid = np.stack(
        np.broadcast_arrays(x[None, :], y[:, None], np.float32(FOCAL * camera.width)), axis=-1
    )
    return (grid @ camera.axes / np.linalg.norm(grid, axis=-1, keepdims=True)).astype(np.float32)


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)
