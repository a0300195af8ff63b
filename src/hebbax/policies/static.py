"""The static baseline: evolved weights that never change within an episode."""

import dataclasses
from typing import final

from jaxtyping import Array, Float

from hebbax.policies import feedforward
from hebbax.policies.base import TaskShape
from hebbax.types import Parameter, PRNGKey, checks


@final
@dataclasses.dataclass(frozen=True)
class Static:
    """A network whose weights are inherited and fixed.

    A tuple of `[pre, post]` layers is the phenotype, and there is no memory.
    """

    hidden_sizes: tuple[int, ...] = (128, 64)
    """Neurons in each hidden layer."""
    is_output_linear: bool = False
    """Whether the last layer has no tanh."""

    def __post_init__(self) -> None:
        """Refuses layers without neurons."""
        checks.settle(
            self, "policy.", hidden_sizes=feedforward.hidden_sizes, is_output_linear=checks.flag
        )

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
        return feedforward.activations(
            phenotype, observation, is_output_linear=self.is_output_linear
        )[-1], memory

    def plastic_weights(self, memory: tuple[()]) -> tuple[()]:
        """None: weights do not change."""
        return memory
