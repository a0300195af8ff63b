"""Products of two thin matrices in place of each matrix."""

import dataclasses
import math
from typing import Any, NamedTuple, final

import jax
from jaxtyping import Array, PyTree

from hebbax.types import Genotype, Parameter, Phenotype, PRNGKey, Wiring, checks


class Factors(NamedTuple):
    """A matrix `[..., pre, post]` as a product.

    left: `[..., pre, rank]`.
    right: `[..., rank, post]`.
    """

    left: Any
    right: Any


@final
@dataclasses.dataclass(frozen=True)
class LowRank:
    """Matrices of low rank: those of every coefficient, of weights, and of a kernel's pixels.

        W = U V / sqrt(rank)

    The division gives the product of standard normal factors unit variance at any rank. Arrays of
    one axis, such as biases, stand in the genotype as they are.

    Examples:
        >>> import hebbax
        >>> policy = hebbax.Hebbian(hidden_sizes=(8,))
        >>> encoding = hebbax.encodings.LowRank(rank=1)
        >>> shape = encoding.genotype_shape(policy.parameters(hebbax.tasks.Point()))
        >>> [part.shape for part in shape.rules[0]]
        [(5, 2, 1), (5, 1, 8)]
    """

    rank: int = 1
    """Columns of the left factor."""

    def __post_init__(self) -> None:
        """Refuses factors of no size."""
        checks.settle(self, "encoding.", rank=checks.integer(at_least=1))

    @property
    def reads_each_step(self) -> bool:
        """The products are made once, before an individual's episodes."""
        return False

    def wire(self, key: PRNGKey, parameters: PyTree) -> Wiring:
        """Nothing is drawn. The key is consumed."""
        return ()

    def genotype_shape(self, parameters: PyTree) -> PyTree:
        """Two factors in place of each matrix."""
        return jax.tree.map(self._factors, parameters)

    def express(self, parameters: PyTree, wiring: Wiring, genotype: Genotype) -> Phenotype:
        """Multiplies the factors."""

        def multiply(leaf: Parameter, part: Any) -> Array:
            if leaf.ndim < 2:
                return part
            return part.left @ part.right / math.sqrt(self.rank)

        return jax.tree.map(multiply, parameters, genotype)

    def read(self, parameters: PyTree, wiring: Wiring, kept: Phenotype) -> Phenotype:
        """What was expressed."""
        return kept

    def _factors(self, leaf: Parameter) -> Factors | Parameter:
        if leaf.ndim < 2:
            return leaf
        *rest, pre, post = leaf.shape
        *axes, before, behind = leaf.axes
        return Factors(
            Parameter((*rest, pre, self.rank), (*axes, before, ""), leaf.kind, leaf.names),
            Parameter((*rest, self.rank, post), (*axes, "", behind), leaf.kind, leaf.names),
        )
