"""The ABCD rule: a generalised Hebbian rule with a rate for every synapse."""

import dataclasses
from typing import final

from jaxtyping import Array, Float

from hebbax.rules.base import Signals


@final
@dataclasses.dataclass(frozen=True)
class ABCD:
    """Changes a weight by its inputs, its outputs, their product and a constant.

        w_ij + eta_ij (A_ij o_i o_j + B_ij o_i + C_ij o_j + D_ij)

    o_i is the activation before the synapse, o_j the one behind it.

    Source: Soltoggio et al. 2007 for the rule; eq. 1 of Palm et al. 2021,
    https://arxiv.org/abs/2011.06811, and Najarro and Risi 2020, https://arxiv.org/abs/2007.02686,
    for its evolution.

    Examples:
        >>> import hebbax
        >>> policy = hebbax.Hebbian(rule=hebbax.ABCD())
        >>> policy.rule.coefficients
        ('eta', 'A', 'B', 'C', 'D')
    """

    @property
    def coefficients(self) -> tuple[str, ...]:
        """The rate, and the factors of the four terms."""
        return ("eta", "A", "B", "C", "D")

    def init(self, weights: Float[Array, "pre post"]) -> tuple[()]:
        """The rule remembers nothing of its own."""
        return ()

    def update(
        self,
        weights: Float[Array, "pre post"],
        trace: tuple[()],
        coefficients: Float[Array, "5 pre post"],
        signals: Signals,
    ) -> tuple[Float[Array, "pre post"], tuple[()]]:
        """Applies every synapse's rule once."""
        # Multiplied first, the rates and the other coefficients are the same at every step, and XLA
        # computes their products once in an episode.
        a, b, c, d = coefficients[:1] * coefficients[1:]
        o_i, o_j = signals.pre, signals.post
        return weights + (o_i * (a * o_j + b) + (c * o_j + d)), trace
