import jax
import jax.numpy as jnp
import numpy as np

from hebbax.strategies import shaping
from hebbax.types import Parameter


def test_mean_square_weighs_every_number_equally():
    """(1 + 4 + 9 + 9) / 4 over two leaves of different size.

    Mutation: the mean of the leaves' means.
    """
    phenotype = {"a": jnp.asarray([1.0, 2.0, 3.0]), "b": jnp.asarray([[3.0]])}
    parameters = {"a": Parameter((3,), ("",), "weight"), "b": Parameter((1, 1), ("", ""), "weight")}
    assert float(shaping.mean_square(parameters, phenotype)) == 23 / 4


def test_mean_square_is_of_rules_where_there_are_any():
    """The filter beside the rule does not count. Mutation: all leaves."""
    phenotype = {"filter": jnp.asarray([5.0]), "rule": jnp.asarray([1.0, 2.0])}
    parameters = {
        "filter": Parameter((1,), ("",), "filter"),
        "rule": Parameter((2,), ("coefficient",), "rule", ("a", "b")),
    }
    assert float(shaping.mean_square(parameters, phenotype)) == 5 / 2


def test_ranks_reach_from_minus_to_plus_a_half():
    """The best has 0.5, the worst -0.5, the others stand evenly between.

    Mutation: the sign of the ranks, or division by the size.
    """
    ranks = shaping.centred_ranks(jnp.asarray([3.0, -1.0, 100.0, 4.0, 0.0]))
    np.testing.assert_array_equal(ranks, [0.0, -0.5, 0.5, 0.25, -0.25])


def test_ties_share_the_mean_of_their_ranks():
    """Ranks 1 and 2 are shared as 1.5, whatever the order of the tied.

    Mutation: argsort of argsort.
    """
    ranks = shaping.centred_ranks(jnp.asarray([7.0, 2.0, 7.0, 9.0]))
    np.testing.assert_allclose(ranks, np.asarray([1.5, 0.0, 1.5, 3.0]) / 3 - 0.5, atol=1e-7)


def test_ranks_do_not_change_under_monotone_maps():
    """Ranks depend on the order of fitness alone, ties included.

    Mutation: standardise fitness without ranking it.
    """
    fitness = jnp.round(jax.random.normal(jax.random.key(0), (40,)), 1)
    ranks = shaping.centred_ranks(fitness)
    np.testing.assert_array_equal(shaping.centred_ranks(fitness**3), ranks)
    np.testing.assert_array_equal(shaping.centred_ranks(5 * fitness + 2), ranks)
    # 1 - r is rounded otherwise than r.
    np.testing.assert_allclose(shaping.centred_ranks(-fitness), -ranks, rtol=0, atol=1.2e-7)


def test_standardize_gives_mean_zero_and_deviation_one():
    """Mean and standard deviation to float precision: sqrt(n) eps of values of order one.

    Mutation: the deviation of a sample (n - 1).
    """
    values = shaping.standardize(jax.random.uniform(jax.random.key(1), (30,)) * 7 + 100)
    # The values near 100 have an error of 4e-6 each, and are divided by a deviation of 2.
    assert abs(float(jnp.mean(values))) < 1e-5
    np.testing.assert_allclose(jnp.std(values), 1.0, atol=1e-6)


def test_equal_fitness_teaches_nothing():
    """Equal values become exact zeros, also where rounding spoils their mean.

    Mutation: divide by deviation + 1e-8.
    """
    for value in (0.0, 0.1, -1e4):
        equal = jnp.full(7, value)
        np.testing.assert_array_equal(
            shaping.standardize(shaping.centred_ranks(equal)), np.zeros(7)
        )
        np.testing.assert_array_equal(shaping.standardize(equal), np.zeros(7))


def test_non_finite_fitness_becomes_the_worst_finite():
    """NaN and both infinities get the worst finite fitness and are counted; the finite stay.

    Mutation: `isnan` instead of `isfinite`.
    """
    fitness, count = shaping.replace_non_finite(
        jnp.asarray([1.0, jnp.nan, -3.0, jnp.inf, -jnp.inf])
    )
    np.testing.assert_array_equal(fitness, [1.0, -3.0, -3.0, -3.0, -3.0])
    assert int(count) == 3


def test_finite_fitness_is_left_alone():
    """Nothing is replaced or counted where everything is finite."""
    fitness, count = shaping.replace_non_finite(jnp.asarray([1.0, -2.0]))
    np.testing.assert_array_equal(fitness, [1.0, -2.0])
    assert int(count) == 0


def test_a_population_without_finite_fitness_teaches_nothing():
    """All become zero, all are counted, and shaping makes zeros of them.

    Mutation: leave the worst infinite.
    """
    fitness, count = shaping.replace_non_finite(jnp.asarray([jnp.nan, jnp.inf, -jnp.inf]))
    np.testing.assert_array_equal(fitness, np.zeros(3))
    assert int(count) == 3
    np.testing.assert_array_equal(shaping.standardize(shaping.centred_ranks(fitness)), np.zeros(3))


def test_differences_are_what_there_is_to_learn_from():
    """One who is better is enough, and no rounding makes a difference of equals."""
    assert bool(shaping.has_differences(jnp.asarray([0.1, 0.1, 0.2])))
    assert not bool(shaping.has_differences(jnp.full(7, 0.1)))
