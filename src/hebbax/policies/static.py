"""The static baseline: evolved weights that never change within an episode."""

import dataclasses
from typing import final

from jaxtyping import Array, Float

from hebbax.policies import feedforward
from hebbax.policies.base import TaskShape
from hebbax.types import Parameter, PRNGKey


@final
@dataclasses.dataclass(frozen=True)
class Static(feedforward.FixedWeights):
    """A network whose weights are inherited and fixed.

    A tuple of `[pre, post]` layers is the phenotype, and there is no memory.
    """

    def parameters(self, task: TaskShape) -> tuple[Parameter, ...]:
        """The weights of every layer."""
        return feedforward.layers(task, self.hidden_sizes)

    def reset(self, key: PRNGKey, phenotype: feedforward.Layers) -> tuple[()]:
        """Nothing to remember. The key is consumed."""
        return ()

    def act(
        self,
        phenotype: feedforward.Layers,
        memory: tuple[()],
        observation: Float[Array, "..."],
        reward: Float[Array, ""],
    ) -> tuple[Float[Array, " action"], tuple[()]]:
        """One forward pass."""
        return self._forward(phenotype, observation), memory
