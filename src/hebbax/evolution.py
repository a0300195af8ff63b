"""One generation: the program that a training repeats."""

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, final

import jax
import jax.numpy as jnp
from jax.sharding import Mesh
from jaxtyping import Array, Bool, Float, Int, Key, PyTree

from hebbax import devices, interfaces, interrupts, programs, rollout, shaping
from hebbax.config import Config
from hebbax.genomes.base import Genome
from hebbax.types import PRNGKey, Struct, Variation


@final
class TrainingState(Struct):
    """What the next generation needs, and the best so far.

    search: the strategy's state.
    best_genome: the genome whose population had the highest mean fitness, as `is_fit_to_be_best`
        admits it; until there is one, the first.
    best_fitness: `[]` that mean; minus infinity until there is one.
    best_generation: `[]` the generation it was, counted from 0.
    """

    search: Any
    best_genome: Genome
    best_fitness: Float[Array, ""]
    best_generation: Int[Array, ""]


class RandomKeys(NamedTuple):
    """The keys of a run, one for each purpose, of which no two ever draw the same numbers.

    initial: of the first genome and the strategy's start.
    generations: of everything that is drawn in training.
    evaluation: of the lifetimes that score a genome.
    films: of the lifetimes that are filmed.
    pictures: of the lifetimes that are drawn.
    """

    initial: PRNGKey
    generations: PRNGKey
    evaluation: PRNGKey
    films: PRNGKey
    pictures: PRNGKey


def random_keys(config: Config) -> RandomKeys:
    """The keys of a run, from its seed."""
    initial, generations, evaluation = jax.random.split(jax.random.key(config.seed), 3)
    # With JAX's usual generator the keys of `split` are what `fold_in` makes of 0, 1 and 2.
    films, pictures = (jax.random.fold_in(jax.random.key(config.seed), number) for number in (3, 4))
    return RandomKeys(initial, generations, evaluation, films, pictures)


def initial_state(config: Config, initial: Genome | None = None) -> TrainingState:
    """The state before the first generation.

    Args:
        config: the run's.
        initial: the genome that it begins with, of the configuration's kind and shapes; drawn from
            the seed if None.

    Raises:
        ValueError: if the genome does not fit.
    """
    genome_key, strategy_key = jax.random.split(random_keys(config).initial)
    genome = config.genome.init(genome_key, config.policy.genotype_shape(config.task))
    if initial is not None:
        interfaces.check_same_shapes(
            initial, genome, "initial", "the configuration's first genome", "to begin with it"
        )
        genome = initial
    search = config.strategy.init(strategy_key, genome)
    return TrainingState(
        search,
        best_genome=search.genome,
        best_fitness=jnp.float32(-jnp.inf),
        best_generation=jnp.zeros((), jnp.int32),
    )


def alike(config: Config) -> Config:
    """What is equal for all runs that can share a program."""
    first = next(iter(config.task.variations))
    return dataclasses.replace(
        config,
        seed=0,
        held_out=first if config.held_out else None,
        generations=1,
        checkpoint_every=1,
    )


def compile_generation(
    config: Config, mesh: Mesh, num_runs: int = 1
) -> Callable[..., tuple[TrainingState, PyTree]]:
    """Compiles `generation`; in a comparison, once for all seeds and held-out variations.

    Args:
        config: the runs'.
        mesh: the devices that share each population.
        num_runs: how many runs go through the program together; arguments and results of more than
            one have a leading axis.

    Returns:
        A function of key, variations, state and number, which must be on every device of the mesh.
    """
    config = alike(config)
    return programs.compiled(
        "generation", (config, mesh, num_runs), lambda: _compile(config, mesh, num_runs)
    )


def _compile(
    config: Config, mesh: Mesh, num_runs: int
) -> Callable[..., tuple[TrainingState, PyTree]]:
    data = (
        random_keys(config).generations,
        rollout.stack(config.training_variations),
        initial_state(config),
        jnp.zeros((), jnp.int32),
    )
    function = partial(
        generation, dataclasses.replace(config, chunk_size=_share_of_chunk(config, num_runs)), mesh
    )
    if num_runs > 1:
        data = jax.tree.map(lambda leaf: jnp.stack([leaf] * num_runs), data)
        function = jax.vmap(function)
    function = jax.jit(function, out_shardings=devices.everywhere(mesh))
    # The abstract mesh: under the concrete one a task could compute no constants of its own while
    # it is traced, for they would be on one device only.
    with jax.sharding.use_abstract_mesh(mesh.abstract_mesh):
        lowered = function.lower(*devices.put_everywhere(data, mesh))
    return interrupts.in_thread(lowered.compile)


def _share_of_chunk(config: Config, num_runs: int) -> int | None:
    """How many individuals of each of several runs live at a time.

    Together they need no more memory than one run alone.
    """
    size = config.individuals_at_a_time
    return size and max(1, size // num_runs)


def generation(
    config: Config,
    mesh: Mesh,
    key: PRNGKey,
    variations: Variation,
    state: TrainingState,
    number: Int[Array, ""],
) -> tuple[TrainingState, PyTree]:
    """Samples a population, lets it live in every training variation, and learns from its fitness.

    Individuals whose fitness is not finite count as the worst of the others, for the strategy and
    for all figures of fitness. Where nobody's is finite the strategy sees equal ones, which teach
    nothing, and the figures are NaN.

    Args:
        config: the run's. Its seed and its held-out variation are not read, so that runs which
            differ in nothing else share a compiled program.
        mesh: the devices that share the population.
        key: of all generations.
        variations: `[variations, ...]` to live in, stacked.
        state: before the generation.
        number: `[]` of the generation, counted from 0.

    Returns:
        The state after it, and its metrics. `returns` is `[variations]`, the mean over the finite
        ones; `non_finite` counts individuals, and `non_finite_genome` the genome's numbers after
        the generation.
    """

    def live(keys: Key[Array, " share"], genotypes: PyTree) -> rollout.Outcome:
        return rollout.live(
            config.task, config.policy, keys, genotypes, variations, config.individuals_at_a_time
        )

    ask_key, life_key = jax.random.split(jax.random.fold_in(key, number))
    genotypes = config.strategy.ask(ask_key, state.search)
    life_keys = jax.vmap(lambda life: jax.random.fold_in(life_key, life))(
        config.strategy.shared_lives()
    )
    outcomes = devices.over_population(live, mesh)(life_keys, genotypes)

    penalties = config.penalty * jax.vmap(shaping.mean_square)(genotypes)
    fitness, num_non_finite = shaping.replace_non_finite(
        jnp.mean(outcomes.fitness, axis=1) - penalties
    )
    search, info = config.strategy.tell(state.search, genotypes, fitness)

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
    after = TrainingState(
        search,
        best_genome=best_genome,
        best_fitness=jnp.where(is_best, mean, state.best_fitness),
        best_generation=jnp.where(is_best, number, state.best_generation),
    )
    metrics = {
        **figures,
        "returns": jnp.mean(outcomes.fitness, axis=0, where=jnp.isfinite(outcomes.fitness)),
        "ended_early": jnp.mean(outcomes.num_steps < config.task.max_steps),
        "non_finite": num_non_finite,
        "non_finite_genome": count_non_finite(search.genome),
        "steps": jnp.sum(outcomes.num_steps),
        **info,
        **getattr(state.search.genome, "describe", dict)(),
    }
    return after, metrics


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
