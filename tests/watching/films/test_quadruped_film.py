"""The quadruped on film: its own legs, where they are, and what is written."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from hebbax.tasks.quadruped.anatomy import ANKLE_SIGNS, LOWER_LEGS
from hebbax.watching.films import quadruped
from hebbax.watching.films.quadruped import CHANGED, LOWER, QuadrupedScene
from hebbax.watching.films.scene import Footage

STEPS = 3


def footage(**changes: Any) -> Footage:
    q = np.zeros((STEPS, 15), np.float32)
    q[:, 0], q[:, 2], q[:, 3] = [0.0, 0.5, 1.0], 0.6, 1.0
    q[:, 8::2] = 0.8 * ANKLE_SIGNS
    return Footage(
        kept=q, rewards=np.full(STEPS, 10.0, np.float32), shown=(0, 2), title="here"
    )._replace(**changes)


def pictures(variation: str, **changes: Any) -> list[np.ndarray]:
    scene = QuadrupedScene(
        jnp.asarray(LOWER_LEGS["paper"][variation]), step_duration=0.05, size=(120, 160)
    )
    return list(scene.draw(footage(**changes)))


def num_pixels(picture: np.ndarray, colour: tuple[int, int, int]) -> int:
    """Pixels of a colour, however bright it is."""
    hue = np.array(colour) / np.linalg.norm(colour)
    lengths = np.linalg.norm(picture.astype(float), axis=-1)
    return int(np.sum((picture @ hue > 0.99 * lengths) & (lengths < 1.2 * np.linalg.norm(colour))))


@pytest.fixture(autouse=True)
def words(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """What is written, which is left out of the pictures."""
    written: list[tuple[str, ...]] = []
    monkeypatch.setattr(
        quadruped, "write", lambda picture, *texts: written.append(texts) or picture
    )
    return written


def test_a_longer_leg_is_drawn_longer():
    """Pixels of changed lower legs: none, few of one leg of 0.1, many of two of 0.6.

    Mutation: a base body drawn for all variations.
    """
    default, damaged, long = (
        pictures(name)[0] for name in ("default", "damaged_front_right", "long_front_legs")
    )
    assert num_pixels(default, CHANGED) == 0
    assert 0 < 6 * num_pixels(damaged, CHANGED) < num_pixels(long, CHANGED)
    assert num_pixels(default, LOWER) > num_pixels(damaged, LOWER) > num_pixels(long, LOWER) > 0


def test_the_camera_follows_the_body():
    """A body that stands a metre farther is drawn where it was, in the middle.

    The squares have changed places. Mutation: a camera that stays.
    """
    here, there = (footage().kept * (np.arange(15) > 1) + np.eye(15)[0] * shift for shift in (0, 1))
    first, second = (pictures("default", kept=q.astype(np.float32))[0] for q in (here, there))
    assert first.shape == (120, 160, 3)
    is_body, is_body_there = (np.sum(picture, axis=-1) < 400 for picture in (first, second))
    # What stands on the edges of the body is mixed with the floor.
    assert np.mean(is_body != is_body_there) < 0.02 < np.mean(is_body)
    np.testing.assert_allclose(np.argwhere(is_body).mean(axis=0), [60, 80], atol=15)
    assert np.mean(np.abs(first[~is_body].astype(int) - second[~is_body])) > 3


def test_words_tell_step_speed_way_and_damage(words: list[tuple[str, ...]]):
    """Three steps of 0.05 s at 10 m/s.

    Mutations: steps counted from 0; the damage told of from the start.
    """
    pictures("default", damage="ouch", damage_step=1)
    assert words == [
        ("here", "step 1   0.1 s   +10.00 m/s   +0.5 m   (squares: 1 m)", ""),
        ("here", "step 3   0.2 s   +10.00 m/s   +1.5 m   (squares: 1 m)", "ouch"),
    ]
