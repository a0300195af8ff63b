"""Lesions: which layer, when, and what is refused."""

import jax.numpy as jnp
import numpy as np
import pytest

from hebbax.policies.lstm import LSTMMemory
from hebbax.watching.lesion import Lesion, check_lesion, damage

LAYERS = (jnp.ones((2, 3)), jnp.full((3, 4), 2.0))


@pytest.mark.parametrize("layer", [0, 1])
@pytest.mark.parametrize("is_now", [False, True])
def test_one_layer_is_zero_when_it_is_time(layer: int, is_now: bool):
    """Mutations: the other layer; all layers; at any time."""
    damaged = damage(Lesion(layer, step=5), LAYERS, jnp.asarray(is_now))
    for number, (before, after) in enumerate(zip(LAYERS, damaged, strict=True)):
        np.testing.assert_array_equal(
            after, jnp.zeros_like(before) if is_now and number == layer else before
        )


@pytest.mark.parametrize("field", ["layer", "step"])
def test_negative_numbers_are_refused(field: str):
    with pytest.raises(ValueError, match=rf"lesion\.{field} is -1, but must be 0 or more"):
        Lesion(**{"layer": 0, "step": 0, field: -1})


@pytest.mark.parametrize(
    "memory",
    [(), LSTMMemory(jnp.zeros(3), jnp.zeros(3)), {"weights": jnp.zeros((2, 3))}, jnp.zeros((2, 3))],
)
def test_memory_without_layers_is_refused(memory):
    """What a static network, an LSTM or one's own policy remembers is no layers of weights."""
    with pytest.raises(ValueError, match="the policy has no plastic layers"):
        check_lesion(Lesion(0, 0), memory)


def test_missing_layer_is_refused():
    check_lesion(Lesion(1, 0), LAYERS)
    with pytest.raises(
        ValueError,
        match=r"lesion\.layer is 2, but must be one of the policy's plastic layers: 0, 1",
    ):
        check_lesion(Lesion(2, 0), LAYERS)
