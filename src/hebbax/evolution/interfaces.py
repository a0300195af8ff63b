"""Whether a task, policy, encoding, genome or strategy has the shapes of its interface.

It is found by tracing alone: nothing is computed.

Each check raises `ValueError` that names what does not fit, what it was and what it should be.
"""

import traceback
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, get_args

import jax
import jax.numpy as jnp
from jaxtyping import PyTree

from hebbax.config import MEMBERS
from hebbax.encodings.base import Encoding
from hebbax.genomes.base import (
    Genome,
    GenomeSpec,
    drawn,
    learned_of,
    log_probs_of,
    with_learned,
)
from hebbax.policies.base import Policy, TaskShape
from hebbax.tasks.base import Task
from hebbax.types import Kind, Parameter, checks, shapes_of
from hebbax.types.arguments import put_numbers, take_numbers

KINDS = get_args(Kind)


def fit_task(task: Task) -> None:
    """Checks a task: what it says of itself, and what its functions return."""
    fit_variations(task)
    variation = next(iter(task.variations.values()))
    state, _ = check_reset(
        task, shapes_returned("task.reset", task.reset, jax.random.key(0), variation)
    )
    action = jax.ShapeDtypeStruct((task.action_size,), jnp.float32)
    check_step(task, state, shapes_returned("task.step", task.step, state, action, variation))


def check_reset(task: Task, results: Any) -> tuple[Any, Any]:
    """Checks what `task.reset` returns, and returns it.

    Rollouts do so while they are traced, which costs nothing.
    """
    state, observation = _results(results, 2, "task.reset", "state, observation")
    what = "the observation that task.reset returns"
    check_array(observation, task.observation_shape, jnp.floating, what, "task.observation_shape")
    return state, observation


def check_step(task: Task, state: Any, results: Any) -> tuple[Any, Any, Any, Any]:
    """Checks what `task.step` returns after a state, and returns it.

    Rollouts do so while they are traced, which costs nothing.
    """
    next_state, observation, reward, is_end = _results(
        results, 4, "task.step", "state, observation, reward, end"
    )
    check_same_shapes(
        next_state,
        state,
        "the state that task.step returns",
        "the one that task.reset returns",
        "so that steps can be repeated",
    )
    what = "the observation that task.step returns"
    check_array(observation, task.observation_shape, jnp.floating, what, "task.observation_shape")
    check_array(reward, (), jnp.floating, "the reward that task.step returns")
    check_array(is_end, (), jnp.bool_, "the end of the episode that task.step returns")
    return next_state, observation, reward, is_end


def fit_variations(task: Task) -> None:
    """Checks what a task says of itself, before any of its functions is called."""
    _check_specification(task, "task")
    variations = task.variations
    require(
        isinstance(variations, Mapping),
        f"task.variations is a {type(variations).__name__}, but must be a mapping from names to "
        "data",
    )
    require(len(variations) > 0, "task.variations is empty, but must have at least one variation")
    first_name, first = next(iter(variations.items()))
    for name, variation in variations.items():
        checks.file_name("the name of one of task.variations", name)  # Of films, too.
        _check_data(variation, f"task.variations[{name!r}]", "at least one array")
        check_same_shapes(
            variation,
            first,
            f"task.variations[{name!r}]",
            f"task.variations[{first_name!r}]",
            "so that variations stack",
        )
    checks.integer(at_least=1)("task.max_steps", task.max_steps)
    checks.integer(at_least=1)("task.action_size", task.action_size)
    checks.several(checks.integer(at_least=1), "a tuple of sizes of 1 or more")(
        "task.observation_shape", task.observation_shape
    )


def fit_policy(policy: Policy, task: TaskShape) -> PyTree:
    """Checks a policy on the observations and actions of a task; returns its parameters."""
    _check_specification(policy, "policy")
    parameters = _called("policy.parameters", lambda: policy.parameters(task))
    _check_parameters(parameters, "what policy.parameters returns")
    phenotype = shapes_of(parameters)
    memory = shapes_returned("policy.reset", policy.reset, jax.random.key(0), phenotype)
    observation = jax.ShapeDtypeStruct(tuple(task.observation_shape), jnp.float32)
    reward = jax.ShapeDtypeStruct((), jnp.float32)
    results = shapes_returned("policy.act", policy.act, phenotype, memory, observation, reward)
    action, next_memory = _results(results, 2, "policy.act", "action, memory")
    what = "the action that policy.act returns"
    check_array(action, (task.action_size,), jnp.floating, what, "task.action_size")
    check_same_shapes(
        next_memory,
        memory,
        "the memory that policy.act returns",
        "the one that policy.reset returns",
        "so that steps can be repeated",
    )
    _check_plastic_weights(policy, memory)
    return parameters


def _check_plastic_weights(policy: Policy, memory: PyTree) -> None:
    """Refuses plastic weights that are no leaves of the memory."""

    def check(memory: PyTree) -> None:
        weights = policy.plastic_weights(memory)
        require(
            isinstance(weights, tuple | list),
            f"policy.plastic_weights returns a {type(weights).__name__}, but must return a tuple",
        )
        leaves = jax.tree.leaves(memory)
        require(
            all(any(weight is leaf for leaf in leaves) for weight in weights),
            "policy.plastic_weights returns what is no leaf of the memory, but must return leaves "
            "of it, or () where no weights change",
        )

    shapes_returned("policy.plastic_weights", check, memory)


def fit_encoding(encoding: Encoding, parameters: PyTree) -> PyTree:
    """Checks an encoding on a network's parameters; returns what a genome must produce."""
    _check_specification(encoding, "encoding")
    wiring = shapes_returned(
        "encoding.wire", lambda key: encoding.wire(key, parameters), jax.random.key(0)
    )
    genotype_shape = encoding.genotype_shape(parameters)
    _check_parameters(genotype_shape, "what encoding.genotype_shape returns")
    kept = shapes_returned(
        "encoding.express",
        lambda wiring, genotype: encoding.express(parameters, wiring, genotype),
        wiring,
        shapes_of(genotype_shape),
    )
    phenotype = shapes_returned(
        "encoding.read",
        lambda wiring, kept: encoding.read(parameters, wiring, kept),
        wiring,
        kept,
    )
    check_same_shapes(
        phenotype,
        shapes_of(parameters),
        "the phenotype that encoding.read returns",
        "the policy's parameters",
        "as the network expects",
    )
    return genotype_shape


def _check_parameters(tree: PyTree, name: str) -> None:
    """Refuses what is no tree of parameters."""
    leaves = jax.tree.leaves(tree)
    require(len(leaves) > 0, f"{name} is {tree!r}, but must have at least one Parameter")
    for leaf in leaves:
        require(
            isinstance(leaf, Parameter),
            f"{name} has {leaf!r}, but must have hebbax.types.Parameter alone",
        )
        require(
            isinstance(leaf.shape, tuple) and isinstance(leaf.axes, tuple),
            f"{name} has a part of shape {leaf.shape!r} with the axes {leaf.axes!r}, but both must "
            "be tuples",
        )
        require(
            leaf.kind in KINDS,
            f"{name} has a part of kind {leaf.kind!r}, but allowed are {', '.join(KINDS)}",
        )
        require(
            0 not in leaf.shape,
            f"{name} has a part of shape {leaf.shape}, but no size may be zero",
        )
        require(
            len(leaf.axes) == len(leaf.shape),
            f"{name} has a part of shape {leaf.shape} with the axes {leaf.axes}, but must name "
            "each axis, if only by an empty text",
        )


def fit_genome(specification: GenomeSpec, genotype_shape: PyTree) -> Genome:
    """Checks a genome on the genotypes of a policy; returns the shapes of its first one."""
    _check_specification(specification, "genome")
    genome = shapes_returned(
        "genome.init", lambda key: specification.init(key, genotype_shape), jax.random.key(0)
    )
    check_members(genome, "genome", ("sample", "log_prob", "mode", "with_std"))
    same = shapes_returned(
        "genome.with_std",
        lambda genome, std: genome.with_std(std),
        genome,
        jax.ShapeDtypeStruct((), jnp.float32),
    )
    check_same_shapes(
        same,
        genome,
        "the genome that genome.with_std returns",
        "the one before",
        "so that generations can follow",
    )
    genotype = shapes_returned(
        "genome.sample", lambda genome, key: genome.sample(key), genome, jax.random.key(0)
    )
    mode = shapes_returned("genome.mode", lambda genome: genome.mode(), genome)
    for name, returned in (("sample", genotype), ("mode", mode)):
        check_same_shapes(
            returned,
            shapes_of(genotype_shape),
            f"the genotype that genome.{name} returns",
            "the genotype_shape it was given",
            "as the policy expects",
        )
    log_prob = shapes_returned(
        "genome.log_prob", lambda genome, genotype: genome.log_prob(genotype), genome, genotype
    )
    check_array(log_prob, (), jnp.floating, "the log-density that genome.log_prob returns")
    _fit_optional(genome, genotype)
    return genome


def _fit_optional(genome: Genome, genotype: PyTree) -> None:
    """Checks the functions that a genome may have.

    `mirror`, `natural_gradient` and `even_gradient` are left to strategies that use them.
    """
    log_probs = shapes_returned("genome.log_probs", log_probs_of, genome, _several(3, genotype))
    check_array(log_probs, (3,), jnp.floating, "what genome.log_probs returns for three genotypes")
    learned = shapes_returned("genome.learned", learned_of, genome)
    shapes_returned("genome.learned", with_learned, genome, learned)
    for leaf in jax.tree.leaves(learned):
        check_array(leaf, leaf.shape, jnp.floating, "a learned leaf of the genome")
    if hasattr(genome, "draw"):
        check_same_shapes(
            shapes_returned("genome.draw", drawn, genome, jax.random.key(0)),
            genome,
            "the genome that genome.draw returns",
            "the one before",
            "so that generations can follow",
        )
    if hasattr(genome, "describe"):
        _check_figures(
            shapes_returned("genome.describe", lambda genome: genome.describe(), genome),
            "genome.describe",
        )


def fit_strategy(strategy: Any, genome: Genome) -> tuple[Any, PyTree]:
    """Checks a strategy on a genome; returns the shapes of its state and of a population."""
    _check_specification(strategy, "strategy")
    size = checks.integer(at_least=2)("strategy.population_size", strategy.population_size)
    state = shapes_returned("strategy.init", strategy.init, jax.random.key(0), genome)
    check_members(state, "the state that strategy.init returns", ("genome",))
    genotypes = shapes_returned("strategy.ask", strategy.ask, jax.random.key(0), state)
    mode = shapes_returned("genome.mode", lambda genome: genome.mode(), genome)
    check_same_shapes(
        genotypes,
        _several(size, mode),
        "what strategy.ask returns",
        "the population",
        "an individual in each index of the leading axis",
    )
    # As a generation's program calls it, with numbers that are traced.
    gaps, numbers = take_numbers(strategy)
    results = shapes_returned(
        "strategy.tell",
        lambda numbers, *arguments: put_numbers(gaps, numbers).tell(*arguments),
        jax.tree.map(jnp.asarray, numbers),
        state,
        genotypes,
        jax.ShapeDtypeStruct((size,), jnp.float32),
    )
    next_state, info = _results(results, 2, "strategy.tell", "state, info")
    check_same_shapes(
        next_state,
        state,
        "the state that strategy.tell returns",
        "the one that strategy.init returns",
        "so that generations can follow",
    )
    _check_figures(info, "strategy.tell")
    return state, genotypes


def _several(count: int, genotype: PyTree) -> PyTree:
    """The shapes of so many genotypes, stacked along a leading axis."""
    return jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct((count, *leaf.shape), leaf.dtype), genotype
    )


def shapes_returned(name: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """The shapes of what a function returns; a refusal names the function and what it met."""
    return _called(
        name, lambda: jax.eval_shape(lambda *arguments: function(*arguments), *arguments)
    )


def _called(name: str, call: Callable[[], Any]) -> Any:
    """What a call gives; a refusal names the function and what it met."""
    try:
        return call()
    except Exception as error:  # Whatever it is, no run can be made of it.
        # A refusal says what is wrong; JAX's own errors do not say where.
        if type(error) is ValueError and not str(error).startswith(("Incompatible", "vmap")):
            raise
        hint = (
            "; while it is traced no `if` can ask for an array's value, jnp.where and jax.lax.cond "
            "can"
            if isinstance(error, jax.errors.TracerBoolConversionError)
            else ""
        )
        raise ValueError(
            f"{name} cannot be run{_place_of(error)}: {type(error).__name__}: {error}{hint}"
        ) from error


def _place_of(error: Exception) -> str:
    """Where the caller's own code raised an error: neither hebbax nor an installed package."""
    ours, installed = str(Path(__file__).parents[1]), "site-packages"
    frames = traceback.extract_tb(error.__traceback__)
    own = [
        frame
        for frame in frames
        if not frame.filename.startswith(ours) and installed not in frame.filename
    ]
    return f", at {own[-1].filename}:{own[-1].lineno}" if own else ""


def require(is_fine: bool, problem: str) -> None:
    """Refuses what is not fine."""
    if not is_fine:
        raise ValueError(problem)


def _check_specification(specification: Any, name: str) -> None:
    """Refuses what is no specification of a kind that a configuration names."""
    check_members(specification, name, MEMBERS[name])
    checks.hashable(name, specification)


def check_members(thing: Any, name: str, members: Iterable[str]) -> None:
    """Refuses an object without some members."""
    for member in members:
        require(
            hasattr(thing, member),
            f"{name} ({type(thing).__name__}) has no {member!r}; needed are {', '.join(members)}",
        )


def check_array(value: Any, shape: Iterable[int], kind: Any, name: str, said_by: str = "") -> None:
    """Refuses an array, or the shape of one, of another shape or data type.

    Args:
        value: the array.
        shape: that it must have.
        kind: of its numbers.
        name: of the array.
        said_by: what says the shape, if something does.
    """
    says = f", as {said_by} says" if said_by else ""
    require(
        jnp.shape(value) == tuple(shape),
        f"{name} has shape {jnp.shape(value)}, but must have {tuple(shape)}{says}",
    )
    dtype, allowed = jnp.result_type(value), getattr(kind, "__name__", kind)
    require(jnp.issubdtype(dtype, kind), f"{name} has dtype {dtype}, but must be {allowed}")


def check_same_shapes(tree: PyTree, other: PyTree, name: str, other_name: str, why: str) -> None:
    """Refuses trees that differ in structure, or in the shape or data type of a leaf."""
    structure, other_structure = jax.tree.structure(tree), jax.tree.structure(other)
    require(
        structure == other_structure,
        f"{name} is a tree of {structure}, but {other_name} one of {other_structure}; they must "
        f"be equal, {why}",
    )
    for (path, leaf), other_leaf in zip(
        jax.tree.leaves_with_path(tree), jax.tree.leaves(other), strict=True
    ):
        given, expected = (
            f"{jnp.result_type(value)}{list(jnp.shape(value))}" for value in (leaf, other_leaf)
        )
        require(
            given == expected,
            f"{name} has {given} at {jax.tree_util.keystr(path) or 'its root'}, but {other_name} "
            f"has {expected}; they must be equal, {why}",
        )


def _check_data(tree: PyTree, name: str, needed: str) -> None:
    """Refuses a tree without arrays, with arrays of size zero, or with anything else."""
    leaves = jax.tree.leaves_with_path(tree)
    require(len(leaves) > 0, f"{name} is {tree!r}, but must have {needed}")
    for path, leaf in leaves:
        path_name = jax.tree_util.keystr(path) or "its root"
        require(
            hasattr(leaf, "dtype") or isinstance(leaf, bool | int | float | complex),
            f"{name} has {leaf!r} at {path_name}, but must have arrays and numbers alone",
        )
        require(
            0 not in jnp.shape(leaf),
            f"{name} has shape {jnp.shape(leaf)} at {path_name}, but no size may be zero",
        )


def _check_figures(figures: Any, function: str) -> None:
    """Refuses what is no figures for the log, each by its name."""
    require(
        isinstance(figures, Mapping),
        f"the info that {function} returns is a {type(figures).__name__}, but must be numbers by "
        "name",
    )
    for name, value in figures.items():
        require(
            jnp.shape(value) == (),
            f"the info {name!r} that {function} returns has shape {jnp.shape(value)}, but must be "
            "a number",
        )


def _results(results: Any, count: int, function: str, names: str) -> tuple:
    """The results of a function that must return a certain number of them."""
    given = (
        f"{len(results)} results"
        if isinstance(results, tuple | list)
        else f"a {type(results).__name__}"
    )
    require(
        isinstance(results, tuple | list) and len(results) == count,
        f"{function} returns {given}, but must return {count}: {names}",
    )
    return tuple(results)
