"""Capsules: where rays meet them, what the camera sees of them, and their shadows; all by hand."""

import numpy as np
import pytest

from hebbax.watching.films.camera import Camera, cast_rays, look_at, project
from hebbax.watching.films.capsules import (
    AMBIENT,
    LIGHT,
    SHADOW,
    Capsule,
    meet_capsule,
    shade,
    shadow_on_floor,
    window_of,
)

GREY = (100, 100, 100)


def vector(*numbers: float) -> np.ndarray:
    return np.array(numbers, np.float32)


@pytest.fixture
def camera() -> Camera:
    return look_at(vector(0, -4, 1), vector(0, 0, 1), 40, 60)


@pytest.mark.parametrize(
    ("origin", "ray", "distance", "share"),
    [
        ((5, 0, 0), (-1, 0, 0), 4.5, 0.0),  # Across the axis at its start.
        ((5, 0, 1), (-1, 0, 0), 4.5, 0.5),  # Across its middle.
        ((0, 0, 5), (0, 0, -1), 2.5, 1.0),  # Along the axis, on to the cap.
        ((5, 0, 2.3), (-1, 0, 0), 4.6, 1.0),  # The cap, where the ball is 0.4 wide.
        ((5, 0, -0.6), (-1, 0, 0), np.inf, None),  # Past the cap.
        ((5, 0.6, 1), (-1, 0, 0), np.inf, None),  # Past the side.
    ],
)
def test_rays_meet_a_capsule(origin, ray, distance, share):
    """A capsule from z = 0 to 2 with radius 0.5.

    Mutations: no caps; the far side; the share not kept between the ends.
    """
    capsule = Capsule(vector(0, 0, 0), vector(0, 0, 2), 0.5, GREY)
    [[found]], [[place]] = meet_capsule(vector(*ray)[None, None], vector(*origin), capsule)
    assert found == pytest.approx(distance, abs=1e-5)
    assert share is None or place == pytest.approx(share, abs=1e-5)


def test_a_ball_is_a_capsule_without_length():
    ball = Capsule(vector(1, 2, 3), vector(1, 2, 3), 0.5, GREY)
    [[distance]], _ = meet_capsule(vector(0, 1, 0)[None, None], vector(1, 0, 3), ball)
    assert distance == pytest.approx(1.5, abs=1e-5)


def test_light_falls_from_where_it_is():
    """Full brightness towards the light, the ambient share away from it."""
    ball = Capsule(vector(1, 2, 3), vector(1, 2, 3), 0.5, GREY)
    lit, unlit = shade(
        np.stack([ball.start + 0.5 * LIGHT, ball.start - 0.5 * LIGHT]),
        np.zeros(2, np.float32),
        ball,
    )
    np.testing.assert_allclose(lit, 100.0, rtol=1e-2)
    np.testing.assert_allclose(unlit, 100.0 * AMBIENT, rtol=1e-5)


def test_a_shadow_lies_away_from_the_light():
    ball = Capsule(vector(0, 0, 1), vector(0, 0, 1), 0.3, GREY)
    below = -LIGHT[:2] / LIGHT[2]
    np.testing.assert_allclose(
        shadow_on_floor(np.stack([below, vector(0, 0), -below])[None], ball),
        [[SHADOW, 0, 0]],
        atol=1e-6,
    )


def test_rays_go_through_the_pixels_that_points_are_projected_to(camera: Camera):
    """A point on a ray is seen where the ray goes.

    Mutations: a row too few; up for down; right for left.
    """
    rays = cast_rays(camera, samples=1)
    assert rays.shape == (40, 60, 3)
    np.testing.assert_allclose(np.linalg.norm(rays, axis=-1), 1.0, atol=1e-6)
    for row, column in ((0, 0), (13, 47), (39, 59)):
        [place], [depth] = project(camera, (camera.position + 3 * rays[row, column])[None])
        np.testing.assert_allclose(place, [column + 0.5, row + 0.5], atol=1e-3)
        assert 2 < depth < 3
    assert rays[0, 30, 2] > 0 > rays[39, 30, 2]
    assert rays[20, 59, 0] > 0 > rays[20, 0, 0]


def test_the_window_holds_all_that_is_seen(camera: Camera):
    """Every ray that meets a capsule is in its window; out of sight it is empty."""
    for start, end in (
        ((0, 0, 1), (0, 0, 1)),
        ((-2, 1, 0.5), (1.4, -1, 1.8)),
        ((1.5, 0, 1), (4, 0, 1)),
    ):
        capsule = Capsule(vector(*start), vector(*end), 0.3, GREY)
        is_met = np.isfinite(
            meet_capsule(cast_rays(camera, samples=1), camera.position, capsule)[0]
        )
        outside = is_met.copy()
        outside[window_of(camera, capsule)] = False
        assert np.any(is_met)
        assert not np.any(outside)
    for place in (vector(0, -6, 1), vector(30, 0, 1), vector(0, 0, 20)):
        rows, columns = window_of(camera, Capsule(place, place, 0.3, GREY))
        assert rows.stop <= rows.start or columns.stop <= columns.start
