"""The goal that pays is not seen, and the reward tells of it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hebbax.tasks import HiddenGoal
from hebbax.testing import check_task


def test_it_is_a_task():
    check_task(HiddenGoal())


def test_rewards_tell_of_the_goal_that_observations_hide():
    """Of many episodes each goal pays about as often; at the start nobody sees which.

    A step towards it brings as much reward as way. Mutations: the same goal always; a goal in the
    observation; the reward of the place before.
    """
    task = HiddenGoal(num_goals=4)
    distance = task.variations["far"]
    states, seen = jax.vmap(task.reset, (0, None))(
        jax.random.split(jax.random.key(0), 400), distance
    )
    assert np.unique(seen, axis=0).tolist() == [[0.0, 0.0, 1.0]]
    angles, counts = np.unique(
        np.round(np.arctan2(states.goal[:, 1], states.goal[:, 0]), 3), return_counts=True
    )
    assert len(angles) == 4
    assert np.all(np.abs(counts - 100) < 45)
    np.testing.assert_allclose(np.linalg.norm(states.goal, axis=1), 1.3, rtol=1e-6)
    state = jax.tree.map(lambda leaf: leaf[0], states)
    towards = state.goal / distance
    rewards = []
    for _ in range(2):
        state, place, reward, is_end = task.step(state, towards, distance)
        rewards.append(float(reward))
    np.testing.assert_allclose(rewards, [1 - 1.15, 1 - 1.0], atol=1e-5)
    np.testing.assert_allclose(place[:2], 0.3 * towards, atol=1e-6)
    assert not bool(is_end)


def test_walls_and_the_last_step():
    """Nobody leaves, whatever the action, and the last step is the last."""
    task = HiddenGoal(episode_steps=3)
    state, _ = task.reset(jax.random.key(0), task.variations["default"])
    state = state.replace(position=jnp.asarray([1.45, 0.0]))
    ends = []
    for _ in range(3):
        state, place, _, is_end = task.step(state, jnp.asarray([9.0, 0.0]), jnp.float32(1))
        ends.append(bool(is_end))
    assert place[0] == 1.5
    assert ends == [False, False, True]


@pytest.mark.parametrize(("field", "value"), [("num_goals", 1), ("episode_steps", 0)])
def test_mistakes_are_named(field: str, value: int):
    with pytest.raises(ValueError, match=f"task.{field} is {value}"):
        HiddenGoal(**{field: value})
