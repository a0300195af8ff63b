"""How what a network lives with is written in a genotype."""

from hebbax.encodings.base import Encoding
from hebbax.encodings.direct import Direct

__all__ = ["Direct", "Encoding"]
