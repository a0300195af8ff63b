"""The static baseline: evolved weights that never change within a lifetime."""

import dataclasses
from typing import final

from jaxtyping import Array, Float

from hebbax import checks
from hebbax.policies import feedforward
from hebbax.policies.base import TaskShape
from hebbax.types import PRNGKey


@final
@dataclasses.dataclass(frozen=True)
class Static:
    """A network whose weights are inherited and fixed.

    A tuple of `[pre, post]` layers is the genotype, and there is no memory.
    """

    hidden_sizes: tuple[int, ...] = (128, 64)
    """Neurons in each hidden layer."""
    is_output_linear: bool = False
    """Whether actions are what the last layer says before tanh."""

    def __post_init__(self) -> None:
        """Refuses layers without neurons."""
        checks.settle(
            self, "policy.", hidden_sizes=feedforward.hidden_sizes, is_output_linear=checks.flag
        )

    def genotype_shape(self, task: TaskShape) -> tuple:
        """The weights of every layer."""
        return feedforward.float_shapes(feedforward.layer_shapes(task, self.hidden_sizes))

    def reset(self, key: PRNGKey, genotype: feedforward.Layers) -> tuple[()]:
        """Nothing to remember. The key is consumed."""
        del key, genotype
        return ()

    def act(
        self, genotype: feedforward.Layers, memory: tuple[()], observation: Float[Array, "..."]
    ) -> tuple[Float[Array, " action"], tuple[()]]:
        """One forward pass."""
        return feedforward.activations(
            genotype, observation, is_output_linear=self.is_output_linear
        )[-1], memory
