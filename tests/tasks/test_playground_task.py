"""Playground's control suite as tasks: its own steps, with variations of its models."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

pytest.importorskip("mujoco_playground")

from mujoco_playground import dm_control_suite

import hebbax
from hebbax.tasks import PlaygroundTask
from hebbax.testing import check_task
from small_run import small_config

HEAVY = {"heavy": {"body_mass": 2.0, "body_inertia": 2.0}, "weak": {"actuator_gear": 0.5}}
TASK = PlaygroundTask("CartpoleBalance", HEAVY, max_steps=4)

pytestmark = pytest.mark.usefixtures("lenient_promotion")


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(dm_control_suite.ALL_ENVS))
def test_every_environment_of_the_suite_is_a_task(name: str):
    """It passes all checks in two variations."""
    check_task(PlaygroundTask(name, {"heavy": HEAVY["heavy"]}))


@pytest.mark.parametrize("variation", ["default", "weak"])
def test_steps_are_playgrounds(variation: str):
    """Three steps of the suite's own environment whose motor was changed by hand.

    Mutations: the default's model for all; functions that an environment has chosen keep theirs.
    """
    env: Any = dm_control_suite.load("CartpoleBalance", config_overrides={"impl": "jax"})
    if variation == "weak":
        env._mjx_model = env._mjx_model.replace(actuator_gear=env._mjx_model.actuator_gear / 2)
    data = TASK.variations[variation]
    with jax.debug_key_reuse(False):
        theirs = jax.jit(env.reset)(jax.random.key_data(jax.random.key(3)))
    state, observation = jax.jit(TASK.reset)(jax.random.key(3), data)
    np.testing.assert_allclose(observation, theirs.obs, rtol=1e-5, atol=1e-6)
    step, their_step = jax.jit(TASK.step), jax.jit(env.step)
    for action in (1.0, -0.5, 0.3):
        theirs = their_step(theirs, jnp.asarray([action]))
        state, observation, reward, is_end = step(state, jnp.asarray([action]), data)
        np.testing.assert_allclose(observation, theirs.obs, rtol=1e-4, atol=1e-5)
        assert (float(reward), bool(is_end)) == (
            pytest.approx(float(theirs.reward), rel=1e-5),
            bool(theirs.done),
        )


def test_what_an_environment_reads_from_its_model_varies():
    """The size of a target is no part of what MuJoCo computes with, but of the environment.

    Mutation: only the compiled model varies.
    """
    task = PlaygroundTask("PointMass", {"large": {"geom_size:target": 2.0}})
    sizes = [
        float(task.variations.world.within(task.variations[name])._target_size)
        for name in ("default", "large")
    ]
    assert sizes[1] == pytest.approx(2 * sizes[0])


def test_chosen_functions_are_those_of_the_variation():
    """CartpoleBalance keeps which of its functions are reset and reward.

    Mutation: they stay those of the default environment.
    """
    inside = TASK.variations.world.within(TASK.variations["weak"])
    assert inside._get_reward.__self__ is inside


@pytest.mark.slow
def test_evolution_lives_in_all_variations_at_once():
    result = hebbax.train(small_config(task=TASK, generations=1, held_out="weak"))
    assert list(result.history[0]["returns"]) == ["default", "heavy"]


def test_it_can_be_drawn():
    shapes = TASK.scene("heavy")
    assert shapes.step_duration == pytest.approx(0.01)
    assert sum(~shapes.is_fixed) >= 2


def test_unknown_environments_are_named():
    with pytest.raises(ValueError, match="must be one of Playground's control suite: Acrobot"):
        PlaygroundTask("Cartpole").observation_shape  # noqa: B018
