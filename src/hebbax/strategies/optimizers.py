"""Specifications of optax transformations, so that a configuration can be written down and read back.

Any frozen dataclass with a `build` that returns an optax transformation serves as well.
"""

import dataclasses
from typing import Any, Protocol, cast, final

import optax

from hebbax.strategies.schedule import Schedule


class Optimizer(Protocol):
    """What turns a gradient into a step."""

    def build(self) -> optax.GradientTransformation:
        """The transformation, as optax would minimise with it."""
        ...


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
        if not 0 <= self.momentum < 1:
            raise ValueError(f"strategy.optimizer.momentum is {self.momentum}, but must be in [0, 1)")

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
        for name, value in (("b1", self.b1), ("b2", self.b2)):
            if not 0 <= value < 1:
                raise ValueError(f"strategy.optimizer.{name} is {value}, but must be in [0, 1)")

    def build(self) -> optax.GradientTransformation:
        """`optax.adam`."""
        return optax.adam(cast(Any, self.learning_rate), b1=self.b1, b2=self.b2)
