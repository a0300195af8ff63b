"""What tasks have in common that are environments of libraries which stand on MuJoCo."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, PyTree

from hebbax.tasks.libraries import physics_rules
from hebbax.tasks.shapes import Shapes
from hebbax.tasks.variants import Variants
from hebbax.types import Action, PRNGKey

if TYPE_CHECKING:
    from hebbax.tasks.mujoco_models import World


class MujocoVariations(Variants):
    """Factors of fields of an environment's model."""

    @property
    @abstractmethod
    def world(self) -> "World":
        """The environment in all variations, which is made when it is first asked for."""

    def __getitem__(self, name: str) -> dict[str, Array]:
        """What differs between variations, by where the environment has it.

        Raises:
            KeyError: if there is no such variation.
            ValueError: if there is no such environment, or its model has no such field.
        """
        if name not in dict(self.changes):
            raise KeyError(name)
        return self.world.variation(name)


class MujocoTask(ABC):
    """The functions of such a task: of an environment with the interface of Brax's."""

    variations: Any

    @property
    def observation_shape(self) -> tuple[int, ...]:
        """Of what the environment shows, as numbers in a row."""
        return (self._world.observation_size,)

    @property
    def action_size(self) -> int:
        """A number for each actuator."""
        return int(self._world.environment.action_size)

    def reset(
        self, key: PRNGKey, variation: dict[str, Array]
    ) -> tuple[PyTree, Float[Array, " size"]]:
        """Starts an episode. The key is consumed."""
        with physics_rules():
            # A key of the old kind: some environments use theirs more than once.
            state = self._world.within(variation).reset(jax.random.key_data(key))
            return jax.tree.map(jnp.asarray, state), _numbers(state.obs)

    def step(
        self, state: PyTree, action: Action, variation: dict[str, Array]
    ) -> tuple[PyTree, Float[Array, " size"], Float[Array, ""], Bool[Array, ""]]:
        """Advances an episode by one step; actions beyond +-1 are as good as +-1.

        Returns:
            The next state, what is observed in it, the reward, and whether the environment says
            that the episode ends.
        """
        # Environments write into the dictionaries of the state that they are given.
        given: Any = jax.tree.map(lambda leaf: leaf, state)
        with physics_rules():
            after = self._world.within(variation).step(given, jnp.clip(action, -1.0, 1.0))
            return (
                # The state keeps its types, so that steps can be repeated.
                jax.tree.map(lambda new, old: jnp.asarray(new, old.dtype), after, state),
                _numbers(after.obs),
                jnp.asarray(after.reward, jnp.float32).reshape(()),
                (jnp.asarray(after.done) != 0).reshape(()),
            )

    def scene(self, variation: str) -> Shapes:
        """What films draw of it in a variation.

        Raises:
            ValueError: if the environment has no model of MuJoCo.
        """
        from hebbax.tasks.mujoco_shapes import shapes_of

        world = self._world
        if variation not in world.models:
            raise ValueError(
                f"{self.variations.environment} has no model of MuJoCo that could be drawn"
            )
        return shapes_of(world.models[variation], self._frames, world.step_duration)

    @property
    def _world(self) -> "World":
        return self.variations.world

    @abstractmethod
    def _frames(self, state: Any) -> tuple[Float[Array, "bodies 3"], Float[Array, "bodies 4"]]:
        """Where bodies are in a state, the world first: places, and rotations as quaternions."""


def _numbers(observation: Any) -> Float[Array, " size"]:
    """An observation, an array or a tree of them, as numbers in a row."""
    return ravel_pytree(observation)[0].astype(jnp.float32)
