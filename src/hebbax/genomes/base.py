"""What a genome is: a distribution over genotypes, whose parameters evolve."""

from typing import Any, NamedTuple, Protocol, Self

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from hebbax.types import Genotype, PRNGKey, Struct


class Genome(Protocol):
    """A distribution over genotypes, `p(z | theta)`, as a pytree whose leaves are theta.

    It is what evolution improves.

    Seven more functions are used where a genome has them: `draw(key)`, the genome with what all
    individuals of a generation have in common drawn anew; `learned()`, the genome with None in
    place of every leaf that no optimiser may move, where these are others than integers;
    `log_probs(genotypes)`, for one that can do better than to map `log_prob` over a population;
    `describe()`, figures for the log by name; `size()`, where another number than the mode's stands
    for it, see `Size`; `natural_gradient(gradient)` and
    `even_gradient(gradient)`, along which the optimisers `Natural` and `EvenSteps` go.
    """

    def sample(self, key: PRNGKey) -> Genotype:
        """Draws what one individual inherits. The key is consumed."""
        ...

    def log_prob(self, genotype: Genotype) -> Float[Array, ""]:
        """The log-density of one genotype, differentiable in the genome's learned leaves."""
        ...

    def mode(self) -> Genotype:
        """The most probable genotype, which stands for the genome in an evaluation."""
        ...

    def mirror(self, genotype: Genotype) -> Genotype:
        """The equally probable genotype on the other side of the mode.

        Only symmetric distributions have it.
        """
        ...

    def with_std(self, std: Float[Array, ""]) -> Self:
        """The same genome with another scale of search noise."""
        ...


class Scaled(Struct):
    """What genomes have in common whose field `std` alone is scheduled, and the rest learned."""

    def with_std(self, std: Float[Array, ""]) -> Self:
        """The same with another scale of search noise."""
        return self.replace(std=std)

    def learned(self) -> Self:
        """All but the scale."""
        return self.replace(std=None)


class GenomeSpec(Protocol):
    """A frozen specification that says how a genome begins."""

    def init(self, key: PRNGKey, genotype_shape: PyTree) -> Genome:
        """Makes the first genome. The key is consumed.

        Args:
            key: for the initial parameters.
            genotype_shape: a pytree of `Parameter`, as `Encoding.genotype_shape` returns it.
        """
        ...


def learned_of(genome: Genome) -> PyTree:
    """The genome with None in place of every leaf that is not learned.

    All that an optimiser sees of it.
    """
    own = getattr(genome, "learned", None)
    return (
        own()
        if own
        else jax.tree.map(
            lambda leaf: leaf if jnp.issubdtype(leaf.dtype, jnp.floating) else None, genome
        )
    )


def with_learned(genome: Genome, learned: PyTree) -> Genome:
    """The genome with other values of its learned leaves, in the tree that `learned_of` returns."""
    return jax.tree.map(lambda old, new: old if new is None else new, genome, learned)


def log_probs_of(genome: Genome, genotypes: Genotype) -> Float[Array, " population"]:
    """The log-densities of a population, by the genome's own way to compute them if it has one."""
    together = getattr(genome, "log_probs", None)
    return together(genotypes) if together else jax.vmap(genome.log_prob)(genotypes)


class Size(NamedTuple):
    """What it takes to write down the mode of a genome.

    numbers: how many numbers.
    assignment_bits: bits that say which synapse has which of them, where that evolves.
    """

    numbers: int
    assignment_bits: float = 0.0


def size_of(genome: Genome) -> Size:
    """The size of a genome: its own answer, or the numbers of its mode.

    Examples:
        >>> import hebbax
        >>> import jax
        >>> shape = hebbax.Hebbian(hidden_sizes=(8,)).parameters(hebbax.tasks.Point())
        >>> genome = hebbax.SharedRules(num_rules=2).init(jax.random.key(0), shape)
        >>> hebbax.genomes.size_of(genome)
        Size(numbers=10, assignment_bits=32.0)
    """
    own = getattr(genome, "size", None)
    return own() if own else Size(sum(leaf.size for leaf in jax.tree.leaves(genome.mode())))


def drawn(genome: Genome, key: PRNGKey) -> Any:
    """The genome with what a generation has in common, if it has such. The key is consumed."""
    own = getattr(genome, "draw", None)
    return own(key) if own else genome
