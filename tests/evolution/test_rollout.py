import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hebbax.evolution.generation import rollout
from hebbax.policies.hebbian import Hebbian
from small_task import NEVER, Cart, stacked

POPULATION = 5
POLICY = Hebbian(hidden_sizes=(3,))
# Three variations: one lives all 13 steps (no multiple of a segment), one ends with step 7, one
# breaks in step 4.
TASK = Cart(max_steps=13, last_steps=(NEVER, 7, NEVER), broken_steps=(NEVER, NEVER, 4))


def keys():
    return jax.random.split(jax.random.key(1), POPULATION)


def genotypes():
    shapes = POLICY.genotype_shape(TASK)
    return jax.tree.map(
        lambda leaf: 0.3 * jax.random.normal(jax.random.key(leaf.size), (POPULATION, *leaf.shape)),
        shapes,
    )


def live(chunk_size=None, task=TASK):
    function = jax.jit(
        lambda keys, genotypes: rollout.live(
            task, POLICY, keys, genotypes, stacked(task), chunk_size
        )
    )
    return function(keys(), genotypes())


@pytest.fixture(scope="module")
def outcomes():
    return live()


@pytest.fixture(scope="module")
def alone():
    """A lifetime by itself: one step at a time, one individual, one variation.

    The lives before each step and the last one.
    """
    begin = jax.jit(
        lambda key, genotype, variation: rollout.begin(TASK, POLICY, key, genotype, variation)
    )
    advance = jax.jit(
        lambda life, genotype, variation: rollout.advance(TASK, POLICY, life, genotype, variation)
    )

    def live_alone(individual, number, num_steps):
        genotype = jax.tree.map(lambda leaf: leaf[individual], genotypes())
        variation = list(TASK.variations.values())[number]
        lives = [begin(jax.random.fold_in(keys()[individual], number), genotype, variation)]
        for _ in range(num_steps):
            lives.append(advance(lives[-1], genotype, variation))
        return lives

    return live_alone


def test_a_lifetime_in_a_batch_equals_the_same_alone(outcomes, alone):
    """Every individual in every variation has the fitness and the steps that it has by itself.

    Mutations: one key for all variations; axes of vmap swapped.
    """
    for individual in range(POPULATION):
        for number in range(3):
            lives = alone(individual, number, 13)
            last = next(life for life in lives if bool(life.is_over))
            assert int(outcomes.num_steps[individual, number]) == int(last.num_steps)
            # Thirteen rewards of at most one; a step's error of 1e-7 grows with the steps by less
            # than tenfold.
            np.testing.assert_allclose(
                outcomes.fitness[individual, number], last.fitness, rtol=0, atol=1.3e-5
            )


def test_lifetimes_end_when_they_should(outcomes):
    """All 13 steps, step 7, step 4, or before that where the cart leaves the track.

    Mutations: whole segments; `>` max_steps; the last step not counted.
    """
    assert outcomes.fitness.shape == outcomes.num_steps.shape == (POPULATION, 3)
    limits = np.asarray([13, 7, 4])
    num_steps = np.asarray(outcomes.num_steps)
    assert np.all(num_steps <= limits)
    np.testing.assert_array_equal(num_steps.max(axis=0), limits)


def test_a_reward_that_is_not_finite_ends_a_lifetime_and_stays_visible(outcomes):
    """The broken variation's fitness is NaN from step 4 on, the others' is finite.

    Mutations: nansum; the NaN not ending the lifetime.
    """
    is_broken = np.asarray(outcomes.num_steps[:, 2]) == 4
    assert np.any(is_broken)
    np.testing.assert_array_equal(np.isnan(outcomes.fitness[:, 2]), is_broken)
    assert np.all(np.isfinite(outcomes.fitness[:, :2]))


def test_what_has_ended_stays_as_it_is(alone):
    """After its end, fitness, memory and number of steps do not change by a bit.

    Mutation: memory or fitness not frozen.
    """
    lives = alone(0, 1, 12)
    ends = [bool(life.is_over) for life in lives]
    assert ends == sorted(ends)
    assert 0 < ends.index(True) < 10
    ended = lives[ends.index(True)]
    for later in lives[ends.index(True) + 1 :]:
        for one, other in zip(
            jax.tree.leaves((ended.fitness, ended.memory, ended.num_steps)),
            jax.tree.leaves((later.fitness, later.memory, later.num_steps)),
            strict=True,
        ):
            np.testing.assert_array_equal(one, other)


def test_memory_learns_until_the_last_step(alone):
    """While a lifetime lasts the weights change in every step. Mutation: the old memory kept."""
    lives = alone(0, 0, 3)
    for before, after in itertools.pairwise(lives):
        assert not np.array_equal(before.memory[0], after.memory[0])


@pytest.mark.parametrize("chunk_size", [2, 3, 7])
def test_chunks_do_not_change_numbers(outcomes, chunk_size):
    """Two and three do not divide the population of five, seven is more than all.

    Mutations: the rest dropped; the last individual's outcomes misplaced.
    """
    chunked = live(chunk_size)
    assert chunked.fitness.shape == (POPULATION, 3)
    np.testing.assert_array_equal(chunked.num_steps, outcomes.num_steps)
    np.testing.assert_allclose(chunked.fitness, outcomes.fitness, rtol=0, atol=1.3e-5)


def test_the_same_key_is_the_same_life():
    """Individuals with the same key and genotype live the same.

    Each variation has its own random numbers. Mutation: fold in the individual's place.
    """
    genotype = jax.tree.map(lambda leaf: jnp.stack([leaf[0]] * 2), genotypes())
    variation = TASK.variations["medium"]
    three_alike = jax.tree.map(lambda leaf: jnp.stack([leaf] * 3), variation)
    twins = jnp.stack([jax.random.key(3)] * 2)
    outcomes = rollout.live(TASK, POLICY, twins, genotype, three_alike)
    np.testing.assert_array_equal(outcomes.fitness[0], outcomes.fitness[1])
    assert len(np.unique(outcomes.fitness[0])) == 3


class StubbornCart:
    """A cart that takes an action that is not finite for none."""

    def __getattr__(self, name):
        return getattr(TASK, name)

    def step(self, state, action, variation):
        return TASK.step(state, jnp.where(jnp.isfinite(action), action, 0.0), variation)


def test_an_action_that_is_not_finite_ends_a_lifetime_and_stays_visible(outcomes):
    """Whose rules are not numbers acts not finitely from the second step on, and fails there.

    The others live as always.

    Mutation: without the rollout's rule it lives on as one that does nothing.
    """
    broken = jax.tree.map(lambda leaf: leaf.at[2].set(jnp.nan), genotypes())
    found = rollout.live(StubbornCart(), POLICY, keys(), broken, stacked(TASK))
    assert np.all(np.isnan(found.fitness[2]))
    assert np.all(np.asarray(found.num_steps[2]) <= 2)
    others = np.asarray([0, 1, 3, 4])
    np.testing.assert_array_equal(found.num_steps[others], outcomes.num_steps[others])
    np.testing.assert_allclose(found.fitness[others], outcomes.fitness[others], rtol=0, atol=1.3e-5)


class CountingCart:
    """A cart that counts the steps its program really takes, all lifetimes together."""

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


def test_a_batch_ends_with_its_last_lifetime():
    """Lifetimes of at most three of 10,000 steps take one segment, those of twelve take two.

    Mutation: a scan of max_steps.
    """
    for last_step, num_segments in ((3, 1), (12, 2)):
        task = CountingCart(Cart(max_steps=10_000, last_steps=(2, 2, last_step)))
        still = jax.tree.map(jnp.zeros_like, genotypes())
        outcomes = rollout.live(task, POLICY, keys(), still, stacked(task.cart))
        jax.effects_barrier()
        assert int(jnp.max(outcomes.num_steps)) == last_step
        assert task.num_steps == num_segments * rollout.SEGMENT * POPULATION * 3


@pytest.mark.parametrize(("asked", "given"), [(None, "highest"), ("default", "default")])
def test_policies_multiply_in_full_float32(asked, given):
    """On GPUs JAX rounds to TF32 by itself; whoever asks for that gets it."""
    seen = []

    class Observant(Hebbian):
        def act(self, genotype, memory, observation):
            seen.append(jax.config.jax_default_matmul_precision)
            return super().act(genotype, memory, observation)

    def live(keys, genotypes):
        return rollout.live(TASK, Observant(hidden_sizes=(3,)), keys, genotypes, stacked(TASK))

    with jax.default_matmul_precision(asked):
        jax.eval_shape(live, keys(), genotypes())
    assert set(seen) == {given}
