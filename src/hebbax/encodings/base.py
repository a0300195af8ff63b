"""What an encoding is: how a genotype is read into what a network lives with."""

from typing import Any, Protocol

from jaxtyping import PyTree

from hebbax.types import Genotype, Phenotype, PRNGKey, Wiring


class Encoding(Protocol):
    """A map from genotypes to phenotypes as a frozen specification with pure functions.

    An individual is expressed once, before its episodes, and read in every step. An encoding that
    expands its genotype when it is expressed reads nothing more; one that does so in every step
    keeps little memory.

    reads_each_step: whether `read` computes something, which is then done anew in every step.
        False promises that `read` returns what it is given.
    """

    @property
    def reads_each_step(self) -> bool: ...

    def wire(self, key: PRNGKey, parameters: PyTree) -> Wiring:
        """What is drawn once in a run and never learned, such as who shares what; `()` if nothing.

        The key is consumed.

        Args:
            key: from the run's seed.
            parameters: the network's, a pytree of `Parameter`.
        """
        ...

    def genotype_shape(self, parameters: PyTree) -> PyTree:
        """What a genome must produce: a pytree of `Parameter`."""
        ...

    def express(self, parameters: PyTree, wiring: Wiring, genotype: Genotype) -> Any:
        """What is kept of an individual for all its episodes."""
        ...

    def read(self, parameters: PyTree, wiring: Wiring, kept: Any) -> Phenotype:
        """What the network lives with: arrays in the tree and the shapes of `parameters`."""
        ...
