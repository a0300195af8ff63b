"""The quadruped as a task.

What it promises to a rollout, how episodes start and end, and which configurations it refuses.
"""

import functools
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hebbax.tasks.quadruped import Quadruped
from hebbax.tasks.quadruped.anatomy import LOWER_LEGS
from hebbax.tasks.quadruped.task import GRACE_STEPS, MAX_STEPS_BACKWARDS

NUM_STEPS = 10


@pytest.fixture(scope="module")
def task() -> Quadruped:
    return Quadruped()


@pytest.fixture(scope="module")
def step(task: Quadruped) -> Callable[..., Any]:
    return jax.jit(task.step)


def live(reset: Callable[..., Any], step: Callable[..., Any], key: jax.Array, body: Any) -> Any:
    """Ten steps under sines after the burn-in.

    The last state, the first observation, and every step's observation and reward.
    """
    state, first = reset(key, body)
    observations, rewards = [], []
    for time in range(NUM_STEPS):
        state, observation, reward, _ = step(state, jnp.sin(time + jnp.arange(8.0)), body)
        observations.append(observation)
        rewards.append(reward)
    return state, first, (np.stack(observations, axis=-2), np.stack(rewards, axis=-1))


@pytest.fixture(scope="module")
def reset(task: Quadruped) -> Callable[..., Any]:
    return jax.jit(task.reset)


@pytest.fixture(scope="module")
def alone(reset: Callable[..., Any], step: Callable[..., Any]) -> Callable[..., Any]:
    return functools.partial(live, reset, step)


@pytest.mark.slow
def test_episodes_in_a_batch_are_those_alone(
    task: Quadruped, reset: Callable[..., Any], step: Callable[..., Any], alone: Callable[..., Any]
):
    """Two individuals in all five bodies at once, under two nested maps, against each by itself.

    The burn-in's fall and ten steps at full torque let the last digit of a float32 grow; wrong
    bodies or keys differ in the first.
    """
    keys = jax.random.split(jax.random.key(0), 2)
    bodies = jax.tree.map(lambda *leaves: jnp.stack(leaves), *task.variations.values())
    # Mapping what is jitted already saves tracing Brax once more.
    reset_all = jax.jit(jax.vmap(jax.vmap(reset, (None, 0)), (0, None)))
    step_all = jax.jit(jax.vmap(jax.vmap(step, (0, None, 0)), (0, None, None)))
    state, first, (observations, rewards) = live(reset_all, step_all, keys, bodies)
    assert observations.shape == (2, 5, NUM_STEPS, *task.observation_shape)
    assert jnp.all(jnp.isfinite(observations))
    for individual, key in enumerate(keys):
        for index, body in enumerate(task.variations.values()):
            one_state, one_first, (one_observations, one_rewards) = alone(
                jax.random.clone(key), body
            )
            np.testing.assert_allclose(first[individual, index], one_first, rtol=0, atol=5e-3)
            np.testing.assert_allclose(
                observations[individual, index], one_observations, rtol=0, atol=2e-2
            )
            np.testing.assert_allclose(rewards[individual, index], one_rewards, rtol=0, atol=2e-2)
            np.testing.assert_allclose(
                state.physics.q[individual, index], one_state.physics.q, rtol=0, atol=1e-2
            )


def test_episodes_follow_from_their_key(task: Quadruped, alone: Callable[..., Any]):
    """The same key gives the same bits, another key another start."""
    body = task.variations["default"]
    first, again, other = (alone(jax.random.key(seed), body)[1] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.max(np.abs(first - other)) > 1e-3


def test_burn_in_ends_standing_and_unscored(task: Quadruped, alone: Callable[..., Any]):
    """The body has come to rest on its feet, and counts its steps from there."""
    state, observation, _ = alone(jax.random.key(3), task.variations["default"])
    assert 0.3 < 0.75 + observation[0] < 0.4
    assert np.max(np.abs(observation[3:6])) < 0.03
    np.testing.assert_array_equal(observation[24:], 1.0)
    assert state.num_steps == NUM_STEPS


@pytest.mark.parametrize("field", ["height", "backwards"])
def test_early_endings_wait_for_the_grace(
    task: Quadruped, step: Callable[..., Any], alone: Callable[..., Any], field: str
):
    """A fallen body, or one going backwards, lives through policy step 200 and not beyond."""
    body = task.variations["default"]
    state, _, _ = alone(jax.random.key(4), body)
    if field == "height":
        state = state.replace(
            physics=state.physics.replace(q=state.physics.q.at[2].set(0.2)),
            num_backwards=jnp.int32(0),
        )
    else:
        # Centre a metre ahead of the body: this step's progress is negative.
        state = state.replace(
            center=state.center + jnp.array([1.0, 0.0]),
            num_backwards=jnp.int32(MAX_STEPS_BACKWARDS),
        )
    for num_steps, is_end in ((GRACE_STEPS - 1, False), (GRACE_STEPS, True)):
        _, _, reward, done = step(state.replace(num_steps=jnp.int32(num_steps)), jnp.zeros(8), body)
        assert bool(done) == is_end
    assert (reward < 0) == (field == "backwards") or field == "height"


def test_steps_backwards_count_in_a_row(
    task: Quadruped, step: Callable[..., Any], alone: Callable[..., Any]
):
    """A step forwards starts the count anew, and so do all steps of the grace."""
    body = task.variations["default"]
    state, _, _ = alone(jax.random.key(5), body)
    ahead, behind = jnp.array([1.0, 0.0]), jnp.array([-1.0, 0.0])
    for offset, num_steps, expected in (
        (ahead, GRACE_STEPS, 8),
        (behind, GRACE_STEPS, 0),
        (ahead, GRACE_STEPS - 1, 0),
    ):
        changed = state.replace(
            center=state.center + offset, num_steps=jnp.int32(num_steps), num_backwards=jnp.int32(7)
        )
        after, _, _, _ = step(changed, jnp.zeros(8), body)
        assert after.num_backwards == expected


def test_the_last_step_ends_a_episode(
    task: Quadruped, step: Callable[..., Any], alone: Callable[..., Any]
):
    body = task.variations["default"]
    state, _, _ = alone(jax.random.key(6), body)
    for num_steps, is_end in ((task.max_steps - 2, False), (task.max_steps - 1, True)):
        _, _, _, done = step(state.replace(num_steps=jnp.int32(num_steps)), jnp.zeros(8), body)
        assert bool(done) == is_end
    assert task.max_steps == 960


def test_actions_beyond_one_are_one(
    task: Quadruped, step: Callable[..., Any], alone: Callable[..., Any]
):
    body = task.variations["default"]
    state, _, _ = alone(jax.random.key(7), body)
    np.testing.assert_array_equal(
        step(state, jnp.full(8, 7.0), body)[1], step(state, jnp.ones(8), body)[1]
    )


def test_specifications_compare_by_their_fields():
    assert Quadruped() == Quadruped()
    assert hash(Quadruped()) == hash(Quadruped())
    assert Quadruped() != Quadruped(body="brax")


@pytest.mark.parametrize("variation_set", ["paper", "reference", "najarro"])
def test_variations_stack(variation_set: Any):
    variations = Quadruped(variation_set=variation_set).variations
    assert tuple(variations) == tuple(LOWER_LEGS[variation_set])
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *variations.values())
    np.testing.assert_allclose(stacked.lower_legs, list(LOWER_LEGS[variation_set].values()))


@pytest.mark.parametrize(
    ("field", "value", "allowed"),
    [
        ("body", "ant", "bullet, brax"),
        ("variation_set", "all", "paper, reference, najarro"),
        ("burn_in_steps", -1, "0 or more"),
        ("episode_steps", 40, "more than the 40"),
    ],
)
def test_bad_configurations_are_refused(field: str, value: Any, allowed: str):
    """Errors name the field, what was given and what is allowed."""
    with pytest.raises(ValueError, match=rf"{field}.*{value}.*{allowed}"):
        Quadruped(**{field: value})


def test_threads_that_load_the_physics_leave_stdout_alone():
    """In a process of its own, which has not loaded it yet.

    What one redirects meanwhile the other must not put back for good.
    """
    program = """
import threading
import hebbax
tasks = [hebbax.Quadruped(body=body) for body in ("bullet", "brax")]
threads = [threading.Thread(target=lambda task=task: task.variations) for task in tasks]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("heard")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=100, check=True
    )
    assert done.stdout == "heard\n"
