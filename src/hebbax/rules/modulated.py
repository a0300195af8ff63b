"""A rule whose changes wait for a signal that says what they were worth."""

import dataclasses
from typing import Literal, NamedTuple, final

import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from hebbax.rules.abcd import ABCD
from hebbax.rules.base import Rule, Signals
from hebbax.rules.modifiers import RULE, needs_modulator
from hebbax.types import checks

SHARE = checks.number("from 0 to 1", lambda value: 0 <= value <= 1)


class Eligible(NamedTuple):
    """What `Modulated` remembers of a layer.

    eligibility: `[pre, post]` changes that another rule would have made, which fade.
    mean: `[]` running mean of the rewards.
    trace: the other rule's memory.
    """

    eligibility: Float[Array, "pre post"]
    mean: Float[Array, ""]
    trace: PyTree


@final
@dataclasses.dataclass(frozen=True)
class Modulated:
    """Another rule, whose changes are remembered and made as far as a signal says.

        w_ij + m e_ij,   then   e_ij <- decay e_ij + change_ij

    m is known after the step that it judges: the reward of the step before, its difference from a
    running mean (surprise), or the output of a neuron of the network that modulates.

    Source: three-factor rules as in Soltoggio et al. 2018, https://arxiv.org/abs/1703.10371, and
    Gerstner et al. 2018, https://doi.org/10.3389/fncir.2018.00053.

    Examples:
        >>> import hebbax
        >>> rule = hebbax.rules.Modulated(hebbax.ABCD(), by="surprise", decay=0.8)
        >>> hebbax.Hebbian(hidden_sizes=(8,), rule=rule).rule.coefficients
        ('eta', 'A', 'B', 'C', 'D')
    """

    rule: Rule = ABCD()
    """The rule that says how weights would change."""
    by: Literal["reward", "surprise", "neuron"] = "surprise"
    """The signal: the reward, its difference from its running mean, or a neuron's output.

    The last needs a network that has such a neuron: `Hebbian(has_modulator=True)`.
    """
    decay: float = 0.9
    """The share of the eligibility that is left after a step."""
    mean_rate: float = 0.1
    """The share of a new reward in the running mean."""

    def __post_init__(self) -> None:
        """Refuses shares that are none."""
        checks.settle(
            self,
            "rule.",
            rule=RULE,
            by=checks.choice("reward", "surprise", "neuron"),
            decay=SHARE,
            mean_rate=SHARE,
        )

    @property
    def coefficients(self) -> tuple[str, ...]:
        """The other rule's."""
        return self.rule.coefficients

    @property
    def needs_modulator(self) -> bool:
        """Whether the network must have a neuron that modulates."""
        return self.by == "neuron" or needs_modulator(self.rule)

    def init(self, weights: Float[Array, "pre post"]) -> Eligible:
        """Nothing to judge yet."""
        return Eligible(jnp.zeros_like(weights), jnp.float32(0), self.rule.init(weights))

    def update(
        self,
        weights: Float[Array, "pre post"],
        trace: Eligible,
        coefficients: Float[Array, "_coefficients pre post"],
        signals: Signals,
    ) -> tuple[Float[Array, "pre post"], Eligible]:
        """Judges what is remembered, then remembers what the other rule would change now."""
        modulation = {
            "reward": signals.reward,
            "surprise": signals.reward - trace.mean,
            "neuron": signals.modulation,
        }[self.by]
        changed, inner = self.rule.update(weights, trace.trace, coefficients, signals)
        return weights + modulation * trace.eligibility, Eligible(
            self.decay * trace.eligibility + (changed - weights),
            trace.mean + self.mean_rate * (signals.reward - trace.mean),
            inner,
        )
