"""MuJoCo Playground's control suite as tasks, with variations of its models.

Source: playground 0.2, https://github.com/google-deepmind/mujoco_playground.
"""

import dataclasses
import functools
from typing import TYPE_CHECKING, Any, final

from jaxtyping import Array, Float

from hebbax.tasks.libraries import quiet_loading
from hebbax.tasks.mujoco_task import MujocoTask, MujocoVariations
from hebbax.tasks.variants import Changes
from hebbax.types import checks

if TYPE_CHECKING:
    from hebbax.tasks.mujoco_models import World


@final
@dataclasses.dataclass(frozen=True)
class PlaygroundVariations(MujocoVariations):
    """Factors of fields of the model of one of Playground's environments."""

    @property
    def world(self) -> "World":
        """The environment in all variations, which is made when it is first asked for."""
        return _build(self.environment, self.changes)


@final
@dataclasses.dataclass(frozen=True)
class PlaygroundTask(MujocoTask):
    """An environment of Playground's DeepMind control suite, such as `CartpoleBalance`.

    Variations are factors of fields of its model, as those of `BraxTask`. It is moved by MuJoCo's
    physics in JAX.

    Examples:
        >>> import hebbax
        >>> slow = {"dof_damping": 2.0}
        >>> task = hebbax.tasks.PlaygroundTask("PendulumSwingup", variations={"slow": slow})
        >>> list(task.variations)
        ['default', 'slow']
    """

    name: str
    """The environment's name."""
    variations: Any = dataclasses.field(default_factory=dict)
    """What differs between variations: `{"heavy": {"body_mass": 2.0}}` beside the default."""
    max_steps: int = 1000
    """The most steps of an episode."""

    def __post_init__(self) -> None:
        """Refuses variations that are no factors by name."""
        checks.settle(
            self,
            "task.",
            name=checks.file_name,
            max_steps=checks.integer(at_least=1),
            variations=lambda _, value: PlaygroundVariations.of(self.name, value),
        )

    def _frames(self, state: Any) -> tuple[Float[Array, "bodies 3"], Float[Array, "bodies 4"]]:
        return state.data.xpos, state.data.xquat


@functools.cache
def _build(name: str, changes: Changes) -> "World":
    """Makes an environment in all variations.

    Raises:
        ModuleNotFoundError: if Playground is not there.
        ValueError: if it has no such environment.
    """
    with quiet_loading():
        try:
            from mujoco import mjx
            from mujoco_playground import dm_control_suite  # pyright: ignore[reportMissingImports]

            from hebbax.tasks.mujoco_models import build_world
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                f"task {name} needs playground 0.2, but {error.name} is missing: pip install "
                "'hebbax[playground]'"
            ) from error
        if name not in dm_control_suite.ALL_ENVS:
            raise ValueError(
                f"task.name is {name!r}, but must be one of Playground's control suite: "
                f"{', '.join(dm_control_suite.ALL_ENVS)}"
            )
        return build_world(
            # The other physics that it has, Warp's, keeps its state where JAX does not see it.
            lambda: dm_control_suite.load(name, config_overrides={"impl": "jax"}),
            (mjx, "put_model"),
            name,
            changes,
        )
