"""Brax's viewer: the page holds the true body, where our own bones are."""

import base64
import json
import re
import zlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hebbax.tasks.quadruped.anatomy import ANKLE_SIGNS, LOWER_LEGS, place_skeleton
from hebbax.tasks.quadruped.viewer import show_in_browser

LEGS = LOWER_LEGS["paper"]["long_front_legs"]


@pytest.fixture(scope="module")
def poses() -> np.ndarray:
    """Two poses, turned and bent."""
    q = np.array(jax.random.uniform(jax.random.key(0), (2, 15), minval=-0.4, maxval=0.4))
    q[:, 3] = 1.0
    q[:, 3:7] /= np.linalg.norm(q[:, 3:7], axis=1, keepdims=True)
    q[:, 8::2] += 0.8 * ANKLE_SIGNS
    return q


@pytest.fixture(scope="module")
def page(poses: np.ndarray) -> str:
    return show_in_browser(poses, jnp.asarray(LEGS), 0.05, "legs < arms")


@pytest.fixture(scope="module")
def shown(page: str) -> dict[str, Any]:
    [packed] = re.findall(r'var system = "(.*)";', page)
    return json.loads(zlib.decompress(base64.b64decode(packed)))


def test_the_body_has_its_own_legs(shown: dict[str, Any]):
    """Half the lengths of the capsules, of which lower legs are not 0.2.

    Mutation: the base body.
    """
    halves = sorted(
        geom["size"][1]
        for geoms in shown["geoms"].values()
        for geom in geoms
        if geom["name"] == "Capsule"
    )
    np.testing.assert_allclose(
        halves, np.sqrt(2) / 2 * np.array(sorted([0.2] * 8 + list(LEGS))), atol=1e-5
    )


def test_the_viewer_and_our_skeleton_agree(shown: dict[str, Any], poses: np.ndarray):
    """Torso, hips and knees are where Brax has them, and feet a leg's length from the knees.

    Mutations: legs in another order; a turned sign.
    """
    assert len(shown["states"]["x"]) == 2
    for q, x in zip(poses, shown["states"]["x"], strict=True):
        skeleton = place_skeleton(jnp.asarray(q), jnp.asarray(LEGS))
        places = np.asarray(x["pos"])
        np.testing.assert_allclose(places[0], skeleton.torso, atol=1e-5)
        np.testing.assert_allclose(places[1::2], skeleton.hips, atol=1e-5)
        np.testing.assert_allclose(places[2::2], skeleton.knees, atol=1e-5)
        np.testing.assert_allclose(
            jnp.linalg.norm(skeleton.feet - skeleton.knees, axis=1),
            np.sqrt(2) * np.array(LEGS),
            atol=1e-5,
        )
        # The viewer turns each lower leg's capsule, which lies along x and y of its link.
        ends = [
            place + _turn(rot, [length * sx, length * sy, 0])
            for place, rot, length, (sx, sy) in zip(
                places[2::2],
                np.asarray(x["rot"])[2::2],
                LEGS,
                [(1, 1), (-1, 1), (-1, -1), (1, -1)],
                strict=True,
            )
        ]
        np.testing.assert_allclose(ends, skeleton.feet, atol=1e-5)


def test_the_page_says_its_title_and_keeps_time(shown: dict[str, Any], page: str):
    assert "<title>legs &lt; arms</title>" in page
    assert shown["opt"]["timestep"] == pytest.approx(0.05)


def _turn(quaternion: np.ndarray, vector: list[float]) -> np.ndarray:
    """A vector turned by a quaternion (w, x, y, z)."""
    w, axis = quaternion[0], quaternion[1:]
    across = np.cross(axis, vector)
    return np.asarray(vector) + 2 * (w * across + np.cross(axis, across))
