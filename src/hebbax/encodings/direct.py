"""A number in the genotype for every number of the network."""

import dataclasses
from typing import final

from jaxtyping import PyTree

from hebbax.types import Genotype, Phenotype, PRNGKey, Wiring


@final
@dataclasses.dataclass(frozen=True)
class Direct:
    """The genotype is the phenotype."""

    @property
    def reads_each_step(self) -> bool:
        """There is nothing to compute."""
        return False

    def wire(self, key: PRNGKey, parameters: PyTree) -> Wiring:
        """Nothing is drawn. The key is consumed."""
        return ()

    def genotype_shape(self, parameters: PyTree) -> PyTree:
        """The network's parameters."""
        return parameters

    def express(self, parameters: PyTree, wiring: Wiring, genotype: Genotype) -> Genotype:
        """The genotype."""
        return genotype

    def read(self, parameters: PyTree, wiring: Wiring, kept: Genotype) -> Phenotype:
        """The genotype."""
        return kept
