"""Lesions: which layer, when, and what is refused."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from hebbax.evolution.episode import EpisodeState
from hebbax.policies.hebbian import Hebbian, HebbianMemory
from hebbax.policies.lstm import LSTM
from hebbax.policies.static import Static
from hebbax.watching.lesion import Lesion, check_lesion, damage
from small_run import small_config

LAYERS = (jnp.ones((2, 3)), jnp.full((3, 4), 2.0))


def state(num_steps: int, *, is_over: bool = False) -> EpisodeState:
    return EpisodeState(
        state=(),
        observation=jnp.zeros(2),
        reward=jnp.zeros(()),
        memory=HebbianMemory(LAYERS, traces=((), ())),
        returns=jnp.zeros(()),
        num_steps=jnp.asarray(num_steps, jnp.int32),
        is_over=jnp.asarray(is_over),
    )


@pytest.mark.parametrize("layer", [0, 1])
@pytest.mark.parametrize(
    ("num_steps", "is_over", "is_hurt"),
    [(4, False, False), (5, False, True), (5, True, False), (6, False, False)],
)
def test_one_layer_is_zero_when_it_is_time(
    layer: int, num_steps: int, is_over: bool, is_hurt: bool
):
    """Mutations: the other layer; all layers; at any time; after the end."""
    before = state(num_steps, is_over=is_over)
    damaged = damage(Lesion(layer, step=5), Hebbian(), before)
    for i, weights in enumerate(LAYERS):
        is_zero = is_hurt and i == layer
        np.testing.assert_array_equal(
            damaged.memory.weights[i], jnp.zeros_like(weights) if is_zero else weights
        )


@pytest.mark.parametrize("field", ["layer", "step"])
def test_negative_numbers_are_refused(field: str):
    with pytest.raises(ValueError, match=rf"lesion\.{field} is -1, but must be 0 or more"):
        Lesion(**{"layer": 0, "step": 0, field: -1})


@pytest.mark.parametrize("policy", [Static(hidden_sizes=(3,)), LSTM(hidden_sizes=(3,))])
def test_policies_without_plastic_layers_are_refused(policy):
    """What an LSTM remembers is no weights."""
    with pytest.raises(ValueError, match="the policy has no plastic layers"):
        check_lesion(Lesion(0, 0), small_config(policy=policy))


def test_a_missing_layer_is_refused():
    check_lesion(Lesion(1, 0), small_config())
    with pytest.raises(
        ValueError,
        match=r"lesion\.layer is 2, but must be one of the policy's plastic layers: 0, 1",
    ):
        check_lesion(Lesion(2, 0), small_config())


def test_a_rules_own_memory_stays():
    """Only the weights of the layer are damaged, not what the rule remembers of it.

    Mutation: all of the memory's leaves of the same shape.
    """
    traces = (jnp.ones((2, 3)), ())
    before = state(5)
    before = before.replace(memory=dataclasses.replace(before.memory, traces=traces))
    damaged = damage(Lesion(0, step=5), Hebbian(), before)
    np.testing.assert_array_equal(damaged.memory.traces[0], traces[0])
