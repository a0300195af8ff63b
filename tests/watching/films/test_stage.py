"""Whole pictures: the floor's squares, and what hides what."""

import numpy as np
import pytest

from hebbax.watching.films.camera import Camera, look_at
from hebbax.watching.films.capsules import Capsule
from hebbax.watching.films.stage import (
    DARK_SQUARE,
    LIGHT_SQUARE,
    SKY,
    draw,
    draw_floor,
    set_stage,
)

RED, BLUE = (200, 0, 0), (0, 0, 200)


@pytest.fixture(scope="module")
def camera() -> Camera:
    return look_at(np.array([0.5, -3, 3], np.float32), np.array([0.5, 0.5, 0], np.float32), 60, 80)


def ball(y: float, colour: tuple[int, int, int]) -> Capsule:
    place = np.array([0.5, y, 0.8], np.float32)
    return Capsule(place, place, 0.4, colour)


def test_squares_are_a_metre_wide(camera: Camera):
    """The square in the middle and the next to the right differ.

    A metre to the side they change places, two metres to the side all is as it was.
    """
    pictures = [
        draw_floor(set_stage(camera), camera.at(np.array([0.5 + shift, -3], np.float32)))
        for shift in (0, 1, 2)
    ]
    # 4.6 m away a metre is 17 pixels.
    middle, right = pictures[0][30, 40], pictures[0][30, 40 + 19]
    assert np.linalg.norm(middle - right) > 0.5 * np.linalg.norm(LIGHT_SQUARE - DARK_SQUARE)
    np.testing.assert_allclose(pictures[0], pictures[2], atol=0.1)
    # The two colours change places about their mean, wherever the floor is not faded.
    assert np.linalg.norm(pictures[1][30, 40] - right) < 0.2 * np.linalg.norm(middle - right)


def test_above_the_horizon_is_sky():
    camera = look_at(np.array([0, -3, 1], np.float32), np.array([0, 0, 1], np.float32), 60, 80)
    picture = draw_floor(set_stage(camera), camera)
    np.testing.assert_allclose(picture[:30], np.broadcast_to(SKY, (30, 80, 3)), atol=1e-3)
    assert np.abs(picture[-1] - SKY).max() > 5


@pytest.mark.parametrize("is_red_nearer", [True, False])
def test_what_is_nearer_hides_what_is_farther(camera: Camera, is_red_nearer: bool):
    """Whichever is drawn first. Mutation: painted in the order given."""
    red, blue = (
        ball(-0.5 if is_red_nearer else 0.5, RED),
        ball(0.5 if is_red_nearer else -0.5, BLUE),
    )
    one, other = (
        draw(set_stage(camera), camera, [red, blue]),
        draw(set_stage(camera), camera, [blue, red]),
    )
    np.testing.assert_array_equal(one, other)
    assert (one.shape, one.dtype) == ((60, 80, 3), np.uint8)
    is_red, is_blue = one[..., 0] > one[..., 2] + 50, one[..., 2] > one[..., 0] + 50
    nearer, farther = (is_red, is_blue) if is_red_nearer else (is_blue, is_red)
    assert nearer.sum() > farther.sum() > 0


def test_a_body_throws_a_shadow(camera: Camera):
    with_body, without = (
        draw(set_stage(camera), camera, [ball(0, RED)]).astype(int),
        draw(set_stage(camera), camera, []).astype(int),
    )
    is_floor = with_body[..., 2] > 100
    assert np.sum(is_floor & (with_body[..., 2] < without[..., 2] - 20)) > 20
    assert np.all(with_body[is_floor] <= without[is_floor] + 1)
