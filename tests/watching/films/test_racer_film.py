"""The racer on film: the road and the policy's view beside it."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hebbax.evolution.episode import EpisodeState
from hebbax.tasks.car_racing import CarRacing
from hebbax.watching.films import racer
from hebbax.watching.films.racer import GAP, WORDS, RacerScene
from hebbax.watching.films.scene import Footage


def state_of(state: Any, observation: jax.Array) -> EpisodeState:
    """The middle of an episode, of which scenes look at no more."""
    nothing = jnp.zeros(())
    return EpisodeState(
        state=state,
        observation=observation,
        reward=nothing,
        memory=(),
        returns=nothing,
        num_steps=jnp.int32(0),
        is_over=jnp.asarray(False),
    )


@pytest.fixture(scope="module")
def filmed() -> tuple[RacerScene, Footage]:
    """The start of a race, kept twice."""
    scene = RacerScene(CarRacing(view_size=24), scale=2)
    body = scene.task.variations["default"]
    kept = jax.jit(lambda key: scene.keep(state_of(*scene.task.reset(key, body))))(
        jax.random.key(0)
    )
    twice = tuple(np.stack([np.asarray(pictures)] * 2) for pictures in kept)
    return scene, Footage(
        kept=twice, rewards=np.array([3.0, -0.5], np.float32), shown=(0, 1), title="here"
    )


def test_both_pictures_are_there(
    filmed: tuple[RacerScene, Footage], monkeypatch: pytest.MonkeyPatch
):
    """The frame on the left, the view in the middle on the right, twice as large.

    Pixel by pixel; even sides.

    Mutations: one left out; smoothed.
    """
    words = []
    monkeypatch.setattr(racer, "write", lambda picture, *texts: words.append(texts) or picture)
    scene, footage = filmed
    frame, view = (pictures[0] for pictures in footage.kept)
    assert (frame.shape, view.shape) == ((96, 96, 3), (24, 24, 3))
    assert len(np.unique(frame.reshape(-1, 3), axis=0)) > 5
    film = list(scene.draw(footage))
    assert len(film) == 2
    assert film[0].shape == (192 + 2 * WORDS, 192 + 48 + 3 * GAP, 3)
    top = WORDS + (192 - 48) // 2
    np.testing.assert_array_equal(film[0][WORDS : WORDS + 192 : 2, GAP : GAP + 192 : 2], frame)
    np.testing.assert_array_equal(
        film[0][WORDS + 1 : WORDS + 192 : 2, GAP + 1 : GAP + 192 : 2], frame
    )
    np.testing.assert_array_equal(
        film[0][top : top + 48 : 2, 192 + 2 * GAP : 192 + 2 * GAP + 48 : 2], view
    )
    assert words == [
        ("here", "step 1   0.0 s   score 3.0", ""),
        ("here", "step 2   0.0 s   score 2.5", ""),
    ]


def test_the_view_is_what_the_policy_sees(filmed: tuple[RacerScene, Footage]):
    """Each pixel of the view is the mean of 4 x 4 of the frame, to half a step of rounding.

    Mutation: the frame resized to look alike.
    """
    frame, view = (pictures[0].astype(float) for pictures in filmed[1].kept)
    np.testing.assert_allclose(view, frame.reshape(24, 4, 24, 4, 3).mean(axis=(1, 3)), atol=0.51)


def test_sides_are_even(filmed: tuple[RacerScene, Footage]):
    """For any size of view, since H.264 wants it."""
    scene = RacerScene(CarRacing(view_size=17), scale=1)
    frame = filmed[1].kept[0][0]
    picture = scene._arrange([frame, frame[:17, :17]])
    assert all(side % 2 == 0 for side in picture.shape[:2])


def test_numbers_have_no_second_picture(filmed: tuple[RacerScene, Footage]):
    scene = RacerScene(CarRacing(view="state"), scale=1)
    body = scene.task.variations["default"]
    kept = jax.eval_shape(
        lambda key: scene.keep(state_of(*scene.task.reset(key, body))), jax.random.key(0)
    )
    assert [leaf.shape for leaf in kept] == [(96, 96, 3)]
