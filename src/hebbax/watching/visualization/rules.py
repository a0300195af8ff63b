"""The rules of a genome, and how much each of them is used, as plain arrays."""

from typing import Any, NamedTuple

import jax
import numpy as np

from hebbax.evolution.episode import Setup
from hebbax.evolution.result import Result
from hebbax.genomes.base import Genome
from hebbax.genomes.joint import JointGenome
from hebbax.genomes.shared import FixedRulesGenome, SharedRulesGenome
from hebbax.rules.base import Rule
from hebbax.types import Parameter


class Rules(NamedTuple):
    """The plasticity rules of a genome.

    rule: what they are numbers of.
    coefficients: `[rules, coefficients]` the numbers of each.
    use: `[rules]` the share of the synapses that use each; of shared rules the mean of their
        probabilities.
    entropies: `[synapses]` nats, entropy of each synapse's choice of a rule; None where there is no
        choice.
    """

    rule: Rule
    coefficients: np.ndarray
    use: np.ndarray
    entropies: np.ndarray | None


def rules_of(result: Result) -> Rules:
    """The rules of a run's genome; where synapses share none, one for every synapse.

    Raises:
        ValueError: if it has none, because nothing is plastic.

    Examples:
        >>> import hebbax
        >>> task, policy = hebbax.tasks.Point(), hebbax.Hebbian(hidden_sizes=())
        >>> strategy = hebbax.ScoreFunction(population_size=4)
        >>> config = hebbax.Config(task, policy, hebbax.Normal(), strategy, generations=2)
        >>> rules = hebbax.watching.rules_of(hebbax.train(config))
        >>> rules.coefficients.shape, rules.use.tolist()
        ((4, 5), [0.25, 0.25, 0.25, 0.25])
    """
    rule = rule_of(result.config.policy)
    genome = _shared_part(result.genome)
    if rule is None:
        raise ValueError(
            f"the policy is {type(result.config.policy).__name__}, which has no plasticity rules; "
            "allowed are runs of plastic policies"
        )
    if isinstance(genome, SharedRulesGenome):
        probabilities = np.asarray(jax.nn.softmax(genome.logits), np.float64)
        entropies = -np.sum(
            probabilities * np.log(np.maximum(probabilities, np.finfo(np.float64).tiny)), axis=1
        )
        return Rules(
            rule, np.asarray(genome.rules, np.float64), np.mean(probabilities, axis=0), entropies
        )
    if isinstance(genome, FixedRulesGenome):
        users = np.bincount(np.asarray(genome.assignment, np.int64), minlength=len(genome.rules))
        return Rules(rule, np.asarray(genome.rules, np.float64), users / users.sum(), None)
    coefficients = _coefficients(result)
    return Rules(rule, coefficients, np.full(len(coefficients), 1 / len(coefficients)), None)


def rule_of(policy: Any) -> Rule | None:
    """The rule by which a policy, or the one behind its eyes, changes; None if there is none.

    Examples:
        >>> import hebbax
        >>> from hebbax.watching.visualization.rules import rule_of
        >>> rule_of(hebbax.policies.Convolutional(hebbax.Hebbian(is_output_linear=True)))
        ABCD(terms='ABCD', rate='inside')
    """
    return getattr(policy, "rule", None) or getattr(getattr(policy, "head", None), "rule", None)


def _coefficients(result: Result) -> np.ndarray:
    """The numbers `[synapses, coefficients]` of every synapse's rule, of the genome's mode."""
    setup = Setup.of(result.config)
    phenotype = setup.read(result.wiring, setup.express(result.wiring, result.genome.mode()))
    parameters: list[Parameter] = jax.tree.leaves(setup.parameters)
    return np.concatenate(
        [
            np.asarray(leaf, np.float64).reshape(parameter.shape[0], -1).T
            for parameter, leaf in zip(parameters, jax.tree.leaves(phenotype), strict=True)
            if parameter.kind == "rule"
        ]
    )


def _shared_part(genome: Genome) -> Any:
    """The part of a joint genome that shares rules; any other genome itself."""
    if not isinstance(genome, JointGenome):
        return genome
    parts = map(_shared_part, genome.parts.values())
    shared = (part for part in parts if isinstance(part, SharedRulesGenome | FixedRulesGenome))
    return next(shared, genome)
