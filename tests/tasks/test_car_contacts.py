"""Which wheels touch which tiles, against Box2D's recorded contacts and by hand."""

import jax.numpy as jnp
import numpy as np
import pytest

from hebbax.tasks.car_racing.contacts import find_contacts
from hebbax.tasks.car_racing.dynamics import WHEEL_HALF_WIDTH, Car, place_car
from hebbax.tasks.car_racing.track import FAR_AWAY, MAX_TILES, Track
from tasks.car_golden import RUNS, drive_all, load


def road_of(*tiles: np.ndarray) -> Track:
    """A road of given tiles, without borders."""
    corners = (
        jnp.full((2, MAX_TILES, 4, 2), FAR_AWAY)
        .at[0, : len(tiles)]
        .set(jnp.asarray(np.stack(tiles), jnp.float32))
    )
    return Track(
        point=jnp.full((MAX_TILES, 2), FAR_AWAY),
        heading=jnp.zeros(MAX_TILES),
        corners=corners,
        middle=jnp.mean(corners, axis=2),
        has_border=jnp.zeros(MAX_TILES, bool),
        length=jnp.int32(len(tiles)),
    )


def rectangle(left: float, right: float, bottom: float, top: float) -> np.ndarray:
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)])


def wheel_at(x: float, y: float, angle: float = 0.0) -> Car:
    """A car whose front left wheel is at a place, its other wheels far below."""
    car = place_car(jnp.zeros(2), jnp.zeros(()))
    center = jnp.full((5, 2), -50.0).at[0].set(0.0).at[1].set(jnp.array([x, y]))
    return car.replace(center=center, angle=car.angle.at[1].set(angle))


@pytest.mark.parametrize("run", RUNS)
def test_tiles_are_the_recorded_ones(run: str):
    """Visited tiles at every step, and the tiles under each wheel.

    But for one step in 300, where a wheel comes to within float32's roundings of a tile.
    """
    golden, drive = load("car_trajectories.npz"), drive_all()
    index = RUNS.index(run)
    visited = jnp.sum(drive.races.is_visited[index], axis=1)
    np.testing.assert_array_equal(visited, golden[f"{run}/visited"])
    assert (
        np.sum(np.any(np.asarray(drive.num_tiles[index]) != golden[f"{run}/num_tiles"], axis=1))
        <= 1
    )


@pytest.mark.parametrize(
    ("gap", "touches"), [(-0.1, True), (0.0, True), (0.019, True), (0.021, False), (1.0, False)]
)
def test_skins_touch(gap: float, touches: bool):
    """A wheel beside a tile touches it up to 2 cm away: each has a skin of 1 cm."""
    road = road_of(rectangle(-10.0, 10.0, 0.0, 3.0))
    contacts = find_contacts(wheel_at(10.0 + WHEEL_HALF_WIDTH + gap, 1.0), road)
    assert bool(jnp.any(contacts.is_touched[0])) == touches
    assert not jnp.any(contacts.is_touched[1:])


def test_wheel_turned_by_an_eighth_reaches_farther():
    """Its corner touches, where its centre's distance and its unturned sides would not tell."""
    road = road_of(rectangle(-10.0, 10.0, 0.0, 3.0))
    assert not jnp.any(find_contacts(wheel_at(10.5, 1.0), road).is_touched)
    assert jnp.any(find_contacts(wheel_at(10.5, 1.0, np.pi / 4), road).is_touched)


def test_crossing_roads_are_both_touched():
    """Two stretches of nine tiles each that cross under the wheel."""
    along = [rectangle(-6.67, 6.67, 3.5 * number, 3.5 * (number + 1)) for number in range(-4, 5)]
    across = [rectangle(3.5 * number, 3.5 * (number + 1), -6.67, 6.67) for number in range(-4, 5)]
    contacts = find_contacts(wheel_at(1.0, 1.5), road_of(*along, *across))
    touched = {
        int(tile)
        for tile, is_touched in zip(contacts.tiles, contacts.is_touched[0], strict=True)
        if is_touched
    }
    assert touched == {4, 9 + 4}
