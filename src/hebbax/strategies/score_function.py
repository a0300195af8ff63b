"""Evolution by the score function: gradient ascent on the expected fitness of a distribution."""

import dataclasses
from functools import partial
from typing import final

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, PyTree

from hebbax import devices
from hebbax.genomes.base import Genome, drawn, learned_of, log_probs_of, with_learned
from hebbax.strategies import shaping
from hebbax.strategies.optimizers import AnyOptimizer, Sgd, optimizer
from hebbax.strategies.schedule import Schedule, schedule
from hebbax.types import Genotype, PRNGKey, Struct, checks


@final
class ScoreFunctionState(Struct):
    """What the next generation needs.

    genome: the distribution, with this generation's scale of search noise.
    optimizer_state: optax's.
    generation: `[]` generations told so far.
    """

    genome: Genome
    optimizer_state: PyTree
    generation: Int[Array, ""]


@final
@dataclasses.dataclass(frozen=True)
class ScoreFunction:
    """Ascends `grad_theta (1/P) sum_j F_j log p(z_j | theta)`.

    F are the standardised centred ranks of fitness.

    Source: Palm et al. 2021, eq. 2, https://arxiv.org/abs/2011.06811.

    Examples:
        >>> import hebbax
        >>> optimizer = hebbax.Adam(hebbax.Schedule(0.05))
        >>> strategy = hebbax.ScoreFunction(population_size=64, optimizer=optimizer)
        >>> hebbax.ScoreFunction(population_size=63)
        Traceback (most recent call last):
            ...
        ValueError: strategy.population_size is 63, but must be even, ...
    """

    population_size: int = 500
    """Individuals in a generation."""
    is_mirrored: bool = True
    """Whether individuals come in pairs that mirror each other at the genome's mode."""
    std: Schedule = Schedule(0.1, decay=0.999, floor=0.01)
    """Scale of the search noise (the paper's sigma)."""
    optimizer: AnyOptimizer = Sgd()
    """What turns the gradient into a step."""

    def __post_init__(self) -> None:
        """Refuses populations that cannot be ranked or paired."""
        checks.settle(
            self,
            "strategy.",
            population_size=checks.integer(at_least=2),
            is_mirrored=checks.flag,
            std=schedule,
            optimizer=optimizer,
        )
        if self.is_mirrored and self.population_size % 2:
            raise ValueError(
                f"strategy.population_size is {self.population_size}, but must be even, because "
                "strategy.is_mirrored is True"
            )

    def init(self, key: PRNGKey, genome: Genome) -> ScoreFunctionState:
        """Starts the schedules and the optimiser. The key is consumed."""
        if self.is_mirrored and not hasattr(genome, "mirror"):
            raise ValueError(
                f"strategy.is_mirrored is True, but the genome ({type(genome).__name__}) has no "
                "'mirror'; set it to False"
            )
        generation = jnp.zeros((), jnp.int32)
        genome = genome.with_std(self.std(generation))
        return ScoreFunctionState(
            genome=genome,
            optimizer_state=self.optimizer.build().init(learned_of(genome)),
            generation=generation,
        )

    def ask(self, key: PRNGKey, state: ScoreFunctionState) -> Genotype:
        """Draws the population.

        An individual's genotype depends on its own index alone, not on how many others there are.
        """
        # A number that no individual has.
        genome = drawn(state.genome, jax.random.fold_in(key, self.population_size))
        sample_one = jax.vmap(lambda i: genome.sample(jax.random.fold_in(key, i)))
        if not self.is_mirrored:
            return sample_one(jnp.arange(self.population_size))
        first = sample_one(jnp.arange(self.population_size // 2))
        second = jax.vmap(state.genome.mirror)(first)
        # Mirrored pairs stand side by side.
        return jax.tree.map(
            lambda *pair: jnp.stack(pair, axis=1).reshape(-1, *pair[0].shape[1:]), first, second
        )

    def tell(
        self, state: ScoreFunctionState, genotypes: Genotype, fitness: Float[Array, " population"]
    ) -> tuple[ScoreFunctionState, dict[str, Array]]:
        """Takes one step uphill, and one along the schedules.

        Where all are equally fit only the noise's schedule goes on: the optimiser stays as it is,
        its momentum and the schedule of its learning rate included.
        """
        learned = learned_of(state.genome)
        gradient = score_gradient(
            state.genome, genotypes, shaping.standardize(shaping.centred_ranks(fitness))
        )
        update = optax.with_extra_args_support(self.optimizer.build()).update
        # Some of optax's transformations promote dtypes.
        with jax.numpy_dtype_promotion("standard"):
            updates, optimizer_state = update(
                # optax descends, fitness is maximised: the sign changes here and nowhere else.
                jax.tree.map(jnp.negative, gradient),
                state.optimizer_state,
                learned,
                genome=state.genome,
            )
        # Without a gradient an optimiser's momentum would still go on.
        updates, optimizer_state = jax.tree.map(
            partial(jnp.where, shaping.has_differences(fitness)),
            (updates, optimizer_state),
            (jax.tree.map(jnp.zeros_like, updates), state.optimizer_state),
        )
        generation = state.generation + 1
        genome = with_learned(state.genome, optax.apply_updates(learned, updates)).with_std(
            self.std(generation)
        )
        return ScoreFunctionState(
            genome=genome, optimizer_state=optimizer_state, generation=generation
        ), {
            "gradient_norm": optax.tree.norm(gradient),
            "update_norm": optax.tree.norm(updates),
            "std": self.std(state.generation),
        }


def score_gradient(
    genome: Genome, genotypes: Genotype, weights: Float[Array, " population"]
) -> PyTree:
    """The gradient of the weighted mean log-likelihood of a population.

        grad_theta (1/P) sum_j weights_j log p(z_j | theta)

    Where the genome has densities of populations, `log_probs`, the devices of the mesh that the
    program around it is traced for share the population.

    Args:
        genome: the distribution p, at the theta where the gradient is wanted.
        genotypes: `[population, ...]` the individuals z.
        weights: `[population]` shaped fitness.

    Returns:
        The gradient, in the tree of the genome, with None in place of what is not learned.
    """
    population_size = weights.size

    def gradient(genome: Genome, genotypes: Genotype, weights: Array) -> PyTree:
        return jax.grad(
            lambda learned: (
                jnp.sum(weights * log_probs_of(with_learned(genome, learned), genotypes))
                / population_size
            )
        )(learned_of(genome))

    mesh = jax.sharding.get_abstract_mesh()
    # A density that is mapped costs little; one that a genome computes for a population much, in
    # time or in what devices tell one another.
    is_costly = hasattr(genome, "log_probs")
    if not is_costly or mesh.empty:
        return gradient(genome, genotypes, weights)
    genotypes = devices.fill_up(genotypes, mesh)
    # Those that fill up the last share weigh nothing.
    weights = jnp.pad(weights, (0, -population_size % mesh.size))
    return devices.sum_over_population(gradient, mesh, num_whole=1)(genome, genotypes, weights)
