"""What a genome is: a distribution over genotypes, whose parameters evolve."""

from typing import Protocol, Self

from jaxtyping import Array, Float, PyTree

from hebbax.types import Genotype, PRNGKey


class Genome(Protocol):
    """A distribution over genotypes, `p(z | theta)`, as a pytree whose leaves are theta. It is what evolution improves."""

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
        """The equally probable genotype on the other side of the mode. Only symmetric distributions have it."""
        ...

    def with_std(self, std: Float[Array, ""]) -> Self:
        """The same genome with another scale of search noise."""
        ...


class GenomeSpec(Protocol):
    """A frozen specification that says how a genome begins."""

    def init(self, key: PRNGKey, genotype_shape: PyTree) -> Genome:
        """Makes the first genome. The key is consumed.

        Args:
            key: for the initial parameters.
            genotype_shape: a pytree of `jax.ShapeDtypeStruct`, as `Policy.genotype_shape` returns it.
        """
        ...
