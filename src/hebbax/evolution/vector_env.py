"""Tasks as gymnasium's vector environments: NumPy in and out, for whoever trains with those.

Source: gymnasium 1.3, https://gymnasium.farama.org/api/vector.
"""

from typing import Any, final

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PyTree

from hebbax import devices
from hebbax.config import MEMBERS
from hebbax.tasks.base import Task
from hebbax.types import PRNGKey, checks

try:
    from gymnasium import error, spaces, vector
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError(
        f"VectorEnv needs gymnasium 1.3, but {missing.name} is missing: pip install "
        "'hebbax[gymnasium]'"
    ) from missing


@final
class VectorEnv(vector.VectorEnv[np.ndarray, np.ndarray, np.ndarray]):
    """Many episodes of a task at a time, for NumPy; all of a step is one program on the devices.

    An episode terminates where the task ends it, and is truncated after `task.max_steps` steps; one
    that ends with its last allowed step counts as truncated, for a task does not say why it ends.
    An action or a reward that is not finite terminates it with a reward of NaN.

    The step after an end begins the next episode, as gymnasium's `NEXT_STEP` has it: its action is
    not used, its reward is 0. Only such steps compute a reset. Episodes have keys of their own:
    episode `n` of environment `i` is the same however many environments there are.

    Observations and rewards are float32. Spaces have the task's `action_bounds` and
    `observation_bounds`, where it has these; others act from -1 to 1 and observe any numbers.

    Args:
        task: what is played.
        num_envs: how many environments there are. Several devices share them.
        variation: the name of one of the task's, or several names that environments have in turn.
        seed: of the first reset, if that names none; random if None.

    Raises:
        ValueError: if there are no environments, no such variation, or more names than
            environments.

    Examples:
        >>> import hebbax
        >>> import numpy as np
        >>> envs = hebbax.VectorEnv(hebbax.tasks.Point(), 4, ("default", "weak"), seed=0)
        >>> observations, infos = envs.reset()
        >>> observations, rewards, terminations, truncations, infos = envs.step(np.zeros((4, 2)))
        >>> observations.shape, rewards.shape, envs.variations
        ((4, 2), (4,), ('default', 'weak', 'default', 'weak'))
    """

    def __init__(
        self,
        task: Task,
        num_envs: int,
        variation: str | tuple[str, ...] = "default",
        seed: int | np.integer | None = None,
    ) -> None:
        self.task = checks.having(*MEMBERS["task"], example="CarRacing()")("task", task)
        first_seed: int | None = checks.optional(checks.integer())("seed", seed)
        self.num_envs = checks.integer(at_least=1)("num_envs", num_envs)
        names = _settle_names(task, variation, self.num_envs)
        turns = np.arange(self.num_envs) % len(names)
        self.variations = tuple(names[turn] for turn in turns)
        self._data = jax.tree.map(
            lambda *leaves: jnp.stack(leaves)[turns], *(task.variations[name] for name in names)
        )
        self.metadata = {"autoreset_mode": vector.AutoresetMode.NEXT_STEP}
        self.single_action_space = _box(
            getattr(task, "action_bounds", (-1.0, 1.0)), (task.action_size,)
        )
        self.single_observation_space = _box(
            getattr(task, "observation_bounds", (-np.inf, np.inf)), task.observation_shape
        )
        self.action_space, self.observation_space = (
            vector.utils.batch_space(space, self.num_envs)
            for space in (self.single_action_space, self.single_observation_space)
        )
        self._is_over = None
        self._compile()
        super().reset(seed=first_seed)

    def _compile(self) -> None:
        """Makes the programs, which JAX compiles when they are first called."""
        mesh = devices.population_mesh(self.num_envs)

        def start(
            key: PRNGKey, lane: Int[Array, ""], episode: Int[Array, ""], variation: PyTree
        ) -> tuple[PyTree, Float[Array, "..."]]:
            key = jax.random.fold_in(jax.random.fold_in(key, lane), episode)
            return self.task.reset(key, variation)

        def choose(is_new: Bool[Array, ""], new: PyTree, old: PyTree) -> PyTree:
            return jax.tree.map(lambda new, old: jnp.where(is_new, new, old), new, old)

        starts, chosen = jax.vmap(start, (None, 0, 0, 0)), jax.vmap(choose)
        self._start = jax.jit(devices.over_population(starts, mesh, num_whole=1))
        self._choose = jax.jit(devices.over_population(chosen, mesh), donate_argnums=2)
        self._step = jax.jit(
            devices.over_population(jax.vmap(self.task.step), mesh), donate_argnums=0
        )

    def reset(
        self, *, seed: int | np.integer | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Begins an episode in every environment.

        Args:
            seed: what follows depends on it alone; without one new episodes are drawn.
            options: none are known.

        Raises:
            ValueError: if there are options.
        """
        if options:
            raise ValueError(
                f"options is {options!r}, but must be None: all environments are reset, in their "
                "variations"
            )
        super().reset(seed=checks.optional(checks.integer())("seed", seed))
        self._key = jax.random.key(int(self.np_random.integers(2**31)))
        self._num_episodes = np.zeros(self.num_envs, np.int32)
        self._num_steps = np.zeros(self.num_envs, np.int32)
        self._is_over = np.zeros(self.num_envs, bool)
        self._state, observations = self._begin(np.ones(self.num_envs, bool))
        return np.array(observations), {}

    def step(
        self, actions: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Advances every episode by one step, or begins the next where one is over.

        Args:
            actions: `[envs, action]`.

        Returns:
            Observations, rewards, which episodes terminate and which are truncated, and no infos.

        Raises:
            ValueError: if the actions have another shape.
            gymnasium.error.ResetNeeded: before the first reset.
        """
        if self._is_over is None:
            raise error.ResetNeeded("step comes before reset: call reset first")
        actions, shape = np.asarray(actions, np.float32), self.action_space.shape
        if actions.shape != shape:
            raise ValueError(
                f"actions has shape {actions.shape}, but must have {shape}: a row for each "
                "environment"
            )
        self._state, observations, given, is_end = self._step(self._state, actions, self._data)
        rewards = np.array(given)
        is_failed = ~(np.isfinite(rewards) & np.isfinite(actions).all(axis=1))
        rewards[is_failed] = np.nan
        self._num_steps += 1
        truncations = (self._num_steps >= self.task.max_steps) & ~is_failed
        terminations = (np.asarray(is_end) | is_failed) & ~truncations

        is_new = self._is_over
        if is_new.any():
            begun = self._begin(is_new)
            self._state, observations = self._choose(is_new, begun, (self._state, observations))
            for outcomes in (rewards, terminations, truncations):
                outcomes[is_new] = 0
        self._is_over = terminations | truncations
        return np.array(observations), rewards, terminations, truncations, {}

    def _begin(self, is_new: Bool[np.ndarray, " envs"]) -> tuple[PyTree, Float[Array, "envs ..."]]:
        """Draws the next episode of some environments; what others get has no meaning."""
        # Those get the key of one that begins: the racer draws the roads of equal keys once.
        lanes = np.where(is_new, np.arange(self.num_envs), np.argmax(is_new)).astype(np.int32)
        begun = self._start(self._key, lanes, self._num_episodes[lanes], self._data)
        self._num_episodes += is_new
        self._num_steps[is_new] = 0
        return begun


def _settle_names(task: Task, variation: Any, num_envs: int) -> tuple[str, ...]:
    """The names of variations that environments have in turn."""
    names = tuple(variation) if isinstance(variation, list | tuple) else (variation,)
    known = ", ".join(task.variations)
    are_texts = all(isinstance(name, str) for name in names)
    if not are_texts or not 1 <= len(names) <= num_envs or not {*names} <= {*task.variations}:
        raise ValueError(
            f"variation is {variation!r}, but must be one of {known}, or a tuple of at most "
            f"{num_envs} of these, as many as there are environments"
        )
    return names


def _box(bounds: tuple[Any, Any], shape: tuple[int, ...]) -> spaces.Box:
    """A space of float32 between bounds, each a number or one for every component."""
    low, high = (np.broadcast_to(np.asarray(bound, np.float32), shape) for bound in bounds)
    return spaces.Box(low, high, dtype=np.float32)
