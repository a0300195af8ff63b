"""Running statistics of observations."""

import dataclasses
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hebbax
from hebbax.evolution import observations
from hebbax.evolution.generation import initial_state
from hebbax.evolution.observations import Seen, Senses
from hebbax.evolution.rollout import rollout_population, stack
from small_run import small_config


def see(statistics, batch):
    """Statistics with a population's observations `[population, steps, ...]`."""
    normalise = jax.vmap(jax.vmap(observations.normalise, (None, 0)), (None, 0))
    normalised = normalise(statistics, jnp.asarray(batch))
    seen = Seen(jnp.sum(normalised, axis=1), jnp.sum(normalised**2, axis=1))
    num_steps = jnp.full(batch.shape[0], batch.shape[1], jnp.int32)
    return observations.merge(statistics, num_steps, seen)


def test_statistics_are_those_of_all_observations():
    """Of three generations together, whose means are far from 0, to roundings of float32.

    Mutations: the mean of the generations' variances; shares by generations, not by counts.
    """
    random = np.random.default_rng(0)
    batches = [
        random.normal(50 + 5 * i, [0.5, 3.0], (4, 10 * (i + 1), 2)).astype(np.float32)
        for i in range(3)
    ]
    statistics = Senses.first((), (2,)).statistics
    for batch in batches:
        statistics = see(statistics, batch)
    together = np.concatenate([batch.reshape(-1, 2) for batch in batches])
    assert int(statistics.count) == len(together)
    np.testing.assert_allclose(statistics.mean, together.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(statistics.variance, together.var(axis=0), rtol=1e-4)


def test_what_is_not_finite_is_left_out():
    """An individual whose physics failed spoils nothing. Mutation: its count is kept."""
    random = np.random.default_rng(0)
    batch = random.normal(3.0, 2.0, (3, 20, 2)).astype(np.float32)
    expected = see(Senses.first((), (2,)).statistics, batch[:2])
    batch[2, 7, 1] = np.nan
    statistics = see(Senses.first((), (2,)).statistics, batch)
    jax.tree.map(np.testing.assert_array_equal, statistics, expected)
    # So is one whose steps do not count, whatever it has seen.
    batch[2] = 1e10
    normalise = jax.vmap(jax.vmap(observations.normalise, (None, 0)), (None, 0))
    first = Senses.first((), (2,)).statistics
    normalised = normalise(first, jnp.asarray(batch))
    seen = Seen(jnp.sum(normalised, axis=1), jnp.sum(normalised**2, axis=1))
    statistics = observations.merge(first, jnp.asarray([20, 20, 0]), seen)
    jax.tree.map(np.testing.assert_array_equal, statistics, expected)
    # Nobody is left: they stay.
    statistics = see(expected, np.full((3, 4, 2), np.nan, np.float32))
    jax.tree.map(np.testing.assert_array_equal, statistics, expected)


def test_a_network_sees_normalised_observations():
    """A run's statistics are those of its episodes, seen as they were before each step.

    Mutations: the observation after the last step counts too; raw observations act.
    """
    config = small_config(normalize_observations=True, generations=2, held_out=None)
    result = hebbax.train(config)
    state = initial_state(config)
    setup = hebbax.evolution.Setup.of(config)
    assert result.wiring.statistics.count == sum(metrics["steps"] for metrics in result.history)
    assert np.all(np.asarray(result.wiring.statistics.variance) > 0)
    # A network without weights of its own to speak of: it sees the statistics or it does not.
    keys = jax.random.split(jax.random.key(0), 3)
    genotype, variations = result.genome.mode(), stack(config.task.variations)
    plain = rollout_population(
        dataclasses.replace(setup, normalize_observations=False),
        result.wiring.wiring,
        keys,
        genotype,
        variations,
        is_shared=True,
    )
    as_before = rollout_population(setup, state.wiring, keys, genotype, variations, is_shared=True)
    np.testing.assert_allclose(as_before.returns, plain.returns, rtol=1e-5)
    normalised = rollout_population(
        setup, result.wiring, keys, genotype, variations, is_shared=True
    )
    assert np.max(np.abs(np.asarray(normalised.returns - plain.returns))) > 1e-3


def test_statistics_are_kept_and_used(tmp_path: Path):
    """A run that was interrupted goes on with them; evaluations and films see with them.

    Mutations: statistics begin anew; an evaluation without them.
    """
    config = small_config(normalize_observations=True, generations=4)
    whole = hebbax.train(config)
    hebbax.train(dataclasses.replace(config, generations=2), tmp_path)
    resumed = hebbax.train(config, tmp_path)
    for one, other in zip(
        jax.tree.leaves(resumed.state), jax.tree.leaves(whole.state), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    scores = hebbax.evaluate(tmp_path, episodes=3)
    assert scores == hebbax.evaluate(whole, episodes=3)
    blind = dataclasses.replace(whole, wiring=initial_state(config).wiring)
    assert scores != hebbax.evaluate(blind, episodes=3)


@pytest.mark.parametrize("is_best", [False, True])
def test_the_best_genome_sees_as_it_did(is_best: bool):
    """With the statistics of its own generation. Mutation: the last ones for both."""
    config = small_config(normalize_observations=True, generations=3)
    result = hebbax.train(config)
    assert result.best_generation is not None
    last = dataclasses.replace(
        result,
        genome=result.best_genome if is_best else result.genome,
        wiring=result.wiring.replace(statistics=result.wiring.best_statistics)
        if is_best
        else result.wiring,
    )
    assert hebbax.evaluate(result, 3, is_best=is_best) == hebbax.evaluate(last, 3)
