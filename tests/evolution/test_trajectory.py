"""An episode whose steps are kept, with and without a lesion."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hebbax.evolution.episode import EpisodeState, Setup, Trajectory, rollout_trajectory
from hebbax.evolution.rollout import Outcome, rollout_population
from hebbax.policies.hebbian import Hebbian
from hebbax.watching.lesion import Lesion, damage
from small_task import NEVER, Cart, stacked

POLICY = Hebbian(hidden_sizes=(3,))
TASK = Cart(max_steps=13, last_steps=(NEVER, 7, NEVER), broken_steps=(NEVER, NEVER, 4))
SETUP = Setup(TASK, POLICY)
NAMES = ("light", "medium", "heavy")


def genotype() -> Any:
    return jax.tree.map(
        lambda leaf: 0.3 * jax.random.normal(jax.random.key(leaf.size), leaf.shape),
        SETUP.genotype_shape,
    )


def trajectory_of(name: str, lesion: Lesion | None = None, **options: Any) -> Trajectory:
    key = jax.random.fold_in(jax.random.key(1), NAMES.index(name))

    def hurt(state: EpisodeState) -> EpisodeState:
        return state if lesion is None else damage(lesion, POLICY, state)

    function = jax.jit(
        lambda key, genotype, variation: rollout_trajectory(
            SETUP, (), key, genotype, variation, before_step=hurt, **options
        )
    )
    return function(key, genotype(), TASK.variations[name])


def weights_of(state: EpisodeState) -> Any:
    return state.memory.weights


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    alone = jax.tree.map(lambda leaf: leaf[None], genotype())
    return jax.jit(
        lambda keys, genotypes: rollout_population(SETUP, (), keys, genotypes, stacked(TASK))
    )(jax.random.key(1)[None], alone)


@pytest.fixture(scope="module")
def intact() -> Trajectory:
    return trajectory_of("light", keep=weights_of)


@pytest.mark.parametrize("name", NAMES)
def test_a_trajectory_is_the_episode_of_a_rollout(outcome: Outcome, name: str):
    """Rewards add up to `rollout_population`'s returns, NaN included, and it ends where that does.

    Thirteen rewards of at most one; a step's error of 1e-7 grows with the steps by less than
    tenfold. Mutations: rewards after the end counted; another key.
    """
    i = NAMES.index(name)
    trajectory = trajectory_of(name)
    np.testing.assert_allclose(
        jnp.sum(trajectory.rewards), outcome.returns[0, i], rtol=0, atol=1.3e-5
    )
    num_steps = int(outcome.num_steps[0, i])
    assert trajectory.num_steps() == num_steps
    np.testing.assert_array_equal(trajectory.is_over, np.arange(1, 14) >= num_steps)
    np.testing.assert_array_equal(trajectory.rewards[num_steps:], 0.0)
    np.testing.assert_array_equal(trajectory.kept.step, np.arange(1, 14))


def test_what_is_kept_is_chosen():
    """A function of the life, which sees the fitness so far; as many steps as asked for.

    Mutation: it sees the step's own reward.
    """
    trajectory = trajectory_of(
        "light", keep=lambda state: (state.returns, state.num_steps), num_steps=5
    )
    returns, num_steps = trajectory.kept
    np.testing.assert_array_equal(num_steps, np.arange(1, 6))
    np.testing.assert_allclose(returns, np.cumsum(trajectory.rewards), rtol=0, atol=5e-6)


@pytest.mark.parametrize("layer", [0, 1])
def test_a_lesion_empties_its_layer_at_its_step(intact: Trajectory, layer: int):
    """Before it nothing differs by a bit.

    With it the layer holds what one update makes of zeros, the other goes on as it was.

    The episode in the light variation lasts all steps, so the lesion in step 4 is lived.
    Mutations: a step earlier or later; the layer's update lost.
    """
    step = 4
    injured = trajectory_of("light", keep=weights_of, lesion=Lesion(layer, step))
    for one, other in zip(intact.kept, injured.kept, strict=True):
        np.testing.assert_array_equal(one[:step], other[:step])
    rules = genotype().rules[layer]
    # One update of an empty layer is at most eta (|A| + |B| + |C| + |D|), for activations and
    # senses here are at most 1.2.
    most = jnp.abs(rules[0]) * 1.44 * jnp.sum(jnp.abs(rules[1:]), axis=0)
    assert jnp.all(jnp.abs(injured.kept[layer][step]) <= most)
    assert jnp.any(injured.kept[layer][step] != 0.0)
    assert jnp.any(jnp.abs(intact.kept[layer][step]) > most)
    assert not np.array_equal(intact.rewards[step:], injured.rewards[step:])
    np.testing.assert_array_equal(intact.rewards[:step], injured.rewards[:step])


def test_nobody_is_injured_after_the_end():
    """The episode in the medium variation ends with step 7; its memory stays.

    Mutation: a lesion in step 7 of an episode that is over.
    """
    intact, injured = (
        trajectory_of("medium", keep=weights_of, lesion=lesion) for lesion in (None, Lesion(0, 7))
    )
    assert int(jnp.sum(~intact.is_over)) == 6
    for one, other in zip(intact.kept, injured.kept, strict=True):
        np.testing.assert_array_equal(one, other)
