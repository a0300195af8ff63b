"""What a task looks like, for films: capsules, and where they are."""

import dataclasses
from collections.abc import Callable
from typing import Any, final

import numpy as np
from jaxtyping import Array, Bool, Float, UInt8


@final
@dataclasses.dataclass(frozen=True, eq=False)
class Shapes:
    """How a task looks in one of its variations, which its function `scene` tells by name.

    A capsule is all that is within a radius of a line from one of its ends to the other, and a ball
    if these are one.

    Examples:
        >>> import jax.numpy as jnp
        >>> import numpy as np
        >>> import hebbax
        >>> task = hebbax.tasks.Point()
        >>> ball = hebbax.tasks.Shapes(
        ...     step_duration=0.1,
        ...     place=lambda state: jnp.zeros((1, 2, 3)),
        ...     radii=np.full(1, 0.2),
        ...     colours=np.full((1, 3), 90, np.uint8),
        ... )
    """

    step_duration: float
    """s, of a policy step."""
    place: Callable[[Any], Float[Array, "capsules 2 3"]]
    """m, where both ends of each capsule are in a state of the task; z is up."""
    radii: Float[np.ndarray, " capsules"]
    """m"""
    colours: UInt8[np.ndarray, "capsules 3"]
    """Red, green and blue from 0 to 255."""
    is_fixed: Bool[np.ndarray, " capsules"] | None = None
    """Which never move: a film shows where the others go. None of them if None."""
    floor: float | None = None
    """m, where the floor is; below all that moves if None."""
