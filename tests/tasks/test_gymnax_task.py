"""gymnax's environments as tasks: their own steps, with variations of their parameters."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

gymnax = pytest.importorskip("gymnax")

from gymnax.registration import registered_envs  # noqa: E402

import hebbax  # noqa: E402
from hebbax.tasks import GymnaxTask  # noqa: E402
from hebbax.testing import check_task  # noqa: E402

CLASSIC = ("CartPole-v1", "Pendulum-v1", "Acrobot-v1", "FrozenLake-misc")
# It downloads its pictures when it is made.
WITHOUT = {"MNISTBandit-bsuite"}
HEAVY = {"heavy": {"masspole": 0.5}, "short": {"length": 0.25}}


@pytest.mark.parametrize(
    "name",
    [
        *CLASSIC,
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in sorted({*registered_envs} - {*CLASSIC} - WITHOUT)
        ),
    ],
)
def test_every_registered_environment_is_a_task(name: str):
    """It passes all checks, with the types and ranks that it mixes."""
    check_task(GymnaxTask(name))


@pytest.mark.parametrize("variation", ["default", "heavy", "short"])
def test_steps_are_gymnaxs(variation: str, lenient_promotion: None):
    """Twenty steps of CartPole against gymnax's own, with all parameters of a pole set by hand.

    Mutations: what gymnax computes from a mass or a length stays as it was; the largest output is
    not the action.
    """
    task = GymnaxTask("CartPole-v1", variations=HEAVY)
    env, params = gymnax.make("CartPole-v1")
    mass, length = {"default": (0.1, 0.5), "heavy": (0.5, 0.5), "short": (0.1, 0.25)}[variation]
    params = params.replace(
        masspole=mass, length=length, total_mass=1 + mass, polemass_length=mass * length
    )
    data = task.variations[variation]
    state, observation = jax.jit(task.reset)(jax.random.key(0), data)
    theirs = state.state
    np.testing.assert_allclose(observation, env.get_obs(theirs), rtol=1e-6)
    step = jax.jit(task.step)
    for number in range(20):
        choice = number // 2 % 2
        state, observation, reward, is_end = step(state, jax.nn.one_hot(choice, 2), data)
        _, theirs, their_reward, their_end, _ = env.step_env(
            jax.random.key(number), theirs, choice, params
        )
        np.testing.assert_allclose(observation, env.get_obs(theirs), rtol=1e-4, atol=1e-5)
        assert (float(reward), bool(is_end)) == (float(their_reward), bool(their_end))


def test_an_episode_ends_at_the_environments_limit():
    """A variation may have its own; the task's is the largest.

    Mutation: only what gymnax calls terminated ends an episode.
    """
    task = GymnaxTask("Pendulum-v1", variations={"brief": {"max_steps_in_episode": 3}})
    assert task.max_steps == 200
    ends = []
    state, _ = task.reset(jax.random.key(0), task.variations["brief"])
    for _ in range(4):
        state, _, _, is_end = task.step(state, jnp.zeros(1), task.variations["brief"])
        ends.append(bool(is_end))
    assert ends == [False, False, True, True]


def test_outputs_become_actions():
    """From bound to bound where there are bounds; one of several by the largest, or drawn.

    Mutations: outputs as torques; the same key for every step.
    """
    pendulum = GymnaxTask("Pendulum-v1")
    torques = [
        float(pendulum._action(jax.random.key(0), jnp.full(1, x))[0]) for x in (-3.0, 0.0, 0.5)
    ]
    assert torques == [-2.0, 0.0, 1.0]
    outputs = jnp.asarray([-20.0, 0.0, 0.0])
    assert int(GymnaxTask("Acrobot-v1")._action(jax.random.key(0), outputs)) == 1
    sampled = GymnaxTask("Acrobot-v1", choice="sampled")
    drawn = {int(sampled._action(jax.random.key(seed), outputs)) for seed in range(20)}
    assert drawn == {1, 2}
    state, _ = sampled.reset(jax.random.key(0), sampled.variations["default"])
    after, *_ = sampled.step(state, jnp.zeros(3), sampled.variations["default"])
    assert bool(state.key != after.key)


def config_of(task: Any) -> hebbax.Config:
    return hebbax.Config(
        task=task,
        policy=hebbax.Hebbian(hidden_sizes=(4,)),
        genome=hebbax.Normal(init_scale=0.1),
        strategy=hebbax.ScoreFunction(population_size=4),
        generations=1,
        held_out="short",
    )


def test_a_leave_one_out_run_can_be_read_back(tmp_path: Any):
    """Its configuration is data, and the run trains on what is not held out."""
    config = config_of(GymnaxTask("CartPole-v1", variations=HEAVY))
    result = hebbax.train(config, tmp_path)
    assert list(result.history[0]["returns"]) == ["default", "heavy"]
    assert hebbax.load(tmp_path).config == config
    assert hash(config) == hash(hebbax.Config.load(tmp_path))
    assert [score.variation for score in hebbax.evaluate(tmp_path, 2)] == [
        *("default", "heavy", "short")
    ]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda: GymnaxTask("Cartpole", variations=HEAVY),
            r"'Cartpole', but must be one of gymnax's: CartPole-v1",
        ),
        (
            lambda: GymnaxTask("CartPole-v1", variations={"short": {"pole": 1.0}}),
            r"changes 'pole', but CartPole-v1 has no such number; it has max_steps_in_episode, gra",
        ),
        (
            lambda: GymnaxTask("CartPole-v1", variations={"short": {"total_mass": 1.0}}),
            "changes 'total_mass', but CartPole-v1 has no such number",
        ),
        (
            lambda: GymnaxTask("CartPole-v1", variations={"short": 2.0}),
            "must be a mapping from nam",
        ),
        (lambda: GymnaxTask("CartPole-v1", variations={"short": {"g": "x"}}), "to numbers"),
        (lambda: GymnaxTask("CartPole-v1", variations=["short"]), "must be a mapping from names"),
        (lambda: GymnaxTask("CartPole-v1", choice="best"), "task.choice is 'best'"),
    ],
)
def test_mistakes_are_named_before_anything_is_computed(make: Any, words: str):
    with pytest.raises(ValueError, match=words):
        hebbax.check(config_of(make()))
