"""Damage to a network in the middle of a lifetime: does what it has learnt come back?"""

import dataclasses
from typing import final

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool

from hebbax import checks
from hebbax.types import Memory


@final
@dataclasses.dataclass(frozen=True)
class Lesion:
    """At one step all weights of one plastic layer become zero.

    From there on they learn as before.
    """

    layer: int
    """Which layer of the policy's memory, counted from 0."""
    step: int
    """The policy step, counted from 0, that is the first to be lived with the damage."""

    def __post_init__(self) -> None:
        """Refuses negative numbers."""
        checks.settle(self, "lesion.", layer=checks.integer(), step=checks.integer())


def check_lesion(lesion: Lesion, memory: Memory) -> None:
    """Refuses a lesion where there is nothing to damage.

    Args:
        lesion: the damage.
        memory: what the policy remembers, or its shapes. A plastic network's memory is a tuple of
            `[pre, post]` layers.

    Raises:
        ValueError: if the memory holds no layers of weights, or not so many.
    """
    if (
        not isinstance(memory, tuple)
        or not memory
        or any(len(getattr(layer, "shape", ())) != 2 for layer in memory)
    ):
        raise ValueError(
            "lesion is given, but the policy has no plastic layers: only weights that are learnt "
            "within a lifetime can be damaged"
        )
    if lesion.layer >= len(memory):
        allowed = ", ".join(map(str, range(len(memory))))
        raise ValueError(
            f"lesion.layer is {lesion.layer}, but must be one of the policy's plastic layers: "
            f"{allowed}"
        )


def damage(lesion: Lesion, memory: Memory, is_now: Bool[Array, ""]) -> Memory:
    """Returns the memory with the lesion's layer set to zero, if it is time."""
    return tuple(
        jax.lax.select(is_now, jnp.zeros_like(weights), weights)
        if number == lesion.layer
        else weights
        for number, weights in enumerate(memory)
    )
