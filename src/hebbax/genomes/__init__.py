"""Distributions over genotypes, which evolve."""

from hebbax.genomes.base import Genome, GenomeSpec, Size, size_of
from hebbax.genomes.joint import Joint
from hebbax.genomes.normal import Normal
from hebbax.genomes.shared import FixedRules, SharedRules
from hebbax.genomes.shared_noise import SharedNoise

__all__ = [
    "FixedRules",
    "Genome",
    "GenomeSpec",
    "Joint",
    "Normal",
    "SharedNoise",
    "SharedRules",
    "Size",
    "size_of",
]
