"""Values that decay from generation to generation."""

import dataclasses
from typing import final

import jax.numpy as jnp
from jaxtyping import Array, Float, Int


@final
@dataclasses.dataclass(frozen=True)
class Schedule:
    """`max(initial * decay^generation, floor)`. It is an optax schedule."""

    initial: float
    """Value in the first generation, above 0."""
    decay: float = 1.0
    """Factor from one generation to the next, above 0 and at most 1."""
    floor: float = 0.0
    """The value never falls below this."""

    def __post_init__(self) -> None:
        """Refuses values that no schedule of a scale can have."""
        if not self.initial > 0:
            raise ValueError(f"Schedule.initial is {self.initial}, but must be above 0")
        if not 0 < self.decay <= 1:
            raise ValueError(f"Schedule.decay is {self.decay}, but must be above 0 and at most 1")
        if not 0 <= self.floor <= self.initial:
            raise ValueError(f"Schedule.floor is {self.floor}, but must be between 0 and initial, {self.initial}")

    def __call__(self, generation: Int[Array, ""]) -> Float[Array, ""]:
        """The value in a generation, counted from 0."""
        return jnp.maximum(self.initial * self.decay ** generation.astype(jnp.float32), self.floor)
