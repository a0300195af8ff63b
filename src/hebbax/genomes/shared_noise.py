"""Independent means whose search noise many numbers share: fewer directions, all numbers kept."""

import dataclasses
from typing import Any, Self, final

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from hebbax.genomes.base import Scaled
from hebbax.genomes.normal import Normal, NormalGenome, normal_like
from hebbax.types import Genotype, PRNGKey, Wiring, checks
from hebbax.types.arguments import ARGUMENT

ENCODING = ("reads_each_step", "wire", "genotype_shape", "express", "read")


@final
@dataclasses.dataclass(frozen=True)
class Layout:
    """What the genotype looks like, as a value that can be hashed.

    leaves: its parameters.
    treedef: its structure.
    """

    leaves: tuple[Any, ...]
    treedef: Any

    @classmethod
    def of(cls, genotype_shape: PyTree) -> Self:
        """The layout of a pytree of `Parameter`."""
        leaves, treedef = jax.tree.flatten(genotype_shape)
        return cls(tuple(leaves), treedef)

    @property
    def parameters(self) -> PyTree:
        """The pytree of `Parameter`."""
        return self.treedef.unflatten(self.leaves)


@final
class SharedNoiseGenome(Scaled):
    """Means of which a generation tries few directions: noise that an encoding spreads over them.

        z = mean + std * spread(e),    e ~ N(0, I)

    `spread` is linear: with `Tied` all numbers of a group move together, with `LowRank` a matrix
    moves by one of low rank. Who moves together is drawn anew in every generation, so that in the
    long run every number moves by itself. The same steps are taken as with independent noise, along
    the fitness-weighted mean of the noise.

    mean: a pytree shaped like the genotype.
    std: `[]` scale of the search noise. Scheduled, not learned.
    wiring: what the encoding drew for this generation. Not learned.
    noise: the encoding.
    layout: what the genotype looks like.
    """

    mean: PyTree
    std: Float[Array, ""]
    wiring: Wiring
    noise: Any = dataclasses.field(metadata={"static": True})
    layout: Layout = dataclasses.field(metadata={"static": True})

    def draw(self, key: PRNGKey) -> Self:
        """The same with other groups. The key is consumed."""
        return self.replace(wiring=self.noise.wire(key, self.layout.parameters))

    def sample(self, key: PRNGKey) -> Genotype:
        """Draws `mean + std * spread(noise)`. The key is consumed."""
        parameters = self.layout.parameters
        few = normal_like(key, self.noise.genotype_shape(parameters))
        kept = self.noise.express(parameters, self.wiring, few)
        return jax.tree.map(
            lambda mean, noise: mean + self.std * noise,
            self.mean,
            self.noise.read(parameters, self.wiring, kept),
        )

    def log_prob(self, genotype: Genotype) -> Float[Array, ""]:
        """The log-density of independent noise, whose gradient is the noise over the scale."""
        return self._independent().log_prob(genotype)

    def mode(self) -> Genotype:
        """The means."""
        return self.mean

    def mirror(self, genotype: Genotype) -> Genotype:
        """Reflects a genotype at the means."""
        return self._independent().mirror(genotype)

    def learned(self) -> Self:
        """The means."""
        return self.replace(std=None, wiring=jax.tree.map(lambda _: None, self.wiring))

    def natural_gradient(self, gradient: Self) -> Self:
        """The gradient over the Fisher information of independent noise, 1 / std^2."""
        return gradient.replace(
            mean=jax.tree.map(lambda leaf: jnp.square(self.std) * leaf, gradient.mean)
        )

    # Its deviation is the same for all means.
    even_gradient = natural_gradient

    def _independent(self) -> NormalGenome:
        return NormalGenome(self.mean, self.std)


@final
@dataclasses.dataclass(frozen=True)
class SharedNoise:
    """A mean for every number of a genotype, and noise that an encoding spreads over them.

    The control that tells sharing from a smaller search: all numbers are there, but a generation
    tries as few directions as the encoding has numbers.

    Examples:
        >>> import hebbax
        >>> import jax
        >>> spec = hebbax.genomes.SharedNoise(hebbax.encodings.Tied(num_rules=4))
        >>> shape = hebbax.Hebbian(hidden_sizes=(8,)).parameters(hebbax.tasks.Point())
        >>> genome = spec.init(jax.random.key(0), shape).with_std(jax.numpy.float32(0.1))
        >>> noise = genome.sample(jax.random.key(1)).rules[0] - genome.mean.rules[0]
        >>> len(set(noise[0].ravel().round(4).tolist()))
        4
    """

    # An `Encoding`; the command line reads its options off the object that is there.
    noise: Any
    """Who moves together, drawn anew in every generation: `Tied`, `LowRank`."""
    init_scale: float = dataclasses.field(default=1.0, metadata=ARGUMENT)
    """Standard deviation of the initial means around zero."""

    def __post_init__(self) -> None:
        """Refuses what is no encoding, and a scale that is no standard deviation."""
        checks.settle(
            self,
            "genome.",
            noise=checks.having(*ENCODING, example="Tied(num_rules=36)"),
            init_scale=checks.not_negative,
        )
        if getattr(self.noise, "assignment_seed", None) is not None:
            raise ValueError(
                f"genome.noise is {self.noise}, but its groups are drawn anew in every "
                "generation; leave its assignment_seed None"
            )

    def init(self, key: PRNGKey, genotype_shape: PyTree) -> SharedNoiseGenome:
        """Draws the initial means and groups; the strategy sets the scale of the noise.

        The key is consumed.
        """
        mean_key, wiring_key = jax.random.split(key)
        normal = Normal(self.init_scale).init(mean_key, genotype_shape)
        return SharedNoiseGenome(
            mean=normal.mean,
            std=normal.std,
            wiring=self.noise.wire(wiring_key, genotype_shape),
            noise=self.noise,
            layout=Layout.of(genotype_shape),
        )
