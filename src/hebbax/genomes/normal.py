"""Independent Gaussians: one for every number of a genotype."""

import dataclasses
from typing import final

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from hebbax.genomes.base import Scaled
from hebbax.types import Genotype, PRNGKey, checks
from hebbax.types.arguments import ARGUMENT


@final
class NormalGenome(Scaled):
    """Independent Gaussians around learned means: individual rules, or static weights.

        p(z) = prod_i N(z_i; mean_i, std^2)

    mean: a pytree shaped like the genotype.
    std: `[]` scale of the search noise. Scheduled, not learned.

    Source: Palm et al. 2021, section 3.3, https://arxiv.org/abs/2011.06811.
    """

    mean: PyTree
    std: Float[Array, ""]

    def sample(self, key: PRNGKey) -> Genotype:
        """Draws `mean + std * noise`. The key is consumed."""
        return jax.tree.map(
            lambda mean, noise: mean + self.std * noise, self.mean, normal_like(key, self.mean)
        )

    def log_prob(self, genotype: Genotype) -> Float[Array, ""]:
        """The log-density; its gradient reaches the means alone."""
        std = jax.lax.stop_gradient(self.std)

        def leaf_log_prob(value: Array, mean: Array) -> Array:
            return jnp.sum(
                -0.5 * jnp.square((value - mean) / std) - jnp.log(std) - 0.5 * jnp.log(2 * jnp.pi)
            )

        return sum(
            jax.tree.leaves(jax.tree.map(leaf_log_prob, genotype, self.mean)),
            start=jnp.zeros((), jnp.float32),
        )

    def mode(self) -> Genotype:
        """The means."""
        return self.mean

    def mirror(self, genotype: Genotype) -> Genotype:
        """Reflects a genotype at the means: `mean + std * noise` becomes `mean - std * noise`."""
        return jax.tree.map(lambda value, mean: mean - (value - mean), genotype, self.mean)

    def natural_gradient(self, gradient: "NormalGenome") -> "NormalGenome":
        """The gradient over the Fisher information of a mean, 1 / std^2."""
        return gradient.replace(
            mean=jax.tree.map(lambda leaf: jnp.square(self.std) * leaf, gradient.mean)
        )

    # Its deviation is the same for all means.
    even_gradient = natural_gradient


@final
@dataclasses.dataclass(frozen=True)
class Normal:
    """One Gaussian for every number of a genotype (individual rules, static weights)."""

    init_scale: float = dataclasses.field(default=1.0, metadata=ARGUMENT)
    """Standard deviation of the initial means around zero."""

    def __post_init__(self) -> None:
        """Refuses a scale that is no standard deviation."""
        checks.settle(self, "genome.", init_scale=checks.not_negative)

    def init(self, key: PRNGKey, genotype_shape: PyTree) -> NormalGenome:
        """Draws the initial means; the strategy sets the scale of the noise.

        The key is consumed.
        """
        mean = jax.tree.map(lambda noise: self.init_scale * noise, normal_like(key, genotype_shape))
        return NormalGenome(mean=mean, std=jnp.float32(1))


def normal_like(key: PRNGKey, tree: PyTree) -> PyTree:
    """Standard normal noise in the shape of a tree."""
    leaves, treedef = jax.tree.flatten(tree)
    keys = jax.random.split(key, len(leaves))
    return jax.tree.unflatten(
        treedef,
        [
            jax.random.normal(k, leaf.shape, leaf.dtype)
            for k, leaf in zip(keys, leaves, strict=True)
        ],
    )
