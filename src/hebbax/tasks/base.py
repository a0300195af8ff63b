"""What a task is: an environment whose variations are data."""

from collections.abc import Mapping
from typing import Any, Protocol

from jaxtyping import Array, Bool, Float

from hebbax.types import PRNGKey, Variation


class Task(Protocol):
    """An environment as a frozen specification with pure functions.

    A task is written for one episode in one variation; the rollout maps it over populations and
    variations. Specifications are hashable: compare and hash by their configuration. A task may
    have a function `scene`, too: from a variation's name to the `Shapes` that films draw.

    variations: named data that make one version of the task differ from another. All have the same
        tree structure and shapes, so that they stack.
    observation_shape: shape of one observation.
    action_size: number of components of an action, each meant to be in [-1, 1] or as the task says.
    max_steps: the most policy steps that an episode has.
    """

    @property
    def variations(self) -> Mapping[str, Variation]: ...

    @property
    def observation_shape(self) -> tuple[int, ...]: ...

    @property
    def action_size(self) -> int: ...

    @property
    def max_steps(self) -> int: ...

    def reset(self, key: PRNGKey, variation: Variation) -> tuple[Any, Float[Array, "..."]]:
        """Starts an episode. The key is consumed.

        Returns:
            The state, a pytree, and the first observation.
        """
        ...

    def step(
        self, state: Any, action: Float[Array, " action"], variation: Variation
    ) -> tuple[Any, Float[Array, "..."], Float[Array, ""], Bool[Array, ""]]:
        """Advances an episode by one policy step, without ever resetting it.

        An action or a reward that is not finite ends the episode, whatever the task says.

        Returns:
            The next state, its observation, the reward of this step, and whether the episode ends
            with it.
        """
        ...
