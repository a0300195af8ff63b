"""Rules made of other rules: weights that decay, and updates that wait."""

import dataclasses
from typing import NamedTuple, final

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PyTree

from hebbax.rules.abcd import ABCD
from hebbax.rules.base import Rule, Signals
from hebbax.types import checks

RULE = checks.having("coefficients", "init", "update", example="ABCD()")


def needs_modulator(rule: Rule) -> bool:
    """Whether a rule must be in a network with a neuron that modulates."""
    return getattr(rule, "needs_modulator", False)


@final
@dataclasses.dataclass(frozen=True)
class Decay:
    """Another rule, whose weights shrink by a share in every step.

        (1 - rate) w_ij + change_ij

    Examples:
        >>> import hebbax
        >>> hebbax.Hebbian(rule=hebbax.rules.Decay(hebbax.ABCD(), rate=0.1)).rule.coefficients
        ('eta', 'A', 'B', 'C', 'D')
    """

    rule: Rule = ABCD()
    """The rule that changes them."""
    rate: float = 0.01
    """The share of a weight that is lost in a step."""

    def __post_init__(self) -> None:
        """Refuses a share that is none."""
        checks.settle(
            self, "rule.", rule=RULE, rate=checks.number("from 0 to 1", lambda rate: 0 <= rate <= 1)
        )

    @property
    def coefficients(self) -> tuple[str, ...]:
        """The other rule's."""
        return self.rule.coefficients

    @property
    def needs_modulator(self) -> bool:
        """Whether the other rule does."""
        return needs_modulator(self.rule)

    def init(self, weights: Float[Array, "pre post"]) -> PyTree:
        """The other rule's memory."""
        return self.rule.init(weights)

    def update(
        self,
        weights: Float[Array, "pre post"],
        trace: PyTree,
        coefficients: Float[Array, "_coefficients pre post"],
        signals: Signals,
    ) -> tuple[Float[Array, "pre post"], PyTree]:
        """Applies the other rule, and takes off what decays."""
        changed, trace = self.rule.update(weights, trace, coefficients, signals)
        return changed - self.rate * weights, trace


class Waiting(NamedTuple):
    """What `Every` remembers.

    num_steps: `[]` steps so far.
    trace: the other rule's memory.
    """

    num_steps: Int[Array, ""]
    trace: PyTree


@final
@dataclasses.dataclass(frozen=True)
class Every:
    """Another rule, which is applied in every so many steps alone, from what is seen then.

    Examples:
        >>> import hebbax
        >>> hebbax.Hebbian(rule=hebbax.rules.Every(hebbax.ABCD(), steps=5)).rule.steps
        5
    """

    rule: Rule = ABCD()
    """The rule that is applied."""
    steps: int = 2
    """Policy steps from one update to the next; the first comes after so many."""

    def __post_init__(self) -> None:
        """Refuses a number of steps that is none."""
        checks.settle(self, "rule.", rule=RULE, steps=checks.integer(at_least=1))

    @property
    def coefficients(self) -> tuple[str, ...]:
        """The other rule's."""
        return self.rule.coefficients

    @property
    def needs_modulator(self) -> bool:
        """Whether the other rule does."""
        return needs_modulator(self.rule)

    def init(self, weights: Float[Array, "pre post"]) -> Waiting:
        """No step, and the other rule's memory."""
        return Waiting(jnp.zeros((), jnp.int32), self.rule.init(weights))

    def update(
        self,
        weights: Float[Array, "pre post"],
        trace: Waiting,
        coefficients: Float[Array, "_coefficients pre post"],
        signals: Signals,
    ) -> tuple[Float[Array, "pre post"], Waiting]:
        """Counts the step, and applies the other rule if it is time."""
        num_steps = trace.num_steps + 1
        changed = self.rule.update(weights, trace.trace, coefficients, signals)
        weights, inner = jax.tree.map(
            lambda new, old: jnp.where(num_steps % self.steps == 0, new, old),
            changed,
            (weights, trace.trace),
        )
        return weights, Waiting(num_steps, inner)
