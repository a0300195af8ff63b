"""Damage to a network in the middle of an episode: does what it has learned come back?"""

import dataclasses
from typing import final

import jax
import jax.numpy as jnp

from hebbax.config import Config, Policy
from hebbax.evolution.episode import EpisodeState
from hebbax.types import checks, shapes_of


@final
@dataclasses.dataclass(frozen=True)
class Lesion:
    """At one step all weights of one plastic layer become zero.

    From there on they learn as before.
    """

    layer: int
    """Which of the policy's `plastic_weights`, counted from 0.

    Its layers come first, then their recurrent weights, then their biases.
    """
    step: int
    """The policy step, counted from 0, that is the first with the damage."""

    def __post_init__(self) -> None:
        """Refuses negative numbers."""
        checks.settle(self, "lesion.", layer=checks.integer(), step=checks.integer())


def check_lesion(lesion: Lesion, config: Config) -> None:
    """Refuses a lesion where there is nothing to damage; nothing is computed.

    Raises:
        ValueError: if the policy has no plastic layers, or not so many.
    """
    policy = config.policy
    weights = jax.eval_shape(
        lambda key, phenotype: policy.plastic_weights(policy.reset(key, phenotype)),
        jax.random.key(0),
        shapes_of(policy.parameters(config.task)),
    )
    num_layers = len(weights)
    if num_layers == 0:
        raise ValueError(
            "lesion is given, but the policy has no plastic layers: only weights that are learned "
            "within an episode can be damaged"
        )
    if lesion.layer >= num_layers:
        raise ValueError(
            f"lesion.layer is {lesion.layer}, but must be one of the policy's plastic layers: "
            f"{', '.join(map(str, range(num_layers)))}"
        )


def damage(lesion: Lesion, policy: Policy, state: EpisodeState) -> EpisodeState:
    """Sets the lesion's layer to zero, if it is time."""
    is_now = ~state.is_over & (state.num_steps == lesion.step)
    layer = policy.plastic_weights(state.memory)[lesion.layer]
    hurt = jax.lax.select(is_now, jnp.zeros_like(layer), layer)
    return state.replace(
        memory=jax.tree.map(lambda leaf: hurt if leaf is layer else leaf, state.memory)
    )
