"""Car racing as a gymnax environment: gymnax's interface, and episodes that follow each other."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

pytest.importorskip("gymnax")

from hebbax.tasks.car_racing import CarRacing
from hebbax.tasks.gymnax import make_gymnax

ACTION = jnp.array([0.1, 0.3, 0.0])


@pytest.fixture(scope="module")
def made() -> tuple[Any, Any]:
    return make_gymnax("CarRacing", view="state")


def test_steps_are_the_tasks(made: tuple[Any, Any]):
    """Thirty steps in a variation, against the task itself."""
    env, params = made
    task = CarRacing(view="state", is_squashed=False)
    params = params.replace(variation=env.variations["force_west"])
    observation, state = env.reset(jax.random.key(5), params)
    race, expected = jax.jit(task.reset)(jax.random.key(5), task.variations["force_west"])
    np.testing.assert_allclose(observation, expected, atol=1e-6)
    step = jax.jit(task.step)
    for number in range(30):
        observation, state, reward, terminated, truncated, _ = env.step(
            jax.random.key(number), state, ACTION, params
        )
        race, expected, expected_reward, _ = step(race, ACTION, task.variations["force_west"])
        np.testing.assert_allclose(observation, expected, atol=1e-4)
        np.testing.assert_allclose(reward, expected_reward, atol=1e-4)
        assert not bool(terminated)
        assert not bool(truncated)
    assert int(state.time) == 30


@pytest.mark.slow
def test_episodes_follow_each_other(made: tuple[Any, Any]):
    """In a batch of two, one is lost beyond the playfield and one is truncated later.

    Each starts again, on a new track.
    """
    env, params = made
    params = params.replace(max_steps_in_episode=3)
    _, states = jax.vmap(env.reset, in_axes=(0, None))(
        jax.random.split(jax.random.key(0), 2), params
    )
    center = states.race.car.center.at[0].add(1000.0)
    states = states.replace(race=states.race.replace(car=states.race.car.replace(center=center)))
    tracks, ends = [states.race.track.length], []
    for number in range(3):
        keys = jax.random.split(jax.random.key(10 + number), 2)
        observation, states, reward, terminated, truncated, info = jax.vmap(
            env.step, in_axes=(0, 0, 0, None)
        )(keys, states, jnp.stack([ACTION, ACTION]), params)
        tracks.append(states.race.track.length)
        ends.append((terminated.tolist(), truncated.tolist(), states.time.tolist()))
        assert info["final_observation"].shape == observation.shape
        assert jnp.all(jnp.isfinite(reward))
    assert ends == [
        ([True, False], [False, False], [0, 1]),
        ([False, False], [False, False], [1, 2]),
        ([False, False], [False, True], [2, 0]),
    ]
    assert int(tracks[0][0]) != int(tracks[1][0])
    assert int(tracks[0][1]) == int(tracks[2][1]) != int(tracks[3][1])


def test_spaces(made: tuple[Any, Any]):
    """Samples of both spaces are what steps take and give."""
    env, params = made
    action = env.action_space(params).sample(jax.random.key(0))
    assert bool(env.action_space(params).contains(action))
    assert env.observation_space(params).shape == env.task.observation_shape
    assert env.num_actions == 3
    pixels, _ = make_gymnax("CarRacing")
    assert pixels.observation_space(params).shape == (84, 84, 3)


def test_other_names_are_refused():
    with pytest.raises(ValueError, match="name is 'CartPole': choose CarRacing"):
        make_gymnax("CartPole")


@pytest.mark.parametrize("bad", [jnp.nan, jnp.inf])
def test_actions_that_are_not_finite_are_seen(made: tuple[Any, Any], bad: float):
    """They end the episode with a reward that is not a number.

    Mutation: the reward of a driver who does nothing.
    """
    env, params = made
    _, state = env.reset(jax.random.key(0), params)
    _, state, reward, terminated, truncated, info = env.step(
        jax.random.key(1), state, ACTION.at[1].set(bad), params
    )
    assert jnp.isnan(reward)
    assert bool(terminated)
    assert not bool(truncated)
    assert float(info["discount"]) == 0.0
    assert int(state.time) == 0
