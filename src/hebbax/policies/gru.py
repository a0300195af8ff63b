"""Evolved weights, and a GRU that remembers."""

import dataclasses
from typing import final

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from hebbax.policies import feedforward, recurrent
from hebbax.policies.base import TaskShape
from hebbax.policies.recurrent import RecurrentPhenotype
from hebbax.types import PRNGKey


@final
@dataclasses.dataclass(frozen=True)
class GRU(feedforward.FixedWeights):
    """A network whose first hidden layer is a GRU; others are dense.

    Its weights are inherited and fixed, its memory, `[hidden]` the last output, is zero at birth.
    Its gates stand in the order reset, update, new.

    Source: Cho et al. 2014, https://arxiv.org/abs/1406.1078, with the reset behind the product, as
    cuDNN and PyTorch have it.

    Examples:
        >>> import hebbax
        >>> policy = hebbax.policies.GRU(hidden_sizes=(8,))
        >>> policy.parameters(hebbax.tasks.Point()).from_input.shape
        (2, 24)
    """

    def __post_init__(self) -> None:
        """Refuses layers without neurons, and no layer at all."""
        super().__post_init__()
        recurrent.check_sizes(self)

    def parameters(self, task: TaskShape) -> PyTree:
        """The weights and biases of the GRU, and the weights of the layers behind it."""
        return recurrent.parameters(task, self.hidden_sizes, num_gates=3)

    def reset(self, key: PRNGKey, phenotype: RecurrentPhenotype) -> Float[Array, " hidden"]:
        """Nothing is remembered at birth. The key is consumed."""
        return recurrent.zero_output(phenotype)

    def act(
        self,
        phenotype: RecurrentPhenotype,
        memory: Float[Array, " hidden"],
        observation: Float[Array, "..."],
        reward: Float[Array, ""],
    ) -> tuple[Float[Array, " action"], Float[Array, " hidden"]]:
        """One step of the GRU, then one pass through the layers behind it."""
        new_memory = remember(phenotype, memory, jnp.ravel(observation))
        return self._forward(phenotype.layers, new_memory), new_memory


def remember(
    phenotype: RecurrentPhenotype, hidden: Float[Array, " hidden"], inputs: Float[Array, " pre"]
) -> Float[Array, " hidden"]:
    """One step of the GRU.

    n = tanh(x_n + sigmoid(r) h_n),    h' = (1 - sigmoid(z)) n + sigmoid(z) h
    """
    x_r, x_z, x_n = jnp.split(inputs @ phenotype.from_input + phenotype.input_bias, 3)
    h_r, h_z, h_n = jnp.split(hidden @ phenotype.from_hidden + phenotype.hidden_bias, 3)
    new = jnp.tanh(x_n + jax.nn.sigmoid(x_r + h_r) * h_n)
    z = jax.nn.sigmoid(x_z + h_z)
    return (1 - z) * new + z * hidden
