"""One generation: the program that a training repeats."""

import dataclasses
from collections.abc import Callable, Hashable
from functools import partial
from typing import Any, Self, final

import jax
import jax.numpy as jnp
from jax.sharding import Mesh
from jaxtyping import Array, Bool, Float, Int, Key, PyTree

from hebbax import devices
from hebbax.config import Config
from hebbax.evolution import interfaces, interrupts, limits, programs
from hebbax.evolution.episode import Setup
from hebbax.evolution.keys import random_keys
from hebbax.evolution.observations import Seen, Senses
from hebbax.evolution.rollout import Outcome, rollout_population, stack
from hebbax.genomes.base import Genome, GenomeSpec
from hebbax.strategies import shaping
from hebbax.strategies.base import Strategy
from hebbax.types import Genotype, PRNGKey, Struct, Variation, Wiring
from hebbax.types.arguments import ARGUMENT, put_numbers, take_numbers


@final
class TrainingState(Struct):
    """What the next generation needs, and the best so far.

    search: the strategy's state.
    wiring: what the encoding drew when the run began; `Senses` where observations are normalised.
    best_genome: the genome whose population had the highest mean fitness, as `is_fit_to_be_best`
        admits it; until there is one, the first.
    best_fitness: `[]` that mean; minus infinity until there is one.
    best_generation: `[]` the generation it was, counted from 0.
    """

    search: Any
    wiring: Wiring
    best_genome: Genome
    best_fitness: Float[Array, ""]
    best_generation: Int[Array, ""]


@final
@dataclasses.dataclass(frozen=True)
class Program:
    """All that a generation's program depends on, its data aside.

    Runs that agree in it and in the number of variations share a compiled program, once
    `take_numbers` has taken out what is in fields marked `ARGUMENT`. Seed, held-out variation and
    wiring are data too, and lengths concern nobody in here.

    setup: task, policy and encoding, and how many individuals run at a time.
    genome: how a genome begins.
    strategy: how it evolves.
    penalty: factor of the mean square that is taken from fitness.
    common_random_numbers: who shares random numbers.
    precision: of products of matrices.
    """

    setup: Setup
    genome: GenomeSpec
    strategy: Strategy
    penalty: float = dataclasses.field(metadata=ARGUMENT)
    common_random_numbers: str
    precision: str

    @classmethod
    def of(cls, config: Config) -> Self:
        """A run's."""
        return cls(
            Setup.of(config),
            config.genome,
            config.strategy,
            config.penalty,
            config.common_random_numbers,
            config.precision,
        )


@final
class RunData(Struct):
    """What a run gives its program beside its state.

    key: of all generations.
    variations: `[variations, ...]` to train on, stacked.
    numbers: that `take_numbers` has taken out of its `Program`.
    """

    key: PRNGKey
    variations: Variation
    numbers: tuple[Float[Array, ""], ...]

    @classmethod
    def of(cls, config: Config) -> Self:
        """A run's."""
        return cls(
            random_keys(config.seed).generations,
            stack(config.training_variations),
            jax.tree.map(jnp.asarray, take_numbers(Program.of(config))[1]),
        )


def program_key(config: Config) -> Hashable:
    """What runs have in common that share a program."""
    return take_numbers(Program.of(config))[0], len(config.training_names)


def initial_state(config: Config, initial: Genome | None = None) -> TrainingState:
    """The state before the first generation.

    Args:
        config: the run's.
        initial: the genome that it begins with, of the configuration's kind and shapes; drawn from
            the seed if None.

    Raises:
        ValueError: if the genome does not fit.
    """
    keys, setup = random_keys(config.seed), Setup.of(config)
    genome_key, strategy_key = jax.random.split(keys.initial)
    genome = config.genome.init(genome_key, setup.genotype_shape)
    if initial is not None:
        interfaces.check_same_shapes(
            initial, genome, "initial", "the configuration's first genome", "to begin with it"
        )
        genome = initial
    search = config.strategy.init(strategy_key, genome)
    return TrainingState(
        search,
        wiring=setup.wire(keys.wiring),
        best_genome=search.genome,
        best_fitness=jnp.float32(-jnp.inf),
        best_generation=jnp.zeros((), jnp.int32),
    )


def compile_generation(
    config: Config, mesh: Mesh, num_runs: int = 1
) -> Callable[..., tuple[TrainingState, PyTree]]:
    """Compiles `generation`; in a comparison, once for all runs with an equal `program_key`.

    Args:
        config: of one of the runs.
        mesh: the devices that share each population.
        num_runs: how many runs go through the program together; arguments and results of more than
            one have a leading axis.

    Returns:
        A function of data, state and index, which must be on every device of the mesh.
    """
    return _compile("generation", generation, (), config, mesh, num_runs)


def compile_generations(
    config: Config, mesh: Mesh, num_runs: int = 1
) -> Callable[..., tuple[TrainingState, TrainingState, PyTree]]:
    """Compiles `generations`, up to the configuration's `generations_per_call`.

    Arguments and sharing are those of `compile_generation`.

    Returns:
        A function of data, state, index and count.
    """
    length = config.generations_per_call
    function = partial(generations, length)
    return _compile(f"{length} generations", function, (jnp.int32(0),), config, mesh, num_runs)


def _compile(
    kind: str,
    function: Callable[..., Any],
    extra: tuple[Array, ...],
    config: Config,
    mesh: Mesh,
    num_runs: int,
) -> Callable[..., Any]:
    """Compiles a function of program, mesh, data, state, index and what is extra."""
    key = (program_key(config), mesh, num_runs)
    return programs.compiled(
        kind, key, lambda: _compile_anew(function, extra, config, mesh, num_runs)
    )


def _compile_anew(
    function: Callable[..., Any],
    extra: tuple[Array, ...],
    config: Config,
    mesh: Mesh,
    num_runs: int,
) -> Callable[..., Any]:
    arguments = (RunData.of(config), initial_state(config), jnp.zeros((), jnp.int32), *extra)
    if num_runs > 1:
        arguments = jax.tree.map(lambda leaf: jnp.stack([leaf] * num_runs), arguments)
    arguments = devices.put_everywhere(arguments, mesh)
    program, _ = take_numbers(Program.of(config))
    setup, num_variations = Setup.of(config), len(config.training_names)

    def compile_chunk(chunk_size: int | None) -> Any:
        chunk_setup = dataclasses.replace(program.setup, chunk_size=chunk_size)
        call = partial(function, dataclasses.replace(program, setup=chunk_setup), mesh)
        call = programs.with_precision(program.precision, jax.vmap(call) if num_runs > 1 else call)
        compiling = jax.jit(call, out_shardings=devices.everywhere(mesh))
        # The abstract mesh: under the concrete one a task could compute no constants of its own
        # while it is traced, for they would be on one device only.
        with jax.sharding.use_abstract_mesh(mesh.abstract_mesh):
            lowered = compiling.lower(*arguments)
        return interrupts.in_thread(lowered.compile)

    return limits.compile_to_fit(
        compile_chunk,
        limits.chunk_size(setup, num_variations, num_runs),
        devices.share_of(config.strategy.population_size, mesh),
        num_runs * limits.individual_bytes(setup, num_variations),
    )


def generations(
    length: int,
    program: Program,
    mesh: Mesh,
    data: RunData,
    state: TrainingState,
    index: Int[Array, ""],
    count: Int[Array, ""],
) -> tuple[TrainingState, TrainingState, PyTree]:
    """Makes generations in one program, until there are so many or the genome is not finite.

    Args:
        length: how many there can be.
        program: as for `generation`.
        mesh: as for `generation`.
        data: as for `generation`.
        state: before the first.
        index: `[]` of the first.
        count: `[]` how many, 1 to `length`.

    Returns:
        The state before the last that was made, the state after it, and the metrics, `[length]` of
        each; those that were not made have zeros, and `steps` of none.
    """
    make = partial(generation, program, mesh, data)

    def make_next(carry: tuple) -> tuple:
        i, _, state, metrics = carry
        after, made = make(state, index + i)
        metrics = jax.tree.map(lambda whole, one: whole.at[i].set(one), metrics, made)
        return i + 1, state, after, metrics

    def goes_on(carry: tuple) -> Bool[Array, ""]:
        i, _, state, _ = carry
        return (i < count) & (count_non_finite(state.search.genome) == 0)

    _, shapes = jax.eval_shape(make, state, index)
    metrics = jax.tree.map(lambda leaf: jnp.zeros((length, *leaf.shape), leaf.dtype), shapes)
    _, before, after, metrics = jax.lax.while_loop(
        goes_on, make_next, (jnp.zeros((), jnp.int32), state, state, metrics)
    )
    return before, after, metrics


def generation(
    program: Program,
    mesh: Mesh,
    data: RunData,
    state: TrainingState,
    index: Int[Array, ""],
) -> tuple[TrainingState, PyTree]:
    """Samples a population, runs its episodes in every training variation, and learns from them.

    Individuals whose fitness is not finite count as the worst of the others, for the strategy and
    for all figures of fitness. Where nobody's is finite the strategy sees equal ones, which teach
    nothing, and the figures are NaN.

    Args:
        program: what is searched, where and how, without its numbers.
        mesh: the devices that share the population.
        data: the run's key, training variations and numbers.
        state: before the generation.
        index: `[]` of the generation, counted from 0.

    Returns:
        The state after it, and its metrics. `returns` is `[variations]`, the mean over the finite
        ones; `non_finite` counts individuals, and `non_finite_genome` the genome's numbers after
        the generation.
    """
    program = put_numbers(program, data.numbers)
    ask_key, episode_key = jax.random.split(jax.random.fold_in(data.key, index))
    genotypes = program.strategy.ask(ask_key, state.search)
    outcome = _rollout(program, mesh, episode_key, state.wiring, genotypes, data.variations)
    fitness, num_non_finite = shaping.replace_non_finite(
        jnp.mean(outcome.returns, axis=1) - program.penalty * outcome.mean_square
    )
    search, info = program.strategy.tell(state.search, genotypes, fitness)

    figures = {
        "fitness_mean": jnp.mean(fitness),
        "fitness_best": jnp.max(fitness),
        "fitness_std": jnp.std(fitness),
    }
    figures = {
        name: jnp.where(num_non_finite < fitness.size, figure, jnp.nan)
        for name, figure in figures.items()
    }
    mean = figures["fitness_mean"]
    is_best = (mean > state.best_fitness) & is_fit_to_be_best(
        state.search.genome, num_non_finite, fitness.size
    )
    best_genome = jax.tree.map(
        lambda new, old: jnp.where(is_best, new, old), state.search.genome, state.best_genome
    )
    wiring = state.wiring
    if isinstance(wiring, Senses) and isinstance(outcome.seen, Seen):
        # Whoever's physics failed has seen numbers that need not be infinite to spoil the others.
        is_finite = jnp.all(jnp.isfinite(outcome.returns), axis=1)
        num_steps = jnp.where(is_finite, jnp.sum(outcome.num_steps, axis=1), 0)
        wiring = wiring.after(num_steps, outcome.seen, is_best)
    after = TrainingState(
        search,
        wiring=wiring,
        best_genome=best_genome,
        best_fitness=jnp.where(is_best, mean, state.best_fitness),
        best_generation=jnp.where(is_best, index, state.best_generation),
    )
    metrics = {
        # First, so that none of theirs stands for one of ours.
        **getattr(state.search.genome, "describe", dict)(),
        **info,
        **figures,
        "returns": jnp.mean(outcome.returns, axis=0, where=jnp.isfinite(outcome.returns)),
        "ended_early": jnp.mean(outcome.num_steps < program.setup.task.max_steps),
        "non_finite": num_non_finite,
        "non_finite_genome": count_non_finite(search.genome),
        "steps": jnp.sum(outcome.num_steps),
        "chunk_size": _at_a_time(program, mesh),
    }
    return after, metrics


def _at_a_time(program: Program, mesh: Mesh) -> Int[Array, ""]:
    """How many individuals run at a time on each device."""
    share = devices.share_of(program.strategy.population_size, mesh)
    return jnp.int32(min(share, program.setup.chunk_size or share))


def _rollout(
    program: Program,
    mesh: Mesh,
    key: PRNGKey,
    wiring: Wiring,
    genotypes: Genotype,
    variations: Variation,
) -> Outcome:
    """Runs the episodes of a population, which the devices share. The key is consumed."""

    def rollout(
        wiring: Wiring, variations: Variation, keys: Key[Array, " share"], genotypes: Genotype
    ) -> Outcome:
        return rollout_population(program.setup, wiring, keys, genotypes, variations)

    individuals = jnp.arange(program.strategy.population_size)
    # Individuals with equal keys have equal random numbers in their episodes.
    key_indices = {
        "nobody": individuals,
        "pairs": individuals // 2,
        "population": jnp.zeros_like(individuals),
    }[program.common_random_numbers]
    keys = jax.vmap(lambda i: jax.random.fold_in(key, i))(key_indices)
    share = devices.over_population(rollout, mesh, num_whole=2)
    return share(wiring, variations, keys, genotypes)


def is_fit_to_be_best(
    genome: Genome, num_non_finite: Int[Array, ""], population_size: int
) -> Bool[Array, ""]:
    """Whether the mean fitness of a genome's population may make it the best.

    All its numbers are finite, and so is the fitness of more than half of its population. Fewer say
    little of the others: the worst of a few lucky ones, as which these count, would make a
    generation that failed look better than one that did not.
    """
    return (count_non_finite(genome) == 0) & (2 * num_non_finite < population_size)


def count_non_finite(genome: Genome) -> Int[Array, ""]:
    """How many of a genome's numbers are not finite."""
    leaves = [leaf for leaf in jax.tree.leaves(genome) if jnp.issubdtype(leaf.dtype, jnp.inexact)]
    return sum(
        (jnp.sum(~jnp.isfinite(leaf), dtype=jnp.int32) for leaf in leaves),
        start=jnp.zeros((), jnp.int32),
    )
