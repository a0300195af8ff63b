"""Brax's environments as tasks, with variations of their models.

Source: brax 0.14, https://github.com/google/brax.
"""

import dataclasses
import functools
from typing import TYPE_CHECKING, Any, Literal, final

import jax.numpy as jnp
from jaxtyping import Array, Float

from hebbax.tasks.libraries import quiet_loading
from hebbax.tasks.mujoco_task import MujocoTask, MujocoVariations
from hebbax.tasks.variants import Changes
from hebbax.types import checks

if TYPE_CHECKING:
    from hebbax.tasks.mujoco_models import World


@final
@dataclasses.dataclass(frozen=True)
class BraxVariations(MujocoVariations):
    """Factors of fields of the model of one of Brax's environments.

    backend: which of Brax's physics moves it.
    """

    backend: str = "mjx"

    @property
    def world(self) -> "World":
        """The environment in all variations, which is made when it is first asked for."""
        return _build(self.environment, self.backend, self.changes)


@final
@dataclasses.dataclass(frozen=True)
class BraxTask(MujocoTask):
    """An environment that Brax has registered, such as `hopper` or `inverted_pendulum`.

    A variation gives *factors* by which fields of the environment's `mujoco.MjModel` are
    multiplied: `{"body_mass": 2.0}` doubles all masses, `{"body_mass:torso": 2.0}` that of the
    torso alone, `{"opt.gravity": 0.5}` halves gravity. A field is changed alone: what is twice as
    heavy and of the same shape has `body_inertia` doubled, too. The model is changed before Brax
    compiles it, so that what MuJoCo derives from these numbers follows.

    Examples:
        >>> import hebbax
        >>> heavy = {"body_mass": 2.0, "body_inertia": 2.0}
        >>> task = hebbax.tasks.BraxTask("inverted_pendulum", variations={"heavy": heavy})
        >>> list(task.variations)
        ['default', 'heavy']
    """

    name: str
    """The environment's name."""
    variations: Any = dataclasses.field(default_factory=dict)
    """What differs between variations: `{"heavy": {"body_mass": 2.0}}` beside the default."""
    backend: Literal["mjx", "generalized", "positional", "spring"] = "mjx"
    """Which of Brax's physics moves it; not every environment has every one."""
    max_steps: int = 1000
    """The most steps of an episode."""

    def __post_init__(self) -> None:
        """Refuses variations that are no factors by name."""
        checks.settle(
            self,
            "task.",
            name=checks.file_name,
            backend=checks.choice("mjx", "generalized", "positional", "spring"),
            max_steps=checks.integer(at_least=1),
            variations=lambda _, value: BraxVariations.of(self.name, value, backend=self.backend),
        )

    def _frames(self, state: Any) -> tuple[Float[Array, "bodies 3"], Float[Array, "bodies 4"]]:
        links = state.pipeline_state.x
        return (
            jnp.concatenate([jnp.zeros((1, 3)), links.pos]),
            jnp.concatenate([jnp.eye(1, 4), links.rot]),
        )


@functools.cache
def _build(name: str, backend: str, changes: Changes) -> "World":
    """Makes an environment in all variations.

    Raises:
        ModuleNotFoundError: if Brax or MuJoCo is not there.
        ValueError: if there is no such environment, or none that this physics moves.
    """
    with quiet_loading():
        try:
            from brax import envs
            from brax.io import mjcf

            from hebbax.tasks.mujoco_models import build_world
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                f"task {name} needs brax 0.14 and MuJoCo, but {error.name} is missing: pip "
                "install 'brax>=0.14,<0.15' mujoco-mjx"
            ) from error
        if name not in envs._envs:
            raise ValueError(
                f"task.name is {name!r}, but must be one of Brax's: {', '.join(envs._envs)}"
            )

        def make() -> Any:
            try:
                return envs.get_environment(name, backend=backend)
            except ValueError as error:
                if "backend" not in str(error):
                    raise
                raise ValueError(
                    f"task.backend is {backend!r}, which is no physics of {name}: {error}"
                ) from error

        return build_world(make, (mjcf, "load_model"), name, changes)
