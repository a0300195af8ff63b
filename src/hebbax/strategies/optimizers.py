"""Specifications of optax transformations, which can be written down and read back.

Any frozen dataclass with a `build` that returns an optax transformation serves as well.
"""

import dataclasses
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, cast, final

import jax
import jax.numpy as jnp
import optax
from jaxtyping import PyTree

from hebbax.genomes.base import Genome, learned_of
from hebbax.strategies.schedule import Schedule, schedule
from hebbax.types import checks


class Optimizer(Protocol):
    """What turns a gradient into a step.

    It sees the genome's learned leaves alone. A transformation that takes optax's extra arguments
    is given the whole genome as `genome`.
    """

    def build(self) -> optax.GradientTransformation:
        """The transformation, as optax would minimise with it."""
        ...


if TYPE_CHECKING:
    AnyOptimizer: TypeAlias = Optimizer
else:
    AnyOptimizer = Any  # The command line reads its options off the object that is there.

optimizer = checks.having("build", example="Sgd()")


@final
@dataclasses.dataclass(frozen=True)
class Sgd:
    """Plain gradient steps, the paper's choice."""

    learning_rate: Schedule = Schedule(0.2, decay=0.995, floor=0.001)
    """Step length per unit of gradient."""
    momentum: float = 0.0
    """Share of the last step that is taken again, in [0, 1)."""

    def __post_init__(self) -> None:
        """Refuses a momentum that never dies out."""
        checks.settle(
            self, "strategy.optimizer.", learning_rate=schedule, momentum=checks.below_one
        )

    def build(self) -> optax.GradientTransformation:
        """`optax.sgd`."""
        return optax.sgd(cast(Any, self.learning_rate), momentum=self.momentum or None)


@final
@dataclasses.dataclass(frozen=True)
class Adam:
    """Steps of a size that does not depend on the gradient's."""

    learning_rate: Schedule = Schedule(0.01)
    """Typical length of a step per parameter."""
    b1: float = 0.9
    """Decay of the gradient's running mean, in [0, 1)."""
    b2: float = 0.999
    """Decay of the squared gradient's running mean, in [0, 1)."""

    def __post_init__(self) -> None:
        """Refuses decays outside [0, 1)."""
        checks.settle(
            self,
            "strategy.optimizer.",
            learning_rate=schedule,
            b1=checks.below_one,
            b2=checks.below_one,
        )

    def build(self) -> optax.GradientTransformation:
        """`optax.adam`."""
        return optax.adam(cast(Any, self.learning_rate), b1=self.b1, b2=self.b2)


@final
@dataclasses.dataclass(frozen=True)
class Natural:
    """Turns the gradient into the natural gradient, before another optimiser.

    The genome's `natural_gradient` divides by the Fisher information, parameter by parameter.
    """

    optimizer: AnyOptimizer = Sgd()
    """What turns the natural gradient into a step."""

    def __post_init__(self) -> None:
        """Refuses what is no optimiser."""
        checks.settle(self, "strategy.optimizer.", optimizer=optimizer)

    def build(self) -> optax.GradientTransformation:
        """`optax.chain` of the division and the other."""
        return optax.chain(_by_genome("natural_gradient"), self.optimizer.build())


@final
@dataclasses.dataclass(frozen=True)
class EvenSteps:
    """Scales the gradient so that noise moves all parameters equally far, before another optimiser.

    The genome's `even_gradient` divides by what the gradient's deviation grows with. For shared
    rules it is not the natural gradient, whose steps shrink where a rule has many synapses.
    """

    optimizer: AnyOptimizer = Sgd()
    """What turns the scaled gradient into a step."""

    def __post_init__(self) -> None:
        """Refuses what is no optimiser."""
        checks.settle(self, "strategy.optimizer.", optimizer=optimizer)

    def build(self) -> optax.GradientTransformation:
        """`optax.chain` of the scaling and the other."""
        return optax.chain(_by_genome("even_gradient"), self.optimizer.build())


@final
@dataclasses.dataclass(frozen=True)
class PerPart:
    """An optimiser for each of some parts of a genome, and another for the rest."""

    parts: tuple[tuple[str, AnyOptimizer], ...]
    """Names of the genome's parts, each with its optimiser."""
    rest: AnyOptimizer = Sgd()
    """The optimiser of all other parts."""

    def __post_init__(self) -> None:
        """Refuses what names no optimisers."""
        checks.settle(
            self,
            "strategy.optimizer.",
            parts=checks.named(optimizer, '(("logits", Adam()),)'),
            rest=optimizer,
        )

    def build(self) -> optax.GradientTransformation:
        """`optax.partition` by the names on the way to each leaf."""
        return optax.partition(
            {"": self.rest.build(), **{name: part.build() for name, part in self.parts}},
            self._label,
        )

    def _label(self, genome: PyTree) -> PyTree:
        names = [name for name, _ in self.parts]
        paths = [
            {_name(step) for step in path}
            for path, _ in jax.tree_util.tree_leaves_with_path(genome)
        ]
        for name in names:
            if not any(name in path for path in paths):
                raise ValueError(
                    f"strategy.optimizer.parts names {name!r}, but the genome has "
                    f"{', '.join(sorted(set().union(*paths)))}"
                )
        return jax.tree_util.tree_map_with_path(
            lambda path, _: next((name for name in names if name in map(_name, path)), ""), genome
        )


def _by_genome(function: str) -> optax.GradientTransformationExtraArgs:
    """A transformation by a function of the genome.

    What `optax.partition` has masked, for another optimiser, stays masked.
    """

    def is_masked(part: Any) -> bool:
        return isinstance(part, optax.MaskedNode)

    def update(
        updates: Any, state: Any, params: Any = None, *, genome: Genome | None = None, **_: Any
    ) -> tuple[Any, Any]:
        # `params` are masked where other parts have other optimisers; the genome is whole.
        if genome is None or not hasattr(genome, function):
            given = (
                "the strategy searches without a genome"
                if genome is None
                else f"the genome ({type(genome).__name__}) has no {function!r}"
            )
            raise ValueError(
                f"strategy.optimizer scales by {function!r}, but {given}; choose another optimiser"
            )
        whole = jax.tree.map(
            lambda part, leaf: jnp.zeros_like(leaf) if is_masked(part) else part,
            updates,
            learned_of(genome),
            is_leaf=is_masked,
        )
        scaled = getattr(genome, function)(whole)
        return jax.tree.map(
            lambda part, leaf: part if is_masked(part) else leaf,
            updates,
            scaled,
            is_leaf=is_masked,
        ), state

    return optax.GradientTransformationExtraArgs(lambda params: optax.EmptyState(), update)


def _name(step: Any) -> str:
    """The name of one step on the way to a leaf."""
    return str(getattr(step, "name", getattr(step, "key", getattr(step, "idx", step))))
