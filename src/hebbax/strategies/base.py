"""What a strategy is.

How a genome becomes a population, and a population's fitness a better genome.
"""

from typing import Any, Protocol

from jaxtyping import Array, Float

from hebbax.genomes.base import Genome
from hebbax.types import Genotype, PRNGKey


class Strategy(Protocol):
    """A search over genomes as a frozen specification with pure functions. Fitness is maximised."""

    @property
    def population_size(self) -> int: ...

    def init(self, key: PRNGKey, genome: Genome) -> Any:
        """The state before the first generation; its field `genome` is the genome.

        The key is consumed.
        """
        ...

    def ask(self, key: PRNGKey, state: Any) -> Genotype:
        """A population of genotypes, stacked along a leading axis. The key is consumed."""
        ...

    def tell(
        self, state: Any, genotypes: Genotype, fitness: Float[Array, " population"]
    ) -> tuple[Any, dict[str, Array]]:
        """Learns from finite fitness; returns the next state and what to log of the step.

        Where all fitness is equal there is nothing to learn: the genome stays where it is, as after
        a generation in which nobody's was finite.
        """
        ...
