"""Where a run's random numbers come from: one seed, and a key for each purpose."""

from typing import NamedTuple

import jax

from hebbax.types import PRNGKey


class RandomKeys(NamedTuple):
    """The keys of a run, one for each purpose, of which no two ever draw the same numbers.

    initial: of the first genome and the strategy's start.
    generations: of everything that is drawn in training.
    evaluation: of the episodes that score a genome.
    films: of the episodes that are filmed.
    wiring: of what an encoding draws once.
    learning_curve: of the episodes that score a genome while it evolves.
    """

    initial: PRNGKey
    generations: PRNGKey
    evaluation: PRNGKey
    films: PRNGKey
    wiring: PRNGKey
    learning_curve: PRNGKey


def random_keys(seed: int) -> RandomKeys:
    """The keys of the run with a seed.

    Examples:
        >>> import hebbax
        >>> keys, again = hebbax.evolution.random_keys(0), hebbax.evolution.random_keys(0)
        >>> bool(keys.films == again.films), bool(keys.films == keys.wiring)
        (True, False)
    """
    first = jax.random.split(jax.random.key(seed), 3)
    # With JAX's usual generator the keys of `split` are what `fold_in` makes of 0, 1 and 2.
    others = (jax.random.fold_in(jax.random.key(seed), i) for i in range(3, 6))
    return RandomKeys(*first, *others)
