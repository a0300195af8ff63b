"""A film from a run: which episode, which steps, and what is refused.

The scene is a cart's, drawn as its step in grey.
"""

import dataclasses
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import hebbax
from film_files import decode
from hebbax.watching.films import film as module
from hebbax.watching.films.film import render, scene_of
from hebbax.watching.films.quadruped import QuadrupedScene
from hebbax.watching.films.racer import RacerScene
from hebbax.watching.lesion import Lesion
from small_run import small_config
from small_task import NEVER, Cart


class CartScene:
    """Sees every step.

    A step takes a sixtieth of a second, so that a film shows every second one.
    """

    step_duration = 1 / 60

    def __init__(self):
        self.footage: list[Any] = []

    def keep(self, state):
        return state.state.position, state.memory.weights

    def draw(self, footage):
        self.footage.append(footage)
        for step in footage.shown:
            yield np.full((16, 16, 3), 15 * step, np.uint8)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "carts"
    hebbax.train(small_config(generations=1), folder)
    return folder


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> CartScene:
    scene = CartScene()
    monkeypatch.setattr(module, "scene_of", lambda task, variation: scene)
    return scene


def test_a_film_shows_the_episode_to_its_end(run: Path, scene: CartScene):
    """Every second of its steps, in the run's folder, marked if held out.

    Mutations: max_steps for all; the last step lost; every step shown.
    """
    assert render(run, "heavy") == run / "films" / "heavy.mp4"
    [footage] = scene.footage
    position, _ = footage.kept
    assert len(position) == len(footage.rewards) <= 13
    # 1 - |position| / 1.2 is the cart's reward; beyond 1.2 its episode ends, else all 13 steps are
    # lived.
    np.testing.assert_allclose(footage.rewards, 1 - np.abs(position) / 1.2, rtol=0, atol=1e-5)
    assert np.all(np.abs(position[:-1]) <= 1.2)
    assert len(position) == 13 or abs(position[-1]) > 1.2
    assert footage.title == "heavy (held out)"
    decoded, facts = decode(run / "films" / "heavy.mp4")
    assert facts["fps"] == 30
    np.testing.assert_allclose(
        [picture.mean() for picture in decoded], 15 * np.arange(0, len(position), 2), atol=4
    )


def test_the_seed_and_the_genome_decide_who_lives(run: Path, scene: CartScene, tmp_path: Path):
    """The same seed is the same episode, another one another, and a sample is not the mode."""
    for options in ({}, {}, {"seed": 1}, {"is_sampled": True}):
        render(run, "light", tmp_path / "a.gif", format="gif", num_steps=4, **options)
    one, again, other, sampled = (footage.kept for footage in scene.footage)
    np.testing.assert_array_equal(one[0], again[0])
    assert one[0][0] != other[0][0]
    assert not np.array_equal(one[1][0][-1], sampled[1][0][-1])
    assert len(one[0]) == 4
    assert scene.footage[0].title == "light"


def test_a_lesion_is_lived_and_told(run: Path, scene: CartScene, tmp_path: Path):
    for lesion in (None, Lesion(1, 2)):
        render(run, "light", tmp_path / "a.gif", format="gif", num_steps=4, lesion=lesion)
    intact, injured = scene.footage
    np.testing.assert_array_equal(intact.kept[1][1][:2], injured.kept[1][1][:2])
    assert np.linalg.norm(injured.kept[1][1][2]) < 0.5 * np.linalg.norm(intact.kept[1][1][2])
    assert [injured.damage_at(step) for step in (1, 2)] == ["", "layer 1 set to zero at step 2"]
    assert intact.damage_at(3) == ""


@pytest.mark.parametrize("broken_step", [1, 3])
def test_what_is_not_finite_is_not_drawn(
    run: Path, scene: CartScene, tmp_path: Path, broken_step: int
):
    """A film ends before the step whose reward is NaN; there is none if that is the first.

    Mutation: a picture of NaNs.
    """
    result = hebbax.load(run)
    config = small_config(task=Cart(broken_steps=(broken_step, NEVER, NEVER)))
    broken = dataclasses.replace(result, config=config)
    if broken_step == 1:
        with pytest.raises(
            ValueError, match="the episode in light has no step whose reward is finite"
        ):
            render(broken, "light", tmp_path / "a.gif", format="gif")
    else:
        render(broken, "light", tmp_path / "a.gif", format="gif")
        assert len(scene.footage[0].rewards) == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"variation": "feather"},
            "variation is 'feather', but must be one of the task's: light, medium, heavy",
        ),
        ({"format": "html"}, "format is 'html', but must be mp4 or gif, or for Quadruped html"),
        ({"num_steps": 0}, "steps is 0, but must be from 1 to the 13 of an episode"),
        ({"num_steps": 14}, "steps is 14, but must be from 1 to the 13 of an episode"),
        (
            {"lesion": Lesion(2, 0)},
            "lesion.layer is 2, but must be one of the policy's plastic layers: 0, 1",
        ),
        (
            {"lesion": Lesion(0, 5), "num_steps": 5},
            "lesion.step is 5, but must be below the 5 steps of the film",
        ),
        ({"output": "film.gif"}, "output is film.gif, but must end in .mp4, the format"),
    ],
)
def test_what_cannot_be_filmed_is_refused(
    run: Path, scene: CartScene, options: dict[str, Any], words: str
):
    with pytest.raises(ValueError, match=words.replace("(", r"\(")):
        render(run, **{"variation": "light", **options})
    assert scene.footage == []


def test_unknown_formats_are_refused(scene: CartScene):
    with pytest.raises(ValueError, match="format is 'avi', but must be mp4 or gif"):
        module._check(small_config(), "light", "avi", None, None)


def test_other_mistakes_are_refused(run: Path, tmp_path: Path):
    """A task of one's own, and a folder that is no run."""
    with pytest.raises(
        ValueError,
        match="the run's task is Cart, which hebbax cannot draw; films are of Quadruped, CarRacing "
        "and tasks with a function scene",
    ):
        render(run, "light")
    with pytest.raises(ValueError, match="is no run"):
        render(tmp_path, "light")


def test_results_need_an_output_and_lesions_a_plastic_layer(
    run: Path, scene: CartScene, tmp_path: Path
):
    result = hebbax.load(run)
    with pytest.raises(ValueError, match="output is None, but must be a file"):
        render(result, "light")
    static = small_config(policy=hebbax.Static(hidden_sizes=(3,)))
    genome = static.genome.init(jax.random.key(0), static.policy.parameters(static.task))
    with pytest.raises(ValueError, match="no plastic layers"):
        render(
            dataclasses.replace(result, config=static, genome=genome),
            "light",
            tmp_path / "a.gif",
            format="gif",
            lesion=Lesion(0, 0),
        )


def test_tasks_have_their_scenes():
    assert isinstance(scene_of(hebbax.CarRacing(), "default"), RacerScene)
    scene = scene_of(hebbax.Quadruped(body="brax"), "long_front_legs")
    assert isinstance(scene, QuadrupedScene)
    np.testing.assert_allclose(scene.lower_legs, [0.6, 0.4, 0.4, 0.6])
    assert scene.step_duration == 0.05
