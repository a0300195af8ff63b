"""What a policy is: a network with a memory that lasts for one episode."""

from typing import Any, Protocol

from jaxtyping import Array, Float, PyTree

from hebbax.types import Memory, Phenotype, PRNGKey


class TaskShape(Protocol):
    """What a policy needs to know of a task."""

    @property
    def observation_shape(self) -> tuple[int, ...]: ...

    @property
    def action_size(self) -> int: ...


class Policy(Protocol):
    """A network as a frozen specification with pure functions, for one individual's episode.

    How its numbers are written in a genotype is the business of an encoding.
    """

    def parameters(self, task: TaskShape) -> PyTree:
        """What the network lives with, its phenotype: a pytree of `Parameter`."""
        ...

    def reset(self, key: PRNGKey, phenotype: Phenotype) -> Memory:
        """The memory at the start of an episode. The key is consumed."""
        ...

    def act(
        self,
        phenotype: Phenotype,
        memory: Memory,
        observation: Float[Array, "..."],
        reward: Float[Array, ""],
    ) -> tuple[Any, Memory]:
        """Chooses an action, `[action_size]`, and learns from having done so.

        Args:
            phenotype: arrays in the tree and the shapes of `parameters`.
            memory: as `reset` or the step before made it.
            observation: `[*observation_shape]` what the individual sees now.
            reward: `[]` of the step before; 0 in the first.
        """
        ...

    def plastic_weights(self, memory: Memory) -> tuple[Array, ...]:
        """The leaves of a memory that are weights which change; `()` where none do."""
        ...
