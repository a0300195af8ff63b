"""Oja's rule: Hebbian growth that bounds itself."""

import dataclasses
from typing import final

from jaxtyping import Array, Float

from hebbax.rules.base import Signals


@final
@dataclasses.dataclass(frozen=True)
class Oja:
    """Grows with the product of both activations, and forgets with the output's square.

        w_ij + eta_ij (o_i o_j - o_j^2 w_ij)

    Of a linear neuron with equal rates the weights go to the first principal component of its
    inputs, of length 1.

    Source: Oja 1982, "Simplified neuron model as a principal component analyzer".

    Examples:
        >>> import hebbax
        >>> hebbax.Hebbian(rule=hebbax.rules.Oja()).rule.coefficients
        ('eta',)
    """

    @property
    def coefficients(self) -> tuple[str, ...]:
        """The rate."""
        return ("eta",)

    def init(self, weights: Float[Array, "pre post"]) -> tuple[()]:
        """The rule remembers nothing of its own."""
        return ()

    def update(
        self,
        weights: Float[Array, "pre post"],
        trace: tuple[()],
        coefficients: Float[Array, "1 pre post"],
        signals: Signals,
    ) -> tuple[Float[Array, "pre post"], tuple[()]]:
        """Applies every synapse's rule once."""
        o_i, o_j = signals.pre, signals.post
        return weights + coefficients[0] * o_j * (o_i - o_j * weights), trace
