"""Observations as a network sees them: with mean 0 and deviation 1 over all that was seen so far.

Statistics are a run's, beside its genome: each generation normalises with those of the generations
before it, and adds what it has seen; the first one normalises nothing. Sums are float32: of numbers
whose mean is more than a thousand deviations the first variance is not known well.
"""

from typing import Any, Self, final

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from hebbax.types import Struct, Wiring

LARGEST = 10.0  # Of a normalised number; what is beyond is cut.
LEAST_DEVIATION = 1e-3  # Of numbers that hardly vary.


@final
class Statistics(Struct):
    """Of all observations so far.

    count: `[]` how many.
    mean: `[*observation]` of each number.
    variance: `[*observation]` of each number; 1 while there are none.
    """

    count: Float[Array, ""]
    mean: Float[Array, "..."]
    variance: Float[Array, "..."]


@final
class Senses(Struct):
    """A wiring, and the statistics that observations are normalised with.

    wiring: what the encoding drew.
    statistics: with which they are.
    best_statistics: with which those of the best generation were.
    """

    wiring: Wiring
    statistics: Statistics
    best_statistics: Statistics

    @classmethod
    def first(cls, wiring: Wiring, shape: tuple[int, ...]) -> Self:
        """Before the first generation, for observations of a shape, which stay as they are."""
        nothing = Statistics(
            jnp.float32(0), jnp.zeros(shape, jnp.float32), jnp.ones(shape, jnp.float32)
        )
        return cls(wiring, nothing, nothing)

    def after(
        self, num_steps: Int[Array, " population"], seen: "Seen", is_best: Bool[Array, ""]
    ) -> Self:
        """After a generation that has seen more, and may be the best so far."""
        best = jax.tree.map(
            lambda new, old: jnp.where(is_best, new, old), self.statistics, self.best_statistics
        )
        merged = merge(self.statistics, num_steps, seen)
        return self.replace(statistics=merged, best_statistics=best)


@final
class Seen(Struct):
    """What episodes have seen, as normalised by the statistics of before.

    total: `[..., *observation]` sums over steps.
    squares: `[..., *observation]` sums of squares.
    """

    total: Float[Array, "..."]
    squares: Float[Array, "..."]


def normalise(statistics: Statistics, observation: Float[Array, "..."]) -> Float[Array, "..."]:
    """An observation with mean 0 and deviation 1, as far as statistics know."""
    return (observation - statistics.mean) / deviation(statistics)


def look(statistics: Statistics, observation: Float[Array, "..."]) -> Float[Array, "..."]:
    """An observation as a network sees it: normalised within bounds, once there are statistics."""
    normalised = jnp.clip(normalise(statistics, observation), -LARGEST, LARGEST)
    return jnp.where(statistics.count > 0, normalised, observation)


def merge(statistics: Statistics, num_steps: Int[Array, " population"], seen: Seen) -> Statistics:
    """Adds what a population has seen.

    Individuals who have seen what is not finite are left out.

    Args:
        statistics: of before, with which the population's observations were normalised.
        num_steps: `[population]` observations of each individual; 0 leaves one out.
        seen: `[population, *observation]` sums over them.

    Source: Chan et al. 1979, "Updating Formulae and a Pairwise Algorithm for Computing Sample
    Variances".
    """
    axes = tuple(range(1, seen.total.ndim))
    is_finite = jnp.all(jnp.isfinite(seen.total) & jnp.isfinite(seen.squares), axis=axes)
    is_kept = is_finite & (num_steps > 0)

    def total(each: Any) -> Array:
        mask = is_kept.reshape(-1, *(1,) * (each.ndim - 1))
        return jnp.sum(jnp.where(mask, each, 0), axis=0)

    count = total(num_steps.astype(jnp.float32))
    at_least_one = jnp.maximum(count, 1.0)
    mean = total(seen.total) / at_least_one
    variance = jnp.maximum(total(seen.squares) / at_least_one - mean**2, 0.0)
    # From normalised numbers back to observations.
    scale = deviation(statistics)
    step, variance = scale * mean, scale**2 * variance

    new_count = statistics.count + count
    share = count / jnp.maximum(new_count, 1.0)
    merged = Statistics(
        new_count,
        mean=statistics.mean + share * step,
        variance=(1 - share) * statistics.variance + share * (variance + (1 - share) * step**2),
    )
    return jax.tree.map(lambda new, old: jnp.where(count > 0, new, old), merged, statistics)


def deviation(statistics: Statistics) -> Float[Array, "..."]:
    """What a number's distance from its mean is divided by."""
    return jnp.maximum(jnp.sqrt(statistics.variance), LEAST_DEVIATION)
