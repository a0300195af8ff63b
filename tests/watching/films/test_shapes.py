"""Tasks that say how they look, on film: what is drawn, where the camera looks, what is written."""

import dataclasses
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from hebbax.tasks import Shapes
from hebbax.watching.films import shapes as module
from hebbax.watching.films.film import scene_of
from hebbax.watching.films.scene import Footage
from hebbax.watching.films.shapes import ShapesScene
from small_task import Cart

RED, GREY = (220, 20, 20), (120, 120, 120)


def two_shapes(**changes: Any) -> Shapes:
    """A ball that moves, and a long thin rail that does not."""
    return dataclasses.replace(
        Shapes(
            step_duration=0.1,
            place=lambda state: jnp.zeros((2, 2, 3)),
            radii=np.array([0.2, 0.02]),
            colours=np.array([RED, GREY], np.uint8),
            is_fixed=np.array([False, True]),
        ),
        **changes,
    )


def places(way: tuple[float, ...], height: float = 0.5) -> np.ndarray:
    """Where both capsules are while the ball, half a metre long, goes along x."""
    kept = np.zeros((len(way), 2, 2, 3), np.float32)
    kept[:, 0, :, 0] = np.asarray(way)[:, None]
    kept[:, 0, 0, 2], kept[:, 0, 1, 2] = height, height + 0.5
    kept[:, 1, :, 0] = [-9, 9]
    return kept


@pytest.fixture(autouse=True)
def words(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """What is written, which is left out of the pictures."""
    written: list[tuple[str, ...]] = []
    monkeypatch.setattr(module, "write", lambda picture, *texts: written.append(texts) or picture)
    return written


def draw(kept: np.ndarray, shapes: Shapes | None = None) -> list[np.ndarray]:
    rewards = np.arange(1, len(kept) + 1, dtype=np.float32)
    footage = Footage(kept=kept, rewards=rewards, shown=range(len(kept)), title="here")
    return list(ShapesScene(shapes or two_shapes(), size=(120, 160)).draw(footage))


def red(picture: np.ndarray) -> np.ndarray:
    """Where a picture shows the ball."""
    red, green, _ = np.moveaxis(picture.astype(int), -1, 0)
    return red > 2 * green


def test_the_camera_stays_beside_what_moves():
    """It is drawn in the middle wherever it is. Mutation: the mean of all capsules."""
    first, last = (picture for picture in draw(places((5.0,) * 12 + (8.0,) * 12))[::23])
    for picture in (first, last):
        assert red(picture).sum() > 200
        np.testing.assert_allclose(np.argwhere(red(picture)).mean(axis=0), [60, 80], atol=12)
    assert np.mean(red(first) != red(last)) < 0.01


def test_what_is_small_is_drawn_as_large(words: list[tuple[str, ...]]):
    """Squares are as wide as what moves, or a little less, and it is written how wide.

    Mutation: squares of a metre.
    """
    large, small = places((0.0,)), places((0.0,))
    small[:] *= 0.1
    pictures = [
        draw(large)[0],
        draw(small, two_shapes(radii=np.array([0.02, 0.002])))[0],
    ]
    assert np.mean(red(pictures[0]) != red(pictures[1])) < 0.01
    assert [line[1] for line in words] == [
        "step 1   0.1 s   return 1.0   (squares: 0.5 m)",
        "step 1   0.1 s   return 1.0   (squares: 0.05 m)",
    ]


def test_the_floor_is_where_it_is_said_to_be():
    """Beneath all that moves if nothing is said, so that height in the air does not show.

    Mutation: a floor at 0.
    """
    low, high = (draw(places((0.0,), height))[0] for height in (0.5, 3.0))
    np.testing.assert_allclose(low, high, atol=2)
    apart = draw(places((0.0,)), two_shapes(floor=-1.0))[0]
    assert np.abs(apart.astype(int) - low).max() > 20


def test_lengths_are_rounded_down():
    assert [module._round_length(length) for length in (0.0, 0.75, 1.0, 1.99, 2.5, 70.0)] == [
        *(1.0, 0.5, 1.0, 1.0, 2.0, 50.0)
    ]


@dataclasses.dataclass(frozen=True)
class SeenCart(Cart):
    """A cart that says how it looks."""

    def scene(self, variation: str) -> Any:
        return two_shapes() if variation == "light" else "a cart"


def test_a_task_of_ones_own_is_filmed():
    """By its function `scene`. Mutation: hebbax's own tasks alone."""
    scene = scene_of(SeenCart(), "light")
    assert isinstance(scene, ShapesScene)
    assert scene.step_duration == 0.1
    with pytest.raises(ValueError, match=r"task.scene returns a str, but must return hebbax.tasks"):
        scene_of(SeenCart(), "heavy")
