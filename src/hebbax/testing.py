"""Tells whether a task, policy, rule, encoding, genome or strategy fits its interface.

Each check raises `ValueError` that names what does not fit, what it was and what it should be; it
returns None where everything does. Members, shapes and data types are looked at first, as every
training does; the rest takes computing.
"""

import functools
from collections.abc import Callable
from typing import Any

import chex
import jax
import jax.numpy as jnp
from jaxtyping import PyTree

from hebbax.encodings.base import Encoding
from hebbax.evolution import interfaces
from hebbax.evolution.generation import count_non_finite
from hebbax.genomes.base import Genome, GenomeSpec, learned_of, log_probs_of, with_learned
from hebbax.policies.base import Policy, TaskShape
from hebbax.rules.base import Rule, Signals
from hebbax.strategies.base import Strategy
from hebbax.tasks.base import Task
from hebbax.types import checks

SEED = 0


def check_task(task: Task) -> None:
    """Checks a task.

    Variations that stack, shapes, data types, jit, vmap, determinism, finite numbers in a first
    step, and that the state keeps its structure.

    Args:
        task: the specification to check.

    Raises:
        ValueError: if something does not fit.

    Examples:
        >>> import hebbax
        >>> hebbax.testing.check_task(hebbax.tasks.Point())
    """
    interfaces.fit_task(task)
    first = next(iter(task.variations.values()))
    action = jnp.zeros(task.action_size)
    state, observation = _check_function(task.reset, (jax.random.key(SEED), first), "task.reset")
    after = _check_function(task.step, (state, action, first), "task.step")
    for name, numbers in (
        ("the observation that task.reset returns", observation),
        ("the observation that task.step returns", after[1]),
        ("the reward that task.step returns", after[2]),
    ):
        interfaces.require(
            bool(jnp.all(jnp.isfinite(numbers))),
            f"{name} is not finite: {numbers}; with an action of zeros, after a first step, it "
            "must be",
        )

    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *task.variations.values())
    # Shapes are all that is asked for, and they are there without compiling anything.
    states, _ = interfaces.shapes_returned(
        "task.reset mapped over the variations",
        jax.vmap(task.reset, (None, 0)),
        jax.random.key(SEED),
        stacked,
    )
    interfaces.shapes_returned(
        "task.step mapped over the variations",
        jax.vmap(task.step, (0, None, 0)),
        states,
        action,
        stacked,
    )


def check_policy(policy: Policy, task: TaskShape) -> None:
    """Checks a policy on the observations and actions of a task.

    Raises:
        ValueError: if something does not fit.

    Examples:
        >>> import hebbax
        >>> hebbax.testing.check_policy(hebbax.Hebbian(hidden_sizes=()), hebbax.tasks.Point())
    """
    phenotype = _full(interfaces.fit_policy(policy, task))
    memory = _check_function(policy.reset, (jax.random.key(SEED), phenotype), "policy.reset")
    observation, reward = jnp.ones(task.observation_shape), jnp.asarray(1.0)
    _check_function(policy.act, (phenotype, memory, observation, reward), "policy.act")


def check_rule(rule: Rule) -> None:
    """Checks a rule on a layer of two by three synapses.

    Raises:
        ValueError: if something does not fit.

    Examples:
        >>> import hebbax
        >>> hebbax.testing.check_rule(hebbax.ABCD())
    """
    interfaces.check_members(rule, "rule", ("coefficients", "init", "update"))
    checks.hashable("rule", rule)
    weights = jnp.full((2, 3), 0.1)
    coefficients = jnp.full((len(rule.coefficients), 2, 3), 0.1)
    signals = Signals(jnp.ones((2, 1)), jnp.full((1, 3), 0.5), reward=jnp.asarray(1.0))
    trace = _check_function(rule.init, (weights,), "rule.init")
    after = _check_function(rule.update, (weights, trace, coefficients, signals), "rule.update")
    interfaces.check_same_shapes(
        after,
        (weights, trace),
        "what rule.update returns",
        "the weights and the memory it was given",
        "so that steps can be repeated",
    )


def check_encoding(encoding: Encoding, parameters: PyTree) -> None:
    """Checks an encoding on a network's parameters.

    Raises:
        ValueError: if something does not fit.

    Examples:
        >>> import hebbax
        >>> parameters = hebbax.Hebbian(hidden_sizes=()).parameters(hebbax.tasks.Point())
        >>> hebbax.testing.check_encoding(hebbax.Direct(), parameters)
    """
    genotype = _full(interfaces.fit_encoding(encoding, parameters))
    wiring = _check_function(
        lambda key: encoding.wire(key, parameters), (jax.random.key(SEED),), "encoding.wire"
    )
    kept = _check_function(
        functools.partial(encoding.express, parameters), (wiring, genotype), "encoding.express"
    )
    phenotype = _check_function(
        functools.partial(encoding.read, parameters), (wiring, kept), "encoding.read"
    )
    if not encoding.reads_each_step:
        _require_close(
            phenotype,
            kept,
            "encoding.reads_each_step is False, but encoding.read changes something",
        )


def check_genome(specification: GenomeSpec, genotype_shape: PyTree) -> None:
    """Checks a genome on the genotypes of a policy, its optional functions included.

    Raises:
        ValueError: if something does not fit.

    Examples:
        >>> import hebbax
        >>> shape = hebbax.Hebbian(hidden_sizes=()).parameters(hebbax.tasks.Point())
        >>> hebbax.testing.check_genome(hebbax.Normal(), shape)
    """
    interfaces.fit_genome(specification, genotype_shape)
    genome: Genome = _check_function(
        lambda key: specification.init(key, genotype_shape), (jax.random.key(SEED),), "genome.init"
    )
    genome = genome.with_std(jnp.asarray(0.1))
    genotype = _check_function(
        lambda genome, key: genome.sample(key), (genome, jax.random.key(SEED)), "genome.sample"
    )
    log_prob = _check_function(
        lambda genome, genotype: genome.log_prob(genotype), (genome, genotype), "genome.log_prob"
    )
    together = log_probs_of(genome, jax.tree.map(lambda leaf: leaf[None], genotype))
    _require_close(
        together, log_prob[None], "genome.log_probs returns another value than genome.log_prob"
    )
    _check_mirror(genome, genotype, log_prob)
    learned = learned_of(genome)
    for name in ("natural_gradient", "even_gradient"):
        if hasattr(genome, name):
            scaled = interfaces.shapes_returned(
                f"genome.{name}",
                lambda genome, gradient, name=name: getattr(genome, name)(gradient),
                genome,
                learned,
            )
            interfaces.check_same_shapes(
                scaled,
                learned,
                f"what genome.{name} returns",
                "the gradient it was given",
                "so that steps can be taken",
            )
    gradient = jax.jit(jax.grad(lambda learned: with_learned(genome, learned).log_prob(genotype)))(
        learned
    )
    interfaces.require(
        bool(count_non_finite(gradient) == 0),
        "the gradient of genome.log_prob is not finite at a sample of the genome",
    )


def _check_mirror(genome: Genome, genotype: PyTree, log_prob: Any) -> None:
    """Checks the mirror image of a genotype, if there is one.

    A genome without may lack the function, or refuse with a `ValueError`.
    """
    try:
        image = genome.mirror(genotype)
    except (AttributeError, ValueError):
        return
    interfaces.check_same_shapes(
        image,
        genotype,
        "the genotype that genome.mirror returns",
        "the one it was given",
        "as the policy expects",
    )
    _require_close(
        genome.mirror(image),
        genotype,
        "genome.mirror returns another genotype than the first when it is used twice",
    )
    _require_close(
        genome.log_prob(image),
        log_prob,
        "genome.mirror returns a genotype that is not as probable as the one it was given",
    )


def check_strategy(strategy: Strategy, genome: Genome) -> None:
    """Checks a strategy on a genome.

    Raises:
        ValueError: if something does not fit.

    Examples:
        >>> import hebbax
        >>> import jax
        >>> shape = hebbax.Hebbian(hidden_sizes=()).parameters(hebbax.tasks.Point())
        >>> genome = hebbax.Normal().init(jax.random.key(0), shape)
        >>> hebbax.testing.check_strategy(hebbax.ScoreFunction(population_size=4), genome)
    """
    interfaces.fit_strategy(strategy, genome)
    state = _check_function(strategy.init, (jax.random.key(SEED), genome), "strategy.init")
    genotypes = _check_function(strategy.ask, (jax.random.key(SEED), state), "strategy.ask")
    _check_function(
        strategy.tell,
        (state, genotypes, jnp.arange(strategy.population_size, dtype=jnp.float32)),
        "strategy.tell",
    )


def _check_function(function: Callable[..., Any], arguments: tuple, name: str) -> Any:
    """Calls a function plainly, again, and compiled: all three must agree."""
    results = function(*arguments)
    with jax.debug_key_reuse(False):  # On purpose: the same keys must give the same values.
        again = function(*arguments)
        compiled = jax.jit(function)(*arguments)
    _require_close(
        again,
        results,
        f"{name} returns another value when it is called again with the same arguments",
        tolerance=0.0,
    )
    _require_close(compiled, results, f"{name} returns another value under jax.jit")
    return results


def _require_close(tree: PyTree, other: PyTree, problem: str, tolerance: float = 1e-3) -> None:
    """Refuses trees whose numbers are apart, with the words of chex behind ours."""
    numbers, other_numbers = _numbers(tree), _numbers(other)
    try:
        chex.assert_trees_all_close(numbers, other_numbers, rtol=tolerance, atol=tolerance)
    except AssertionError as error:
        raise ValueError(f"{problem}: {' '.join(str(error).split())}") from None


def _full(parameters: PyTree) -> PyTree:
    """Arrays of the shapes of parameters, each number 0.1."""
    return jax.tree.map(lambda leaf: jnp.full(leaf.shape, 0.1, leaf.dtype), parameters)


def _numbers(tree: PyTree) -> PyTree:
    """A tree of arrays without its random keys, which chex does not compare."""
    arrays = jax.tree.map(jnp.asarray, tree)
    return jax.tree.map(
        lambda leaf: None if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf, arrays
    )
