"""How the methods of a sweep share plasticity rules: what its central comparison is drawn over."""

import math
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax

from hebbax.comparison.results.rows import Results
from hebbax.config import Config
from hebbax.genomes.joint import Joint
from hebbax.genomes.shared import FixedRules, SharedRules

Sharing = Literal["individual", "evolved", "fixed", "none"]


class Method(NamedTuple):
    """A method of a sweep, and how it shares rules.

    name: its name.
    sharing: "individual" where every synapse has a rule of its own; "evolved" or "fixed" where
        rules are shared by an assignment that evolves or stays; "none" where nothing is plastic, or
        no run has begun that could tell.
    rho: synapses per rule; None where nothing is plastic.
    """

    name: str
    sharing: Sharing
    rho: float | None


def describe_methods(results: Results) -> list[Method]:
    """The methods of a sweep, in its order, as their first begun run's configuration says.

    Raises:
        ValueError: if a configuration cannot be read.

    Examples:
        >>> import hebbax
        >>> from hebbax.comparison import results
        >>> task, policy = hebbax.tasks.Point(), hebbax.Hebbian(hidden_sizes=())
        >>> strategy = hebbax.ScoreFunction(population_size=4)
        >>> config = hebbax.Config(task, policy, hebbax.Normal(), strategy, generations=2)
        >>> result = hebbax.train(config, "runs/point")
        >>> results.describe_methods(results.collect_run("runs/point"))
        [Method(name='point', sharing='individual', rho=1.0)]
    """
    begun: dict[str, Path] = {}
    for run in results.runs:
        if (run.path / "config.json").exists():
            begun.setdefault(run.method, run.path)
    return [
        Method(name, *sharing_of(Config.load(begun[name])))
        if name in begun
        else Method(name, "none", None)
        for name in results.methods
    ]


def sharing_of(config: Config) -> tuple[Sharing, float | None]:
    """How a configuration shares rules, and the synapses per rule.

    An encoding with fewer numbers than the network counts as a fixed sharing.
    """
    parameters = config.policy.parameters(config.task)
    leaves = jax.tree.leaves(parameters)
    num_synapses = sum(math.prod(leaf.shape[1:]) for leaf in leaves if leaf.kind == "rule")
    if num_synapses == 0:
        return "none", None
    for part in _parts(config.genome):
        if isinstance(part, SharedRules | FixedRules):
            rho = part.rho or num_synapses / (part.num_rules or 1)
            return "evolved" if isinstance(part, SharedRules) else "fixed", float(rho)
    num_numbers = sum(
        leaf.size
        for leaf in jax.tree.leaves(config.encoding.genotype_shape(parameters))
        if leaf.kind == "rule"
    )
    num_coefficients = sum(leaf.size for leaf in leaves if leaf.kind == "rule") / num_synapses
    rho = num_synapses * num_coefficients / max(1, num_numbers)
    return ("individual" if rho == 1 else "fixed"), rho


def _parts(genome: Any) -> list[Any]:
    """The genome, or the genomes of its parts."""
    if not isinstance(genome, Joint):
        return [genome]
    return [inner for _, part in genome.parts for inner in _parts(part)]
