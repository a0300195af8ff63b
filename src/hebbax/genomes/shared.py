"""A few plasticity rules shared by many synapses.

A Gaussian mixture, whose rules and assignment evolve together.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import final

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PyTree

from hebbax.genomes import mixture
from hebbax.genomes.base import Scaled, Size
from hebbax.genomes.normal import NormalGenome
from hebbax.genomes.synapses import Layout, num_rules_of
from hebbax.types import Genotype, PRNGKey, checks
from hebbax.types.arguments import ARGUMENT
from hebbax.types.assignments import assign_evenly


@final
class SharedRulesGenome(Scaled):
    """A mixture of Gaussians, the same for all synapses of all layers but for its weights.

        p(h) = prod_i sum_k softmax(logits_i)_k N(h_i; rules_k, std^2 I)

    logits: `[n, k]` unnormalised log-probability that a synapse uses a rule.
    rules: `[k, coefficients]` the shared rules, such as (eta, A, B, C, D).
    std: `[]` spread around a rule. Scheduled, not learned.
    layout: where the synapses are in a genotype.

    Source: Palm et al. 2021, section 3.4, https://arxiv.org/abs/2011.06811.
    """

    logits: Float[Array, "n k"]
    rules: Float[Array, "k coefficients"]
    std: Float[Array, ""]
    layout: Layout = dataclasses.field(metadata={"static": True})

    def sample(self, key: PRNGKey) -> Genotype:
        """Draws a rule for every synapse, and the synapse's own rule around it.

        The key is consumed.

        A number drawn for each synapse is looked up in the running sums of its probabilities, which
        a population shares.
        """
        rule_key, noise_key = jax.random.split(key)
        edges = jnp.cumsum(jax.nn.softmax(self.logits), axis=1)
        draws = jax.random.uniform(rule_key, (edges.shape[0],), edges.dtype)
        chosen = jax.vmap(jnp.searchsorted)(edges, draws)
        # The last edge may be below one by a rounding.
        chosen = jnp.minimum(chosen, edges.shape[1] - 1)
        return NormalGenome(self.layout.to_genotype(self.rules[chosen]), self.std).sample(noise_key)

    def log_prob(self, genotype: Genotype) -> Float[Array, ""]:
        """The log-density; its gradient reaches logits and rules alone."""
        return self.log_probs(jax.tree.map(lambda leaf: leaf[None], genotype))[0]

    def log_probs(self, genotypes: Genotype) -> Float[Array, " population"]:
        """The log-densities of a population.

        Never more than a few synapses' share of `population x n x k` numbers is held at a time.
        """
        synapses = jax.vmap(self.layout.to_synapses)(genotypes)
        return mixture.log_densities(
            self.logits,
            self.rules,
            jax.lax.stop_gradient(self.std),
            jax.lax.stop_gradient(synapses),
        )

    def mode(self) -> Genotype:
        """The most probable rule of every synapse."""
        return self.layout.to_genotype(self.rules[jnp.argmax(self.logits, axis=1)])

    def size(self) -> Size:
        """The rules, and log2 k bits for every synapse."""
        num_synapses, num_rules = self.logits.shape
        return Size(self.rules.size, num_synapses * math.log2(num_rules))

    def mirror(self, genotype: Genotype) -> Genotype:
        """Refused: a mixture has no centre to mirror at."""
        raise ValueError(
            "strategy.is_mirrored is True, but shared rules are a mixture, which has no mirror "
            "image; set it to False"
        )

    def natural_gradient(self, gradient: "SharedRulesGenome") -> "SharedRulesGenome":
        """The gradient over the Fisher information of each parameter.

        That of a logit is its probability p_ik, but for a shift of a synapse's logits that changes
        no probability; that of a rule is E[n_k] / std^2, with n_k the synapses that use it.
        """
        return gradient.replace(
            logits=self._natural_logits(gradient.logits),
            rules=gradient.rules * (jnp.square(self.std) / self._num_users())[:, None],
        )

    def even_gradient(self, gradient: "SharedRulesGenome") -> "SharedRulesGenome":
        """The gradient, scaled so that noise moves rules and assignments equally far.

        However many synapses share a rule. Logits take the natural gradient. A rule's gradient has
        a deviation that grows as sqrt(E[n_k]) / std; a step of std that does not depend on n_k is
        std^2 / sqrt(E[n_k]) times it.
        """
        return gradient.replace(
            logits=self._natural_logits(gradient.logits),
            rules=gradient.rules * (jnp.square(self.std) / jnp.sqrt(self._num_users()))[:, None],
        )

    def _natural_logits(self, gradient: Float[Array, "n k"]) -> Float[Array, "n k"]:
        return gradient / jnp.maximum(jax.nn.softmax(self.logits), 1e-6)

    def _num_users(self) -> Float[Array, " k"]:
        """E[n_k], the expected number of synapses that use each rule."""
        # A rule that nobody uses has no gradient either.
        return jnp.maximum(jnp.sum(jax.nn.softmax(self.logits), axis=0), 1e-6)

    def describe(self) -> dict[str, Array]:
        """Figures for the log.

        assignment_entropy: nats, mean over the synapses; log k where every rule is as likely.
        rules_in_use: exponential of the entropy of the mean assignment: how many rules are
            effectively in use.
        rules_spread: root mean square distance of a coefficient from its mean over the rules.
        """
        probabilities = jax.nn.softmax(self.logits)
        used = jnp.mean(probabilities, axis=0)
        entropies = -jnp.sum(jax.scipy.special.xlogy(probabilities, probabilities), axis=1)
        return {
            "assignment_entropy": jnp.mean(entropies),
            "rules_in_use": jnp.exp(-jnp.sum(jax.scipy.special.xlogy(used, used))),
            "rules_spread": _spread(self.rules),
        }


@dataclasses.dataclass(frozen=True)
class FewRules:
    """What both ways of sharing rules have: how many rules there are, and how they begin."""

    rho: float | None = None
    """Synapses per rule; a network of N synapses has max(1, round(N / rho)) rules."""
    num_rules: int | None = None
    """Number of rules."""
    init_scale: float = dataclasses.field(default=1.0, metadata=ARGUMENT)
    """Standard deviation of the initial rules around zero."""

    def __post_init__(self) -> None:
        """Refuses scales and numbers of rules that cannot be."""
        allowed = "between 1 and the number of synapses"
        checks.settle(
            self,
            "genome.",
            rho=checks.optional(checks.number(allowed, lambda value: value >= 1)),
            num_rules=checks.optional(checks.integer(at_least=1, allowed=allowed)),
            init_scale=checks.not_negative,
        )
        if (self.rho is None) == (self.num_rules is None):
            raise ValueError(
                f"genome.rho is {self.rho} and genome.num_rules is {self.num_rules}, but one of "
                "them must be given and the other None"
            )

    def _draw(
        self, key: PRNGKey, genotype_shape: PyTree, assign: Callable[..., Array]
    ) -> tuple[Layout, Float[Array, "k coefficients"], Int[Array, " n"]]:
        """Draws the initial rules, and one of them for each synapse. The key is consumed.

        Args:
            key: for both.
            genotype_shape: what the rules are of.
            assign: draws a rule for each synapse, of a key and the numbers of synapses and rules.
        """
        rules_key, assignment_key = jax.random.split(key)
        layout = Layout.of(genotype_shape)
        num_rules = num_rules_of(layout.num_synapses, self.rho, self.num_rules)
        shape = (num_rules, layout.num_coefficients)
        rules = self.init_scale * jax.random.normal(rules_key, shape, jnp.float32)
        return layout, rules, assign(assignment_key, layout.num_synapses, num_rules)


@final
@dataclasses.dataclass(frozen=True)
class SharedRules(FewRules):
    """Rules shared through a mixture whose assignment evolves. Give `rho` or `num_rules`.

    Examples:
        >>> import hebbax
        >>> import jax
        >>> shape = hebbax.Hebbian(hidden_sizes=(8,)).parameters(hebbax.tasks.Point())
        >>> genome = hebbax.SharedRules(rho=16).init(jax.random.key(0), shape)
        >>> genome.rules.shape, genome.logits.shape
        ((2, 5), (32, 2))
    """

    sharpness: float = dataclasses.field(default=0.0, metadata=ARGUMENT)
    """Initial logit of one rule that each synapse is given at random.

    0 leaves all rules as likely (the paper).
    """

    def __post_init__(self) -> None:
        """Refuses scales and numbers of rules that cannot be."""
        checks.settle(self, "genome.", sharpness=checks.not_negative)
        super().__post_init__()

    def init(self, key: PRNGKey, genotype_shape: PyTree) -> SharedRulesGenome:
        """Draws the initial rules and assignment. The key is consumed."""
        layout, rules, given = self._draw(key, genotype_shape, _assign_independently)
        logits = self.sharpness * jax.nn.one_hot(given, rules.shape[0], dtype=jnp.float32)
        return SharedRulesGenome(logits=logits, rules=rules, std=jnp.float32(1), layout=layout)


@final
class FixedRulesGenome(Scaled):
    """Shared rules whose assignment is drawn once and never changes.

        p(h) = prod_i N(h_i; rules_{assignment_i}, std^2 I)

    rules: `[k, coefficients]` the shared rules, such as (eta, A, B, C, D).
    assignment: `[n]` number of each synapse's rule. Not learned.
    std: `[]` spread around a rule. Scheduled, not learned.
    layout: where the synapses are in a genotype.
    """

    rules: Float[Array, "k coefficients"]
    assignment: Int[Array, " n"]
    std: Float[Array, ""]
    layout: Layout = dataclasses.field(metadata={"static": True})

    def sample(self, key: PRNGKey) -> Genotype:
        """Draws every synapse's own rule around its shared one. The key is consumed."""
        return self._around_shared().sample(key)

    def log_prob(self, genotype: Genotype) -> Float[Array, ""]:
        """The log-density; its gradient reaches the rules alone."""
        return self._around_shared().log_prob(genotype)

    def log_probs(self, genotypes: Genotype) -> Float[Array, " population"]:
        """The log-densities of a population.

        Here, so that devices add up gradients of a few rules, and not of all synapses.
        """
        return jax.vmap(self.log_prob)(genotypes)

    def mode(self) -> Genotype:
        """The shared rule of every synapse."""
        return self._around_shared().mode()

    def size(self) -> Size:
        """The rules: the assignment comes from a seed."""
        return Size(self.rules.size)

    def mirror(self, genotype: Genotype) -> Genotype:
        """Reflects every synapse's own rule at its shared one."""
        return self._around_shared().mirror(genotype)

    def learned(self) -> "FixedRulesGenome":
        """The rules alone."""
        return self.replace(assignment=None, std=None)

    def natural_gradient(self, gradient: "FixedRulesGenome") -> "FixedRulesGenome":
        """The gradient over the Fisher information of a rule, n_k / std^2."""
        return gradient.replace(
            rules=gradient.rules * (jnp.square(self.std) / self._num_users())[:, None]
        )

    def even_gradient(self, gradient: "FixedRulesGenome") -> "FixedRulesGenome":
        """The gradient, scaled as `SharedRulesGenome.even_gradient` does."""
        return gradient.replace(
            rules=gradient.rules * (jnp.square(self.std) / jnp.sqrt(self._num_users()))[:, None]
        )

    def _num_users(self) -> Float[Array, " k"]:
        """How many synapses use each rule, at least one."""
        count = jnp.zeros(self.rules.shape[0], jnp.float32).at[self.assignment].add(1.0)
        return jnp.maximum(count, 1.0)

    def describe(self) -> dict[str, Array]:
        """The spread of the rules, as `SharedRulesGenome.describe` has it."""
        return {"rules_spread": _spread(self.rules)}

    def _around_shared(self) -> NormalGenome:
        return NormalGenome(self.layout.to_genotype(self.rules[self.assignment]), self.std)


@final
@dataclasses.dataclass(frozen=True)
class FixedRules(FewRules):
    """Rules shared by a random assignment that stays: the control that `SharedRules` must beat.

    All rules have as many synapses, to within one. Give `rho` or `num_rules`.
    """

    def init(self, key: PRNGKey, genotype_shape: PyTree) -> FixedRulesGenome:
        """Draws the initial rules and the assignment. The key is consumed."""
        layout, rules, assignment = self._draw(key, genotype_shape, assign_evenly)
        return FixedRulesGenome(
            rules=rules, assignment=assignment, std=jnp.float32(1), layout=layout
        )


def _assign_independently(key: PRNGKey, num_synapses: int, num_rules: int) -> Int[Array, " n"]:
    return jax.random.randint(key, (num_synapses,), 0, num_rules, jnp.int32)


def _spread(rules: Float[Array, "k coefficients"]) -> Float[Array, ""]:
    return jnp.sqrt(jnp.mean(jnp.var(rules, axis=0)))
