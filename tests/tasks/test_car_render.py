"""What the driver sees, against recorded frames of the original."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hebbax.tasks.car_racing.render import (
    PANEL,
    draw_frame,
    draw_view,
    resize_by_indices,
    resize_by_slices,
)
from hebbax.tasks.car_racing.track import pave
from tasks.car_golden import RUNS, SEEDS, drive_all, golden_lap, load

RECORDED = [run for run in RUNS if run in load("car_frames.npz")]
SCORE = (slice(96 - PANEL, 96), slice(0, 16))


@pytest.fixture(scope="module")
def frames() -> dict[str, np.ndarray]:
    """Our frames of all recorded runs at the recorded steps."""
    races, steps = drive_all().races, load("car_frames.npz")["steps"]
    roads = {seed: pave(golden_lap(seed)) for seed in SEEDS}
    draw = jax.jit(jax.vmap(draw_frame, in_axes=(0, None, 0, 0)))
    drawn = {}
    for run in RECORDED:
        car, is_visited = jax.tree.map(
            lambda leaf, run=run: leaf[RUNS.index(run), steps], (races.car, races.is_visited)
        )
        drawn[run] = np.asarray(
            draw(car, roads[run[:5]], is_visited, jnp.asarray(0.02 * (steps + 1), jnp.float32))
        )
    return drawn


def is_road(frames: np.ndarray) -> np.ndarray:
    """Grey pixels above the panel."""
    field = frames[:, :-PANEL].astype(int)
    return (np.ptp(field, axis=-1) == 0) & (field[..., 0] >= 95) & (field[..., 0] < 115)


@pytest.mark.device
@pytest.mark.parametrize("run", RECORDED)
def test_pixels_are_the_recorded_ones(run: str, frames: dict[str, np.ndarray]):
    """At least 99.8% of the pixels of every frame within 8 of 255.

    What is left lies on edges of polygons.
    """
    golden = load("car_frames.npz")[run]
    is_same = np.all(np.abs(frames[run].astype(int) - golden.astype(int)) <= 8, axis=-1)
    is_same[:, *SCORE] = True
    assert np.min(np.mean(is_same, axis=(1, 2))) > 0.998
    assert np.min(np.mean(is_same[:, -PANEL:], axis=(1, 2))) > 0.995


@pytest.mark.parametrize("run", RECORDED)
def test_roads_are_the_recorded_ones(run: str, frames: dict[str, np.ndarray]):
    """Intersection over union of the road's pixels, zoomed out, zooming in and near."""
    ours, golden = is_road(frames[run]), is_road(load("car_frames.npz")[run])
    assert np.all(np.sum(ours & golden, axis=(1, 2)) >= 0.99 * np.sum(ours | golden, axis=(1, 2)))


@pytest.mark.parametrize("size", [84, 96, 32, 90])
def test_view_is_the_mean_over_areas(size: int):
    """Against a frame whose pixels were split into as many equal parts as both sizes need."""
    races = jax.tree.map(
        lambda leaf: leaf[RUNS.index("seed0/f1_s0/full_sin"), 100], drive_all().races
    )
    road, time = pave(golden_lap("seed0")), jnp.float32(2.02)
    view = jax.jit(draw_view, static_argnums=4)(races.car, road, races.is_visited, time, size)
    frame = (
        np.asarray(jax.jit(draw_frame)(races.car, road, races.is_visited, time), np.float64) / 255
    )
    parts = np.lcm(size, 96)
    split = frame.repeat(parts // 96, axis=0).repeat(parts // 96, axis=1)
    each = parts // size
    expected = split.reshape(size, each, size, each, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(view, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("size", [96, 84, 50, 32, 24])
def test_both_ways_to_resize_agree(size: int):
    """Random colours; to the last digits, for the order of sums differs.

    Mutation: an axis' weights moved by one.
    """
    frame = jax.random.randint(jax.random.key(0), (96, 96), 0, 2**24)
    np.testing.assert_allclose(
        resize_by_indices(frame, size), resize_by_slices(frame, size), rtol=0, atol=1e-6
    )
