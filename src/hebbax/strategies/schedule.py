"""Values that decay from generation to generation."""

import dataclasses
from typing import Any, final

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from hebbax.types import checks
from hebbax.types.arguments import ARGUMENT


@final
@dataclasses.dataclass(frozen=True)
class Schedule:
    """`max(initial * decay^generation, floor)`. It is an optax schedule.

    Examples:
        >>> import hebbax
        >>> import jax.numpy as jnp
        >>> schedule = hebbax.Schedule(1.0, decay=0.5, floor=0.125)
        >>> [float(schedule(jnp.asarray(generation))) for generation in (0, 1, 2, 10)]
        [1.0, 0.5, 0.25, 0.125]
    """

    initial: float = dataclasses.field(metadata=ARGUMENT)
    """Value in the first generation, above 0."""
    decay: float = dataclasses.field(default=1.0, metadata=ARGUMENT)
    """Factor from one generation to the next, above 0 and at most 1."""
    floor: float = dataclasses.field(default=0.0, metadata=ARGUMENT)
    """The value never falls below this."""

    def __post_init__(self) -> None:
        """Refuses values that no schedule of a scale can have."""
        checks.settle(self, "Schedule.", initial=checks.positive)
        checks.settle(
            self,
            "Schedule.",
            decay=checks.number("above 0 and at most 1", lambda value: 0 < value <= 1),
            floor=checks.number(
                f"between 0 and initial, {self.initial}", lambda value: 0 <= value <= self.initial
            ),
        )

    def __call__(self, generation: Int[Array, ""]) -> Float[Array, ""]:
        """The value in a generation, counted from 0."""
        return jnp.maximum(self.initial * self.decay ** generation.astype(jnp.float32), self.floor)


def schedule(name: str, value: Any) -> Any:
    """Checks a field: a schedule, or any function of the generation."""
    if not callable(value) or isinstance(value, type):
        raise ValueError(f"{name} is {value!r}, but must be a schedule, such as Schedule(0.1)")
    return value
