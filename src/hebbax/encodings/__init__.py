"""How what a network lives with is written in a genotype."""

from hebbax.encodings.base import Encoding
from hebbax.encodings.direct import Direct
from hebbax.encodings.low_rank import LowRank
from hebbax.encodings.parts import Parts
from hebbax.encodings.per_neuron import PerNeuron
from hebbax.encodings.tied import Tied

__all__ = ["Direct", "Encoding", "LowRank", "Parts", "PerNeuron", "Tied"]
