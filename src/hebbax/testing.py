"""Tells whether a task, policy, genome or strategy of one's own fits its interface.

Each check raises `ValueError` that names what does not fit, what it was and what it should be; it returns None where everything does.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from hebbax.genomes.base import Genome, GenomeSpec
from hebbax.policies.base import Policy, TaskShape
from hebbax.strategies.base import Strategy
from hebbax.tasks.base import Task

SEED = 0


def check_task(task: Task) -> None:
    """Checks a task: variations that stack, shapes, data types, jit, vmap, determinism, and that the state keeps its structure.

    Args:
        task: the specification to check.

    Raises:
        ValueError: if something does not fit.
    """
    _check_members(task, "task", ["variations", "observation_shape", "action_size", "max_steps", "reset", "step"])
    _check_hashable(task, "task")
    _require(len(task.variations) > 0, "task.variations is empty, but must have at least one variation")
    first_name, first = next(iter(task.variations.items()))
    for name, variation in task.variations.items():
        _check_same_shapes(variation, first, f"task.variations[{name!r}]", f"task.variations[{first_name!r}]", "so that variations stack")
    _require(task.max_steps >= 1, f"task.max_steps is {task.max_steps}, but must be 1 or more")

    action = jnp.zeros(task.action_size)
    state, observation = _check_function(task.reset, (jax.random.key(SEED), first), "task.reset")
    _check_array(observation, task.observation_shape, jnp.floating, "the observation that task.reset returns")
    next_state, observation, reward, is_end = _check_function(task.step, (state, action, first), "task.step")
    _check_same_shapes(
        next_state, state, "the state that task.step returns", "the one that task.reset returns", "so that steps can be repeated"
    )
    _check_array(observation, task.observation_shape, jnp.floating, "the observation that task.step returns")
    _check_array(reward, (), jnp.floating, "the reward")
    _check_array(is_end, (), jnp.bool_, "the end of the lifetime")

    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *task.variations.values())
    # Shapes are all that is asked for, and they are there without compiling anything.
    states, _ = jax.eval_shape(jax.vmap(task.reset, in_axes=(None, 0)), jax.random.key(SEED), stacked)
    _, _, rewards, _ = jax.eval_shape(jax.vmap(task.step, in_axes=(0, None, 0)), states, action, stacked)
    _require(rewards.shape == (len(task.variations),), f"task.step mapped over the variations returns rewards of shape {rewards.shape}")


def check_policy(policy: Policy, task: TaskShape) -> None:
    """Checks a policy on the observations and actions of a task.

    Raises:
        ValueError: if something does not fit.
    """
    _check_members(policy, "policy", ["genotype_shape", "reset", "act"])
    _check_hashable(policy, "policy")
    genotype = jax.tree.map(lambda leaf: jnp.full(leaf.shape, 0.1, leaf.dtype), policy.genotype_shape(task))
    memory = _check_function(policy.reset, (jax.random.key(SEED), genotype), "policy.reset")
    observation = jnp.ones(task.observation_shape)
    action, next_memory = _check_function(policy.act, (genotype, memory, observation), "policy.act")
    _check_array(action, (task.action_size,), jnp.floating, "the action that policy.act returns")
    _check_same_shapes(
        next_memory, memory, "the memory that policy.act returns", "the one that policy.reset returns", "so that steps can be repeated"
    )


def check_genome(specification: GenomeSpec, genotype_shape: PyTree) -> None:
    """Checks a genome on the genotypes of a policy.

    Raises:
        ValueError: if something does not fit.
    """
    _check_members(specification, "genome", ["init"])
    _check_hashable(specification, "genome")
    genome: Genome = _check_function(lambda key: specification.init(key, genotype_shape), (jax.random.key(SEED),), "genome.init")
    _check_members(genome, "genome", ["sample", "log_prob", "mode", "with_std"])
    genome = genome.with_std(jnp.asarray(0.1))
    genotype = _check_function(lambda genome, key: genome.sample(key), (genome, jax.random.key(SEED)), "genome.sample")
    _check_same_shapes(
        genotype, genotype_shape, "the genotype that genome.sample returns", "the genotype_shape it was given", "as the policy expects"
    )
    _check_same_shapes(
        genome.mode(), genotype_shape, "the genotype that genome.mode returns", "the genotype_shape it was given", "as the policy expects"
    )
    log_prob = _check_function(lambda genome, genotype: genome.log_prob(genotype), (genome, genotype), "genome.log_prob")
    _check_array(log_prob, (), jnp.floating, "the log-density that genome.log_prob returns")
    gradient = jax.jit(jax.grad(lambda genome: genome.log_prob(genotype)))(genome)
    is_finite = all(bool(jnp.all(jnp.isfinite(leaf))) for leaf in jax.tree.leaves(gradient))
    _require(is_finite, "the gradient of genome.log_prob is not finite at a sample of the genome")


def check_strategy(strategy: Strategy, genome: Genome) -> None:
    """Checks a strategy on a genome.

    Raises:
        ValueError: if something does not fit.
    """
    _check_members(strategy, "strategy", ["population_size", "init", "ask", "tell", "shared_lives"])
    _check_hashable(strategy, "strategy")
    size = strategy.population_size
    state = _check_function(strategy.init, (jax.random.key(SEED), genome), "strategy.init")
    _check_members(state, "the state that strategy.init returns", ["genome"])
    genotypes = _check_function(strategy.ask, (jax.random.key(SEED), state), "strategy.ask")
    for leaf, one in zip(jax.tree.leaves(genotypes), jax.tree.leaves(genome.mode()), strict=True):
        _check_array(leaf, (size, *one.shape), one.dtype, "a leaf of the genotypes that strategy.ask returns")
    _check_array(strategy.shared_lives(), (size,), jnp.integer, "what strategy.shared_lives returns")
    next_state, info = _check_function(strategy.tell, (state, genotypes, jnp.arange(size, dtype=jnp.float32)), "strategy.tell")
    _check_same_shapes(
        next_state, state, "the state that strategy.tell returns", "the one that strategy.init returns", "so that generations can follow"
    )
    for name, value in info.items():
        _require(jnp.shape(value) == (), f"the info {name!r} that strategy.tell returns has shape {jnp.shape(value)}, but must be a number")


def _require(is_fine: bool, problem: str) -> None:
    if not is_fine:
        raise ValueError(problem)


def _check_members(thing: Any, name: str, members: list[str]) -> None:
    for member in members:
        _require(hasattr(thing, member), f"{name} ({type(thing).__name__}) has no {member!r}; needed are {', '.join(members)}")


def _check_hashable(specification: Any, name: str) -> None:
    try:
        hash(specification)
    except TypeError as error:
        raise ValueError(f"{name} cannot be hashed ({error}); make it a frozen dataclass of numbers, texts and tuples") from error


def _check_function(function: Callable[..., Any], arguments: tuple, name: str) -> Any:
    """Calls a function plainly, again, and compiled: all three must agree."""
    results = function(*arguments)
    with jax.debug_key_reuse(False):  # On purpose: the same keys must give the same values.
        again = function(*arguments)
        compiled = jax.jit(function)(*arguments)
    for first, second, third in zip(jax.tree.leaves(results), jax.tree.leaves(again), jax.tree.leaves(compiled), strict=True):
        if jnp.issubdtype(jnp.asarray(first).dtype, jax.dtypes.prng_key):
            continue
        _require(
            np.array_equal(first, second, equal_nan=True), f"{name} returns another value when it is called again with the same arguments"
        )
        is_close = np.allclose(first, third, rtol=1e-3, atol=1e-3, equal_nan=True)
        _require(is_close, f"{name} returns another value under jax.jit")
    return results


def _check_array(value: Any, shape: tuple[int, ...], kind: Any, name: str) -> None:
    _require(jnp.shape(value) == tuple(shape), f"{name} has shape {jnp.shape(value)}, but must have {tuple(shape)}")
    dtype, allowed = jnp.asarray(value).dtype, getattr(kind, "__name__", kind)
    _require(jnp.issubdtype(dtype, kind), f"{name} has dtype {dtype}, but must be {allowed}")


def _check_same_shapes(tree: PyTree, other: PyTree, name: str, other_name: str, why: str) -> None:
    """Refuses trees that differ in structure, or in the shape or data type of a leaf."""
    structure, other_structure = jax.tree.structure(tree), jax.tree.structure(other)
    _require(
        structure == other_structure,
        f"{name} is a tree of {structure}, but {other_name} one of {other_structure}; they must be equal, {why}",
    )
    for (path, leaf), other_leaf in zip(jax.tree.leaves_with_path(tree), jax.tree.leaves(other), strict=True):
        shape, other_shape = jnp.shape(leaf), other_leaf.shape if hasattr(other_leaf, "shape") else jnp.shape(other_leaf)
        dtype, other_dtype = jnp.result_type(leaf), jnp.result_type(other_leaf)
        place = jax.tree_util.keystr(path)
        _require(
            shape == other_shape and dtype == other_dtype,
            f"{name} has {dtype}{list(shape)} at {place or 'its root'}, but {other_name} has {other_dtype}{list(other_shape)}; they must be equal, {why}",
        )
