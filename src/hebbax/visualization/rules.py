"""The rules of a genome, and how much each of them is used, as plain arrays."""

from typing import Any, NamedTuple

import jax
import numpy as np

from hebbax.genomes.base import Genome
from hebbax.genomes.joint import JointGenome
from hebbax.genomes.shared import FixedRulesGenome, SharedRulesGenome
from hebbax.plasticity import COEFFICIENTS


class Rules(NamedTuple):
    """The plasticity rules of a genome.

    coefficients: `[rules, 5]` eta, A, B, C and D of each rule.
    use: `[rules]` the share of the synapses that use each; of shared rules the mean of their
        probabilities.
    entropies: `[synapses]` nats, entropy of each synapse's choice of a rule; None where there is no
        choice.
    """

    coefficients: np.ndarray
    use: np.ndarray
    entropies: np.ndarray | None


def rules_of(genome: Genome) -> Rules:
    """The rules of a genome; of individual rules one for every synapse.

    Raises:
        ValueError: if it has none, because nothing is plastic.
    """
    genome = _plastic_part(genome)
    if isinstance(genome, SharedRulesGenome):
        probabilities = np.asarray(jax.nn.softmax(genome.logits), np.float64)
        entropies = -np.sum(
            probabilities * np.log(np.maximum(probabilities, np.finfo(np.float64).tiny)), axis=1
        )
        return Rules(
            np.asarray(genome.rules, np.float64), np.mean(probabilities, axis=0), entropies
        )
    if isinstance(genome, FixedRulesGenome):
        num_rules = genome.rules.shape[0]
        users = np.bincount(np.asarray(genome.assignment, np.int64), minlength=num_rules)
        return Rules(np.asarray(genome.rules, np.float64), users / users.sum(), None)
    layers = [
        np.asarray(leaf, np.float64) for leaf in jax.tree.leaves(genome.mode()) if _is_layer(leaf)
    ]
    if not layers:
        raise ValueError(
            f"the genome is a {type(genome).__name__} without plasticity rules; allowed are "
            "genomes of plastic policies"
        )
    coefficients = np.concatenate([layer.reshape(len(COEFFICIENTS), -1).T for layer in layers])
    return Rules(coefficients, np.full(len(coefficients), 1 / len(coefficients)), None)


def _plastic_part(genome: Genome) -> Any:
    """The part of a joint genome that has rules; any other genome itself."""
    if not isinstance(genome, JointGenome):
        return genome
    parts = [_plastic_part(part) for part in genome.parts.values()]
    plastic = [
        part
        for part in parts
        if isinstance(part, SharedRulesGenome | FixedRulesGenome) or _has_layers(part)
    ]
    return plastic[0] if plastic else genome


def _has_layers(genome: Genome) -> bool:
    return any(_is_layer(leaf) for leaf in jax.tree.leaves(genome.mode()))


def _is_layer(leaf: Any) -> bool:
    """Whether an array is `[5, pre, post]`, rules of a layer, and no weights or filters."""
    return leaf.ndim == 3 and leaf.shape[0] == len(COEFFICIENTS)
