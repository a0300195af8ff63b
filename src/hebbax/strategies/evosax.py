"""Any distribution-based algorithm of evosax, searching for one genotype as a flat vector.

evosax minimises: the sign changes here and nowhere else.

Source: Lange 2022, https://arxiv.org/abs/2212.04180.
"""

import contextlib
import dataclasses
import math
from collections.abc import Iterator
from functools import cache, partial
from typing import Any, Literal, cast, final

import jax
import jax.numpy as jnp
import numpy as np
from evosax import algorithms
from evosax.algorithms.distribution_based.base import DistributionBasedAlgorithm
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, Int

from hebbax.genomes.base import Genome
from hebbax.genomes.normal import NormalGenome
from hebbax.strategies import shaping
from hebbax.strategies.optimizers import AnyOptimizer, optimizer
from hebbax.strategies.schedule import Schedule, schedule
from hebbax.types import Genotype, PRNGKey, Struct, checks
from hebbax.types.arguments import ARGUMENT


@final
class EvosaxState(Struct):
    """What the next generation needs.

    genome: the algorithm's mean as a genome, whose std is the spread of the last population about
        it: an algorithm's own distribution may have a shape, this one has none.
    algorithm: the algorithm's own state.
    key_data: `[words]` raw key of all the populations to come. `tell` draws the population of `ask`
        anew, because an algorithm changes its state with it.
    generation: `[]` generations told so far.
    """

    genome: Genome
    algorithm: Any
    key_data: Array
    generation: Int[Array, ""]


@final
@dataclasses.dataclass(frozen=True)
class Evosax:
    """An algorithm of evosax: CMA_ES, Sep_CMA_ES, SNES, xNES, PGPE, Open_ES and others.

    Examples:
        >>> import hebbax
        >>> strategy = hebbax.strategies.Evosax("CMA_ES", 8, parameters=(("std_init", 0.1),))
        >>> strategy.algorithm, strategy.population_size
        ('CMA_ES', 8)
    """

    algorithm: str = "SNES"
    """Name of a distribution-based algorithm's class in evosax."""
    population_size: int = 64
    """Individuals in a generation."""
    parameters: tuple[tuple[str, float], ...] = dataclasses.field(default=(), metadata=ARGUMENT)
    """Names and values of the algorithm's own parameters that differ from the defaults.

    Such as (("std_init", 0.1),).
    """
    optimizer: AnyOptimizer | None = None
    """What turns a gradient into a step, for algorithms that have one; evosax's default if None."""
    std: Schedule | None = None
    """Scale of the search noise, for algorithms that are told it (Open_ES).

    Evosax's default if None.
    """

    def __post_init__(self) -> None:
        """Refuses what evosax does not have."""
        checks.settle(
            self,
            "strategy.",
            population_size=checks.integer(at_least=2),
            algorithm=checks.choice(*known_algorithms()),
            parameters=checks.named(checks.number("finite", math.isfinite), '(("std_init", 0.1),)'),
            optimizer=checks.optional(optimizer),
            std=checks.optional(schedule),
        )

    def init(self, key: PRNGKey, genome: Genome) -> EvosaxState:
        """Starts the algorithm at the genome's mode. The key is consumed."""
        init_key, ask_key = jax.random.split(key)
        mode = genome.mode()
        algorithm = _make(self, mode)
        with _evosax_rules():
            state = algorithm.init(init_key, mode, _parameters(self, algorithm))
        # Every number gets a definite type, which evosax's first states lack.
        settled = jax.tree.map(
            lambda leaf: jax.lax.convert_element_type(leaf, jnp.asarray(leaf).dtype), state
        )
        return EvosaxState(
            genome=NormalGenome(mean=mode, std=jnp.float32(0)),
            algorithm=settled,
            key_data=jax.random.key_data(ask_key),
            generation=jnp.zeros((), jnp.int32),
        )

    def ask(self, key: PRNGKey, state: EvosaxState) -> Genotype:
        """Draws the population from the state's own key. The key is consumed."""
        return self._ask(state)[0]

    def tell(
        self, state: EvosaxState, genotypes: Genotype, fitness: Float[Array, " population"]
    ) -> tuple[EvosaxState, dict[str, Array]]:
        """Takes one step of the algorithm.

        None where all are equally fit, which some algorithms would take for a ranking.
        """
        algorithm = _make(self, state.genome.mode())
        # XLA finds that this is the population of `ask` and draws it once.
        _, asked = self._ask(state)
        with _evosax_rules():
            told, _ = algorithm.tell(
                self._key(state, "tell"), genotypes, -fitness, asked, _parameters(self, algorithm)
            )
        told = jax.tree.map(
            partial(jnp.where, shaping.has_differences(fitness)),
            _like(told, state.algorithm),
            state.algorithm,
        )
        distances = jax.vmap(lambda genotype: ravel_pytree(genotype)[0] - state.algorithm.mean)(
            genotypes
        )
        spread = jnp.sqrt(jnp.mean(jnp.square(distances)))
        return EvosaxState(
            genome=NormalGenome(
                mean=_like(algorithm.get_mean(told), state.genome.mode()),
                std=spread.astype(jnp.float32),
            ),
            algorithm=told,
            key_data=state.key_data,
            generation=state.generation + 1,
        ), {"std": spread}

    def _ask(self, state: EvosaxState) -> tuple[Genotype, Any]:
        mode = state.genome.mode()
        algorithm = _make(self, mode)
        with _evosax_rules():
            genotypes, asked = algorithm.ask(
                self._key(state, "ask"), state.algorithm, _parameters(self, algorithm)
            )
        return _like(genotypes, mode), asked

    def _key(self, state: EvosaxState, use: Literal["ask", "tell"]) -> PRNGKey:
        index = 2 * state.generation + (use == "tell")
        return jax.random.fold_in(jax.random.wrap_key_data(state.key_data), index)


@cache
def known_algorithms() -> tuple[str, ...]:
    """Names of evosax's algorithms that have one mean, which they tell."""
    return tuple(
        name
        for name, found in vars(algorithms).items()
        if isinstance(found, type) and issubclass(found, DistributionBasedAlgorithm)
        # RandomSearch wants a function that samples.
        if not name.startswith("SV_") and name != "RandomSearch"
    )


def _make(spec: Evosax, solution: Genotype) -> Any:
    """Makes the algorithm for genotypes like `solution`, as the specification says."""
    std = spec.std
    options = {
        "optimizer": spec.optimizer and spec.optimizer.build(),
        "std_schedule": std and (lambda generation: std(jnp.asarray(generation))),
    }
    options = {name: option for name, option in options.items() if option is not None}
    # evosax wants an example's values only to know how to flatten it.
    example = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), solution)
    try:
        with jax.ensure_compile_time_eval(), _evosax_rules():
            return getattr(algorithms, spec.algorithm)(
                population_size=spec.population_size, solution=example, **options
            )
    except TypeError as error:
        raise ValueError(
            f"strategy.algorithm is {spec.algorithm!r}, which takes no {' or '.join(options)}: "
            f"{error}"
        ) from error
    except AssertionError as error:
        raise ValueError(
            f"strategy.population_size is {spec.population_size}, but {spec.algorithm} says: "
            f"{error}"
        ) from error


def _parameters(spec: Evosax, algorithm: Any) -> Any:
    # Some are computed with Python's numbers, so they are settled before a program is compiled.
    with jax.ensure_compile_time_eval(), _evosax_rules():
        parameters = algorithm.default_params
    allowed = [field.name for field in dataclasses.fields(parameters)]
    for name, _ in spec.parameters:
        if name not in allowed:
            raise ValueError(
                f"strategy.parameters has {name!r}, but {spec.algorithm} has {', '.join(allowed)}"
            )
    return parameters.replace(**dict(cast(Any, spec.parameters)))


def _like(tree: Any, other: Any) -> Any:
    """Gives every number of a tree the type of another's, which evosax leaves to JAX's default."""
    return jax.tree.map(lambda leaf, like: leaf.astype(like.dtype), tree, other)


@contextlib.contextmanager
def _evosax_rules() -> Iterator[None]:
    """Lets evosax promote dtypes and ranks."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield
