"""What fitness becomes before a strategy learns from it. Fitness is maximised."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from hebbax.types import Phenotype


def mean_square(parameters: PyTree, phenotype: Phenotype) -> Float[Array, ""]:
    """The mean square of what a penalty counts: the penalty before its factor.

    These are the numbers of all rules, or of a network without rules all its numbers.

    Args:
        parameters: the network's, a pytree of `Parameter`.
        phenotype: arrays in the same tree.
    """
    leaves = jax.tree.leaves(phenotype)
    kinds = [parameter.kind for parameter in jax.tree.leaves(parameters)]
    rules = [leaf for leaf, kind in zip(leaves, kinds, strict=True) if kind == "rule"]
    counted = rules or leaves
    return sum(
        (jnp.sum(jnp.square(leaf)) for leaf in counted), start=jnp.zeros((), jnp.float32)
    ) / sum(leaf.size for leaf in counted)


def replace_non_finite(
    fitness: Float[Array, " population"],
) -> tuple[Float[Array, " population"], Int[Array, ""]]:
    """Gives individuals of non-finite fitness the worst finite one; zero if there is none.

    Zero then stands for nothing that was measured: all are equal, and a strategy learns nothing
    from them.

    Returns:
        The finite fitness, and how many values were replaced.
    """
    is_finite = jnp.isfinite(fitness)
    worst = jnp.min(jnp.where(is_finite, fitness, jnp.inf))
    worst = jnp.where(jnp.isfinite(worst), worst, jnp.zeros_like(worst))
    return jnp.where(is_finite, fitness, worst), jnp.sum(~is_finite)


def has_differences(fitness: Float[Array, " population"]) -> Bool[Array, ""]:
    """Whether somebody is better than somebody else.

    Where all are equal there is nothing to learn.
    """
    return jnp.any(fitness != fitness[0])


def centred_ranks(fitness: Float[Array, " population"]) -> Float[Array, " population"]:
    """Ranks in [-0.5, 0.5], the best 0.5; equals share the mean of their ranks.

    Source: Salimans et al. 2017, https://arxiv.org/abs/1703.03864.
    """
    ordered = jnp.sort(fitness)
    num_worse = jnp.searchsorted(ordered, fitness, side="left")
    num_not_better = jnp.searchsorted(ordered, fitness, side="right")
    rank = (num_worse + num_not_better - 1).astype(fitness.dtype) / 2
    return rank / (fitness.size - 1) - 0.5


def standardize(values: Float[Array, " population"]) -> Float[Array, " population"]:
    """Shifts and scales to mean zero and standard deviation one.

    Values that are all equal become zeros.
    """
    centred = values - jnp.mean(values)
    deviation = jnp.std(values)
    # Rounding leaves about one part in a million of equal values; anything that small is no
    # ranking.
    has_spread = deviation > 1e-6 * jnp.max(jnp.abs(values))
    return jnp.where(has_spread, centred / jnp.where(has_spread, deviation, 1.0), 0.0)
