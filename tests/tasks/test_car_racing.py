"""The racer as a task.

What it promises to a rollout, its rewards and endings, and which configurations it refuses.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hebbax import testing
from hebbax.tasks.car_racing import CarRacing
from hebbax.tasks.car_racing.dynamics import STEP, hull_position
from hebbax.tasks.car_racing.task import SIDE_FORCE, Race
from hebbax.tasks.car_racing.track import MAX_TILES, PLAYFIELD
from tasks.car_golden import RUNS, drive_all, load

FULL_GAS = jnp.array([0.0, 1.0, 0.0])
IDLE = jnp.zeros(3)


@pytest.fixture(scope="module")
def task() -> CarRacing:
    return CarRacing(view="state", is_squashed=False)


@pytest.fixture(scope="module")
def step(task: CarRacing) -> Callable[..., Any]:
    return jax.jit(task.step)


@pytest.fixture(scope="module")
def start(task: CarRacing) -> Race:
    return jax.jit(task.reset)(jax.random.key(0), task.variations["default"])[0]


def moved(race: Race, way: jax.Array) -> Race:
    """A race whose car was set elsewhere."""
    return race.replace(car=race.car.replace(center=race.car.center + way[None]))


@pytest.mark.slow
def test_task_conforms(task: CarRacing):
    """Shapes, data types, vmap and determinism.

    Operation by operation and compiled it is the same race. Mutation: another step while it is
    traced.
    """
    testing.check_task(task)


@pytest.mark.parametrize("size", [84, 7])
def test_pixels_have_their_shape(size: int):
    """In the first observation and in every later one."""
    task = CarRacing(view_size=size)
    variation = task.variations["default"]
    race, view = jax.eval_shape(task.reset, jax.random.key(0), variation)
    assert task.observation_shape == view.shape == (size, size, 3)
    assert jax.eval_shape(task.step, race, IDLE, variation)[1] == view


@pytest.mark.parametrize("run", RUNS)
def test_rewards_are_the_recorded_ones(run: str):
    """At every step, also those after the race was lost beyond the playfield."""
    rewards = drive_all().rewards[RUNS.index(run)]
    np.testing.assert_allclose(
        rewards[1:], load("car_trajectories.npz")[f"{run}/reward"][1:], rtol=1e-5, atol=1e-4
    )


@pytest.mark.slow
def test_races_do_not_depend_on_the_batch(task: CarRacing):
    """Fifty steps of a key alone, and among three keys in all five variations under two maps."""
    actions = jnp.stack([0.3 * jnp.sin(jnp.arange(50.0)), jnp.full(50, 0.4), jnp.zeros(50)], axis=1)

    @jax.jit
    def live(key: jax.Array, variation: Any) -> tuple[jax.Array, jax.Array]:
        def advance(race: Race, action: jax.Array) -> tuple[Race, jax.Array]:
            race, observation, reward, _ = task.step(race, action, variation)
            return race, jnp.concatenate([observation, reward[None]])

        race, _ = task.reset(key, variation)
        return jax.lax.scan(advance, race, actions)[1]

    variations = jax.tree.map(lambda *leaves: jnp.stack(leaves), *task.variations.values())
    together = jax.jit(jax.vmap(jax.vmap(live, (None, 0)), (0, None)))(
        jax.random.split(jax.random.key(3), 3), variations
    )
    key = jax.random.split(jax.random.key(3), 3)[1]
    alone = live(key, task.variations["force_west"])
    np.testing.assert_allclose(together[1, 3], alone, rtol=0, atol=1e-4)
    # The pushed cars part from the others.
    assert np.abs(together[1, 3] - together[1, 4]).max() > 0.01


def test_no_host_callbacks(task: CarRacing):
    """Everything is one XLA program, pixels included."""
    pixels = CarRacing()
    for each in (task, pixels):
        traced = jax.make_jaxpr(
            lambda key, each=each: each.step(
                each.reset(key, each.variations["default"])[0], IDLE, each.variations["default"]
            )
        )
        assert "callback" not in str(traced(jax.random.key(0)))


def test_first_reward_pays_for_the_start(task: CarRacing, step: Callable[..., Any], start: Race):
    """The wheels stand on two tiles.

    Standing still then costs a tenth a step, until patience ends.
    """
    variation = task.variations["default"]
    race, _, reward, done = step(start, IDLE, variation)
    np.testing.assert_allclose(reward, 2000.0 / int(race.track.length) - 0.1, rtol=1e-5)
    for number in range(20):
        assert not bool(done), number
        race, _, reward, done = step(race, IDLE, variation)
        np.testing.assert_allclose(reward, -0.1, rtol=1e-5)
    assert bool(done)


def test_patience_is_optional(start: Race):
    """The original's races go on for ever, this one to its last step."""
    task = CarRacing(view="state", patience=None, episode_steps=30, is_squashed=False)
    step = jax.jit(task.step)
    race, ends = start, []
    for _ in range(30):
        race, _, _, done = step(race, IDLE, task.variations["default"])
        ends.append(bool(done))
    assert ends == 29 * [False] + [True]


@pytest.mark.parametrize("side", [-1.0, 1.0])
@pytest.mark.parametrize("axis", [0, 1])
def test_race_ends_beyond_the_playfield(
    side: float, axis: int, task: CarRacing, step: Callable[..., Any], start: Race
):
    """By the place of the hull's origin, in x and y; for -100 instead of any other reward."""
    border = jnp.zeros(2).at[axis].set(side * PLAYFIELD)
    for beyond, is_lost in ((-0.5, False), (0.5, True)):
        way = border + jnp.zeros(2).at[axis].set(side * beyond) - hull_position(start.car)
        _, _, reward, done = step(moved(start, way), IDLE, task.variations["default"])
        assert bool(done) == is_lost
        assert (float(reward) == -100.0) == is_lost


def test_race_ends_with_the_last_tile(task: CarRacing, step: Callable[..., Any], start: Race):
    """When a single tile is left, and the car gets onto it."""
    is_tile = jnp.arange(MAX_TILES) < start.track.length
    here = jnp.flatnonzero(start.is_visited)[1]
    all_but_one = start.replace(
        is_visited=is_tile.at[here].set(False), num_paid=start.track.length - 1
    )
    race, _, reward, done = step(all_but_one, IDLE, task.variations["default"])
    assert bool(done)
    np.testing.assert_allclose(reward, 1000.0 / int(race.track.length) - 0.1, rtol=1e-4)
    far_away = moved(all_but_one, jnp.array([-100.0, -100.0]))
    assert not bool(step(far_away, IDLE, task.variations["default"])[3])


@pytest.mark.parametrize(("share", "is_end"), [(0.5, True), (0.7, False), (None, False)])
def test_lap_ends_on_the_first_tile(share: float | None, is_end: bool, start: Race):
    """With six of ten tiles visited, by coming onto the first tile; not by standing on it."""
    task = CarRacing(view="state", lap_complete_percent=share, is_squashed=False)
    step = jax.jit(task.step)
    is_tile = jnp.arange(MAX_TILES) < start.track.length
    visited = is_tile & (jnp.arange(MAX_TILES) % 10 < 6)
    standing = start.replace(is_visited=visited, is_on_start=jnp.ones(4, bool))
    coming = start.replace(is_visited=visited, is_on_start=jnp.zeros(4, bool))
    assert not bool(step(standing, IDLE, task.variations["default"])[3])
    assert bool(step(coming, IDLE, task.variations["default"])[3]) == is_end


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ((-7.0, 0.5, 0.2), (-1.0, 0.5, 0.2)),
        ((0.1, 3.0, -2.0), (0.1, 1.0, 0.0)),
        ((jnp.nan, 1.0, 0.0), (0.0, 1.0, 0.0)),
        ((jnp.inf, -jnp.inf, jnp.nan), (0.0, 0.0, 0.0)),
    ],
)
def test_bad_actions_are_cut(given, meant, task: CarRacing, step: Callable[..., Any], start: Race):
    """What is too large is cut to the action's range.

    What is not finite moves the car as zero would. Mutation: a car without a place.
    """
    variation = task.variations["default"]
    race, observation, _, _ = step(start, jnp.array(given), variation)
    expected, expected_observation, _, _ = step(start, jnp.array(meant), variation)
    np.testing.assert_array_equal(observation, expected_observation)
    np.testing.assert_array_equal(race.car.rolling, expected.car.rolling)


def test_numbers_are_squashed(step: Callable[..., Any], start: Race):
    """By itself the car takes tanh for steering, sigmoids for gas and brake; no number is cut.

    Mutation: tanh for all.
    """
    task = CarRacing(view="state")
    variation, numbers = task.variations["default"], jnp.array([0.7, 3.0, -2.0])
    controls = [np.tanh(0.7), 1 / (1 + np.exp(-3.0)), 1 / (1 + np.exp(2.0))]
    race = jax.jit(task.step)(start, numbers, variation)[0]
    expected = step(start, jnp.array(controls), variation)[0]
    np.testing.assert_allclose(race.car.rolling, expected.car.rolling, rtol=1e-5)
    np.testing.assert_allclose(race.car.velocity, expected.car.velocity, rtol=1e-4, atol=1e-6)


def test_pushes_go_west_and_east(task: CarRacing, step: Callable[..., Any], start: Race):
    """A car that stands still is given its push times the step, unseen by its tyres."""
    for name, sign in (("force_west", -1.0), ("force_east", 1.0)):
        race, _, _, _ = step(start, IDLE, task.variations[name])
        still, _, _, _ = step(start, IDLE, task.variations["default"])
        gained = race.car.velocity[0] - still.car.velocity[0]
        np.testing.assert_allclose(
            gained, [sign * SIDE_FORCE * STEP / 7.302, 0.0], rtol=0.02, atol=0.02
        )


def test_state_view_sees_the_road_ahead(task: CarRacing, start: Race):
    """Points seven metres apart, the first at the car, ahead of it on a straight start.

    At rest, its speeds are zero.
    """
    seen = np.asarray(jax.jit(task.step)(start, IDLE, task.variations["default"])[1])
    ahead = 50.0 * seen[24:].reshape(12, 2)
    np.testing.assert_allclose(np.linalg.norm(np.diff(ahead, axis=0), axis=1), 7.0, rtol=0.05)
    assert np.all(np.diff(ahead[:, 1])[:4] > 5.0)
    assert np.linalg.norm(ahead[0]) < 3.5
    np.testing.assert_allclose(seen[4:7], 0.0, atol=0.02)
    np.testing.assert_array_equal(seen[16:20], 1.0)


def test_frame_is_the_view_in_bytes(start: Race):
    """At the frame's own size the view is the frame, from 0 to 1."""
    task = CarRacing(view_size=96)
    race, view, _, _ = jax.jit(task.step)(start, FULL_GAS, task.variations["default"])
    frame = jax.jit(task.frame)(race)
    assert frame.dtype == jnp.uint8
    np.testing.assert_allclose(255 * view, frame.astype(jnp.float32), rtol=0, atol=1e-3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"view": "sound"}, "view is 'sound', but must be one of pixels, state"),
        ({"view_size": 0}, "view_size is 0, but must be 1 or more"),
        ({"view_size": -84}, "view_size is -84"),
        ({"variation_set": "mars"}, "variation_set is 'mars', but must be one of paper, reference"),
        ({"episode_steps": 0}, "episode_steps is 0"),
        ({"patience": 0}, "patience is 0"),
        ({"lap_complete_percent": 95.0}, "lap_complete_percent is 95.0"),
    ],
)
def test_bad_configurations_are_refused(options: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        CarRacing(**options)
