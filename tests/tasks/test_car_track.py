"""The road, against recorded tracks of the original and the distribution of their lengths."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hebbax.tasks.car_racing.track import (
    MAX_TILES,
    STRIDE,
    Track,
    _first_equal,
    draw_track,
    pave,
)
from tasks.car_golden import SEEDS, golden_lap, load

NUM_TRACKS = 1000


@pytest.fixture(scope="module")
def tracks() -> Track:
    return jax.jit(jax.vmap(draw_track))(jax.random.split(jax.random.key(0), NUM_TRACKS))


@pytest.mark.device
@pytest.mark.parametrize("seed", SEEDS)
def test_line_is_the_recorded_one(seed: str):
    """All points.

    Wrong by centimetres without compensated sums, by tiles with any rule of the pen changed.
    """
    path, lap = load("car_tracks.npz")[f"{seed}/path"], golden_lap(seed)
    assert bool(lap.is_closed)
    assert int(lap.length) == len(path)
    drawn = jnp.concatenate([lap.angle[:, None], lap.heading[:, None], lap.point], axis=1)[
        : len(path)
    ]
    np.testing.assert_allclose(drawn, path, rtol=0, atol=1e-3)


@pytest.mark.parametrize("seed", SEEDS)
def test_tiles_and_borders_are_the_recorded_ones(seed: str):
    """All quadrilaterals in the order in which the original draws them: a tile, then its border."""
    golden, track = load("car_tracks.npz"), pave(golden_lap(seed))
    border = golden[f"{seed}/border"]
    np.testing.assert_array_equal(track.has_border[: len(border)], border)
    assert not jnp.any(track.has_border[len(border) :])
    drawn = [
        track.corners[kind, tile]
        for tile, is_border in enumerate(border)
        for kind in range(1 + int(is_border))
    ]
    np.testing.assert_allclose(np.stack(drawn), golden[f"{seed}/road_poly"], rtol=0, atol=1e-3)


def test_equal_keys_share_a_track():
    """However keys are mapped, each has its own track, and equal ones have theirs drawn once.

    Mutations: the first key's for all; results in the order of the keys' data.
    """
    keys = jax.random.split(jax.random.key(0), 3)
    index = jnp.asarray([[2, 0], [1, 2], [2, 2], [0, 1]])
    alone = [jax.jit(draw_track)(key) for key in keys]
    mapped = jax.jit(jax.vmap(jax.vmap(draw_track)))(keys[index])
    for place, number in np.ndenumerate(np.asarray(index)):
        assert int(mapped.length[place]) == int(alone[number].length)
        np.testing.assert_allclose(mapped.point[place], alone[number].point, rtol=0, atol=1e-3)
    rows = jnp.asarray([[3, 1], [1, 2], [3, 1], [1, 1], [1, 2], [3, 1]], jnp.uint32)
    assert _first_equal(rows).tolist() == [0, 1, 0, 3, 1, 0]


@pytest.mark.usefixtures("forms_of_accelerators")
def test_several_attempts_at_once_give_the_same_tracks(tracks: Track):
    """An accelerator draws several and keeps the first that closes.

    Mutation: the last of them kept.
    """
    drawn = jax.jit(jax.vmap(draw_track))(jax.random.split(jax.random.key(0), NUM_TRACKS)[:64])
    np.testing.assert_array_equal(drawn.length, tracks.length[:64])
    np.testing.assert_allclose(drawn.point, tracks.point[:64], rtol=0, atol=1e-3)


def test_every_track_is_closed(tracks: Track):
    """Neighbouring points are one stride apart.

    Where the ends meet the original allows one stride to either side of its way, as it measures it.
    """
    last = jax.vmap(lambda points, length: points[length - 1])(tracks.point, tracks.length)
    across = jnp.stack([jnp.cos(tracks.heading[:, 0]), jnp.sin(tracks.heading[:, 0])], axis=1)
    assert jnp.max(jnp.linalg.norm(across * (last - tracks.point[:, 0]), axis=1)) <= STRIDE
    assert jnp.all(tracks.length > 200)
    strides = jnp.linalg.norm(tracks.point[:, 1:] - tracks.point[:, :-1], axis=2)
    is_tile = jnp.arange(1, MAX_TILES)[None] < tracks.length[:, None]
    np.testing.assert_allclose(strides[is_tile], STRIDE, rtol=0, atol=1e-3)


def test_lengths_are_distributed_as_the_originals(tracks: Track):
    """Kolmogorov and Smirnov's test of two samples of 1,000, at a level of 0.001."""
    lengths = np.sort(load("car_tracks.npz")["lengths"])
    ours = np.sort(np.asarray(tracks.length))
    places = np.arange(MAX_TILES + 1)
    distance = (
        np.max(np.abs(np.searchsorted(ours, places) - np.searchsorted(lengths, places)))
        / NUM_TRACKS
    )
    assert distance < 1.949 * np.sqrt(2 / NUM_TRACKS), distance


def test_track_does_not_depend_on_the_batch(tracks: Track):
    """One key alone gives the track that it gives among a thousand.

    Though others were drawn anew meanwhile.
    """
    alone = jax.jit(draw_track)(jax.random.split(jax.random.key(0), NUM_TRACKS)[3])
    assert int(alone.length) == int(tracks.length[3])
    np.testing.assert_allclose(alone.point, tracks.point[3], rtol=0, atol=1e-3)
