"""The ABCD rule and its smaller relatives: generalised Hebbian rules with a rate of their own."""

import dataclasses
import functools
import operator
from typing import Literal, final

from jaxtyping import Array, Float

from hebbax.rules.base import Signals
from hebbax.types import checks


@final
@dataclasses.dataclass(frozen=True)
class ABCD:
    """Changes a weight by its inputs, its outputs, their product and a constant.

        w_ij + eta_ij (A_ij o_i o_j + B_ij o_i + C_ij o_j + D_ij)

    o_i is the activation before the synapse, o_j the one behind it. Fewer terms and other places of
    the rate make the family of Najarro and Risi.

    Source: Soltoggio et al. 2007 for the rule; eq. 1 of Palm et al. 2021,
    https://arxiv.org/abs/2011.06811, and Najarro and Risi 2020, https://arxiv.org/abs/2007.02686,
    for its evolution and its family.

    Examples:
        >>> import hebbax
        >>> policy = hebbax.Hebbian(rule=hebbax.ABCD())
        >>> policy.rule.coefficients
        ('eta', 'A', 'B', 'C', 'D')
        >>> hebbax.ABCD(terms="AD", rate="none").coefficients
        ('A', 'D')
    """

    terms: Literal["A", "AD", "ABC", "ABCD"] = "ABCD"
    """The terms that a synapse has."""
    rate: Literal["none", "inside", "outside", "both"] = "inside"
    """What the rate multiplies.

    There is none; all terms; all but the constant; or all terms, beside a second constant E that it
    does not multiply.
    """

    def __post_init__(self) -> None:
        """Refuses a constant's place where there is no constant."""
        checks.settle(
            self,
            "rule.",
            terms=checks.choice("A", "AD", "ABC", "ABCD"),
            rate=checks.choice("none", "inside", "outside", "both"),
        )
        if "D" not in self.terms and self.rate in ("outside", "both"):
            raise ValueError(
                f"rule.rate is {self.rate!r}, which says where the constant D is, but rule.terms "
                f"is {self.terms!r}; allowed are 'none' and 'inside'"
            )

    @property
    def coefficients(self) -> tuple[str, ...]:
        """The rate, and the factors of the terms."""
        rate = () if self.rate == "none" else ("eta",)
        return (*rate, *self.terms, *(("E",) if self.rate == "both" else ()))

    def init(self, weights: Float[Array, "pre post"]) -> tuple[()]:
        """The rule remembers nothing of its own."""
        return ()

    def update(
        self,
        weights: Float[Array, "pre post"],
        trace: tuple[()],
        coefficients: Float[Array, "_coefficients pre post"],
        signals: Signals,
    ) -> tuple[Float[Array, "pre post"], tuple[()]]:
        """Applies every synapse's rule once."""
        own = dict(zip(self.coefficients, coefficients, strict=True))
        # Multiplied first, the rates and the other coefficients are the same at every step, and XLA
        # computes their products once in an episode.
        rate = own.pop("eta", None)
        beyond = {"E", "D"} if self.rate == "outside" else {"E"}
        terms = {
            name: value if rate is None or name in beyond else rate * value
            for name, value in own.items()
        }
        o_i, o_j = signals.pre, signals.post
        after_input = terms["A"] * o_j + terms["B"] if "B" in terms else terms["A"] * o_j
        rest = [terms["C"] * o_j] if "C" in terms else []
        rest += [terms[name] for name in ("D", "E") if name in terms]
        change = o_i * after_input
        return weights + (change + functools.reduce(operator.add, rest) if rest else change), trace
