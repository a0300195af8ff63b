"""What a policy is: a network with a memory that lasts for one lifetime."""

from typing import Any, Protocol

from jaxtyping import Array, Float, PyTree

from hebbax.types import Genotype, Memory, PRNGKey


class TaskShape(Protocol):
    """What a policy needs to know of a task."""

    @property
    def observation_shape(self) -> tuple[int, ...]: ...

    @property
    def action_size(self) -> int: ...


class Policy(Protocol):
    """A network as a frozen specification with pure functions, for one individual's lifetime."""

    def genotype_shape(self, task: TaskShape) -> PyTree:
        """What a genome must produce: a pytree of `jax.ShapeDtypeStruct`."""
        ...

    def reset(self, key: PRNGKey, genotype: Genotype) -> Memory:
        """The memory at the start of a lifetime. The key is consumed."""
        ...

    def act(
        self, genotype: Genotype, memory: Memory, observation: Float[Array, "..."]
    ) -> tuple[Any, Memory]:
        """Chooses an action, `[action_size]`, and learns from having done so."""
        ...
