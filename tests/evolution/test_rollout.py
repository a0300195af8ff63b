import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hebbax import platforms
from hebbax.evolution import episode
from hebbax.evolution.episode import Setup
from hebbax.evolution.rollout import (
    SEGMENT,
    rollout_chunk,
    rollout_chunk_on_cpu,
    rollout_population,
)
from hebbax.policies.hebbian import Hebbian
from small_task import NEVER, Cart, stacked

POPULATION = 5
POLICY = Hebbian(hidden_sizes=(3,))
# Three variations: one lives all 13 steps (no multiple of a segment), one ends with step 7, one
# breaks in step 4.
TASK = Cart(max_steps=13, last_steps=(NEVER, 7, NEVER), broken_steps=(NEVER, NEVER, 4))
SETUP = Setup(TASK, POLICY)


def keys():
    return jax.random.split(jax.random.key(1), POPULATION)


def genotypes():
    shapes = SETUP.genotype_shape
    return jax.tree.map(
        lambda leaf: 0.3 * jax.random.normal(jax.random.key(leaf.size), (POPULATION, *leaf.shape)),
        shapes,
    )


def run(chunk_size=None):
    setup = Setup(TASK, POLICY, chunk_size=chunk_size)
    function = jax.jit(
        lambda keys, genotypes: rollout_population(setup, (), keys, genotypes, stacked(TASK))
    )
    return function(keys(), genotypes())


@pytest.fixture(scope="module")
def outcome():
    return run()


@pytest.fixture(scope="module")
def alone():
    """An episode by itself: one step at a time, one individual, one variation.

    The states before each step and the last one.
    """
    reset = jax.jit(
        lambda key, genotype, variation: episode.reset(SETUP, (), key, genotype, variation)
    )

    @jax.jit
    def step(state, genotype, variation):
        action, memory = episode.act(SETUP, (), genotype, state.memory, state)
        return episode.step(SETUP, (), state.replace(memory=memory), action, variation)

    def run_alone(individual, i, num_steps):
        genotype = jax.tree.map(lambda leaf: leaf[individual], genotypes())
        variation = list(TASK.variations.values())[i]
        states = [reset(jax.random.fold_in(keys()[individual], i), genotype, variation)]
        for _ in range(num_steps):
            states.append(step(states[-1], genotype, variation))
        return states

    return run_alone


@pytest.mark.parametrize("is_shared", [False, True])
def test_a_cpus_form_gives_the_numbers_of_the_plain_one(is_shared):
    """Individuals who act in slices have the returns and the steps of those who act together.

    Mutations: slices in another order; the memory of the first slice for all.
    """
    inherited = jax.tree.map(lambda leaf: leaf[0], genotypes()) if is_shared else genotypes()
    plain, on_cpu = (
        jax.jit(
            lambda keys, genotypes, rollout=rollout: rollout(
                SETUP, (), keys, genotypes, stacked(TASK), is_shared=is_shared
            )
        )(keys(), inherited)
        for rollout in (rollout_chunk, rollout_chunk_on_cpu)
    )
    np.testing.assert_array_equal(plain.num_steps, on_cpu.num_steps)
    np.testing.assert_allclose(plain.returns, on_cpu.returns, rtol=0, atol=1.3e-5)
    np.testing.assert_allclose(plain.mean_square, on_cpu.mean_square, rtol=1e-6)


def test_individuals_who_inherit_the_same_need_one_copy(outcome):
    """One genotype for all is as many copies of it, also in chunks. Mutation: its first axis."""
    first = jax.tree.map(lambda leaf: leaf[0], genotypes())
    copies = jax.tree.map(lambda leaf: jnp.stack([leaf] * POPULATION), first)
    for chunk_size in (None, 2):
        setup = Setup(TASK, POLICY, chunk_size=chunk_size)
        shared = rollout_population(setup, (), keys(), first, stacked(TASK), is_shared=True)
        copied = rollout_population(setup, (), keys(), copies, stacked(TASK))
        np.testing.assert_array_equal(shared.num_steps, copied.num_steps)
        np.testing.assert_allclose(shared.returns, copied.returns, rtol=0, atol=1.3e-5)


def test_a_episode_in_a_batch_equals_the_same_alone(outcome, alone):
    """Every individual in every variation has the fitness and the steps that it has by itself.

    Mutations: one key for all variations; axes of vmap swapped.
    """
    for individual in range(POPULATION):
        for i in range(3):
            states = alone(individual, i, 13)
            last = next(state for state in states if bool(state.is_over))
            assert int(outcome.num_steps[individual, i]) == int(last.num_steps)
            # Thirteen rewards of at most one; a step's error of 1e-7 grows with the steps by less
            # than tenfold.
            np.testing.assert_allclose(
                outcome.returns[individual, i], last.returns, rtol=0, atol=1.3e-5
            )


def test_episodes_end_when_they_should(outcome):
    """All 13 steps, step 7, step 4, or before that where the cart leaves the track.

    Mutations: whole segments; `>` max_steps; the last step not counted.
    """
    assert outcome.returns.shape == outcome.num_steps.shape == (POPULATION, 3)
    limits = np.asarray([13, 7, 4])
    num_steps = np.asarray(outcome.num_steps)
    assert np.all(num_steps <= limits)
    np.testing.assert_array_equal(num_steps.max(axis=0), limits)


def test_a_reward_that_is_not_finite_ends_a_episode_and_stays_visible(outcome):
    """The broken variation's fitness is NaN from step 4 on, the others' is finite.

    Mutations: nansum; the NaN not ending the episode.
    """
    is_broken = np.asarray(outcome.num_steps[:, 2]) == 4
    assert np.any(is_broken)
    np.testing.assert_array_equal(np.isnan(outcome.returns[:, 2]), is_broken)
    assert np.all(np.isfinite(outcome.returns[:, :2]))


def test_what_has_ended_stays_as_it_is(alone):
    """After its end, fitness, memory and number of steps do not change by a bit.

    Mutation: memory or fitness not frozen.
    """
    states = alone(0, 1, 12)
    ends = [bool(state.is_over) for state in states]
    assert ends == sorted(ends)
    assert 0 < ends.index(True) < 10
    ended = states[ends.index(True)]
    for later in states[ends.index(True) + 1 :]:
        for one, other in zip(
            jax.tree.leaves((ended.returns, ended.memory, ended.num_steps)),
            jax.tree.leaves((later.returns, later.memory, later.num_steps)),
            strict=True,
        ):
            np.testing.assert_array_equal(one, other)


def test_memory_learns_until_the_last_step(alone):
    """While an episode lasts the weights change in every step. Mutation: the old memory kept."""
    states = alone(0, 0, 3)
    for before, after in itertools.pairwise(states):
        assert not np.array_equal(before.memory.weights[0], after.memory.weights[0])


@pytest.mark.parametrize("chunk_size", [2, 3, 7])
def test_chunks_do_not_change_numbers(outcome, chunk_size):
    """Two and three do not divide the population of five, seven is more than all.

    Mutations: the rest dropped; the last individual's outcomes misplaced.
    """
    chunked = run(chunk_size)
    assert chunked.returns.shape == (POPULATION, 3)
    np.testing.assert_array_equal(chunked.num_steps, outcome.num_steps)
    np.testing.assert_allclose(chunked.returns, outcome.returns, rtol=0, atol=1.3e-5)


def test_the_same_key_is_the_same_life():
    """Individuals with the same key and genotype live the same.

    Each variation has its own random numbers. Mutation: fold in the individual's place.
    """
    genotype = jax.tree.map(lambda leaf: jnp.stack([leaf[0]] * 2), genotypes())
    variation = TASK.variations["medium"]
    three_alike = jax.tree.map(lambda leaf: jnp.stack([leaf] * 3), variation)
    twins = jnp.stack([jax.random.key(3)] * 2)
    outcome = rollout_population(SETUP, (), twins, genotype, three_alike)
    np.testing.assert_array_equal(outcome.returns[0], outcome.returns[1])
    assert len(np.unique(outcome.returns[0])) == 3


class StubbornCart:
    """A cart that takes an action that is not finite for none."""

    def __getattr__(self, name):
        return getattr(TASK, name)

    def step(self, state, action, variation):
        return TASK.step(state, jnp.where(jnp.isfinite(action), action, 0.0), variation)


def test_an_action_that_is_not_finite_ends_a_episode_and_stays_visible(outcome):
    """Whose rules are not numbers acts not finitely from the second step on, and fails there.

    The others live as always.

    Mutation: without the rollout's rule it lives on as one that does nothing.
    """
    broken = jax.tree.map(lambda leaf: leaf.at[2].set(jnp.nan), genotypes())
    setup = Setup(StubbornCart(), POLICY)
    found = rollout_population(setup, (), keys(), broken, stacked(TASK))
    assert np.all(np.isnan(found.returns[2]))
    assert np.all(np.asarray(found.num_steps[2]) <= 2)
    others = np.asarray([0, 1, 3, 4])
    np.testing.assert_array_equal(found.num_steps[others], outcome.num_steps[others])
    np.testing.assert_allclose(found.returns[others], outcome.returns[others], rtol=0, atol=1.3e-5)


class CountingCart:
    """A cart that counts the steps its program really takes, all episodes together."""

    def __init__(self, cart):
        self.cart = cart
        self.num_steps = 0

    def __getattr__(self, name):
        return getattr(self.cart, name)

    def step(self, state, action, variation):
        jax.debug.callback(self._count, state.step)
        return self.cart.step(state, action, variation)

    def _count(self, step):
        self.num_steps += np.size(step)


def test_a_batch_ends_with_its_last_episode():
    """Episodes of at most three of 10,000 steps take one segment, those of twelve take two.

    Mutation: a scan of max_steps.
    """
    for last_step, num_segments in ((3, 1), (12, 2)):
        task = CountingCart(Cart(max_steps=10_000, last_steps=(2, 2, last_step)))
        still = jax.tree.map(jnp.zeros_like, genotypes())
        outcome = rollout_population(Setup(task, POLICY), (), keys(), still, stacked(task.cart))
        jax.effects_barrier()
        assert int(jnp.max(outcome.num_steps)) == last_step
        assert task.num_steps == num_segments * SEGMENT * POPULATION * 3


class DoubledEachStep:
    """An encoding whose genotypes are halves, doubled whenever they are read."""

    def __init__(self, reads_each_step):
        self.reads_each_step = reads_each_step

    def wire(self, key, parameters):
        del key, parameters
        return jnp.asarray(2.0)

    def genotype_shape(self, parameters):
        return parameters

    def express(self, parameters, wiring, genotype):
        del parameters
        return genotype if self.reads_each_step else _times(wiring, genotype)

    def read(self, parameters, wiring, kept):
        del parameters
        return _times(wiring, kept) if self.reads_each_step else kept


def _times(factor, tree):
    return jax.tree.map(lambda leaf: factor * leaf, tree)


@pytest.mark.parametrize("can_read_each_step", [False, True])
@pytest.mark.parametrize("reads_each_step", [False, True])
@pytest.mark.parametrize("rollout", [rollout_chunk, rollout_chunk_on_cpu])
def test_an_encoding_stands_between_genotype_and_network(
    outcome, can_read_each_step, reads_each_step, rollout, monkeypatch
):
    """Halves that are doubled, once or in every step, are the whole, and cost what it costs.

    Hardware that reads once has an encoding that can read in every step read once.

    Mutations: the genotype acts; the penalty of the genotype; the wiring of another run; a
    phenotype that is read again.
    """
    sizes = platforms.CPU._replace(reads_each_step=reads_each_step)
    monkeypatch.setattr(platforms, "CPU", sizes)
    setup = Setup(TASK, POLICY, DoubledEachStep(can_read_each_step))
    assert setup.reads_each_step == (can_read_each_step and reads_each_step)
    found = jax.jit(
        lambda keys, halves: rollout(setup, jnp.asarray(2.0), keys, halves, stacked(TASK))
    )(keys(), _times(0.5, genotypes()))
    np.testing.assert_array_equal(found.num_steps, outcome.num_steps)
    np.testing.assert_allclose(found.returns, outcome.returns, rtol=0, atol=1.3e-5)
    np.testing.assert_allclose(found.mean_square, outcome.mean_square, rtol=1e-6)


def test_a_policy_sees_the_reward_of_the_step_before():
    """The first reward it sees is 0, then those that the task gave, one step late.

    Mutations: the reward of the same step; a sum.
    """

    class Watching(Hebbian):
        def act(self, phenotype, memory, observation, reward):
            weights, seen = memory
            action, weights = super().act(phenotype, weights, observation, reward)
            return action, (weights, jnp.roll(seen, 1).at[0].set(reward))

        def reset(self, key, phenotype):
            return super().reset(key, phenotype), jnp.full(4, jnp.nan)

    genotype = jax.tree.map(lambda leaf: leaf[0], genotypes())
    trajectory = episode.rollout_trajectory(
        Setup(TASK, Watching(hidden_sizes=(3,))),
        (),
        jax.random.key(3),
        genotype,
        TASK.variations["light"],
        keep=lambda state: state.memory[1],
        num_steps=4,
    )
    np.testing.assert_array_equal(trajectory.kept[3], [*trajectory.rewards[:3][::-1], 0.0])
