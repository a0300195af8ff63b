"""gymnax's environments as tasks, with variations of their parameters.

Source: gymnax 1.0, https://github.com/RobertTLange/gymnax.
"""

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, final

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PyTree

from hebbax.tasks.variants import Variants
from hebbax.types import Action, PRNGKey, Struct, checks

# Parameters that gymnax computes from others when they are made, and keeps beside them.
DERIVED: Mapping[str, Mapping[str, Callable[[Any], Any]]] = {
    "CartPole-v1": {
        "total_mass": lambda params: params.masscart + params.masspole,
        "polemass_length": lambda params: params.masspole * params.length,
    }
}


@final
@dataclasses.dataclass(frozen=True)
class GymnaxVariations(Variants):
    """Variations of the parameters of one of gymnax's environments.

    What a variation does not change has the environment's own value.
    """

    def __getitem__(self, name: str) -> dict[str, Array]:
        """All that any variation changes, with the values of this one.

        Raises:
            KeyError: if there is no such variation.
            ValueError: if the environment has no such parameter.
        """
        changed = dict(dict(self.changes)[name])
        own = self.own_numbers()
        fields = sorted({field for _, numbers in self.changes for field, _ in numbers})
        for field in fields:
            if field not in own:
                raise ValueError(
                    f"task.variations changes {field!r}, but {self.environment} has no such "
                    f"number; it has {', '.join(own)}"
                )
        return {
            field: jnp.asarray(changed.get(field, own[field]), jnp.asarray(own[field]).dtype)
            for field in fields
        } or {"": jnp.zeros(())}  # Where nothing varies there is still something to stack.

    def own_numbers(self) -> dict[str, Any]:
        """Its default parameters, but for what it computes from others."""
        _, params = _make(self.environment)
        derived = DERIVED.get(self.environment, {})
        return {name: value for name, value in vars(params).items() if name not in derived}


class GymnaxState(Struct):
    """An episode.

    state: the environment's.
    key: of the steps to come.
    """

    state: PyTree
    key: PRNGKey


@final
@dataclasses.dataclass(frozen=True)
class GymnaxTask:
    """An environment that gymnax has registered.

    Where an environment takes one of several actions, the network has an output for each: the
    largest is taken, or one is drawn with the outputs as logits. Where it takes numbers within
    bounds, outputs from -1 to 1 go from one bound to the other.

    Examples:
        >>> import hebbax
        >>> heavy = {"masspole": 0.5}
        >>> task = hebbax.tasks.GymnaxTask("CartPole-v1", variations={"heavy": heavy})
        >>> list(task.variations), task.observation_shape, task.action_size
        (['default', 'heavy'], (4,), 2)
    """

    name: str
    """The environment's name, such as CartPole-v1."""
    variations: Any = dataclasses.field(default_factory=dict)
    """What differs between variations: `{"heavy": {"masspole": 0.5}}` beside the default."""
    choice: Literal["largest", "sampled"] = "largest"
    """How one of several actions is chosen by the outputs."""

    def __post_init__(self) -> None:
        """Refuses variations that are no numbers by name."""
        checks.settle(
            self,
            "task.",
            name=checks.file_name,
            choice=checks.choice("largest", "sampled"),
            variations=lambda _, value: GymnaxVariations.of(self.name, value),
        )

    @property
    def observation_shape(self) -> tuple[int, ...]:
        """Of what the environment shows; a number for each of several things that it may show."""
        env, params = _make(self.name)
        space = env.observation_space(params)
        shape = (space.n,) if hasattr(space, "n") else tuple(space.shape)
        return shape or (1,)

    @property
    def action_size(self) -> int:
        """A number for each action that can be chosen, or for each component of one."""
        env, params = _make(self.name)
        space = env.action_space(params)
        return (
            int(space.n) if hasattr(space, "n") else max(1, int(jnp.size(jnp.zeros(space.shape))))
        )

    @property
    def max_steps(self) -> int:
        """The environment's limit, the largest of any variation."""
        field = "max_steps_in_episode"
        own = self.variations.own_numbers()[field]
        changed = [dict(numbers).get(field, own) for _, numbers in self.variations.changes]
        return int(max([own, *changed]))

    def reset(
        self, key: PRNGKey, variation: dict[str, Array]
    ) -> tuple[GymnaxState, Float[Array, "..."]]:
        """Starts an episode. The key is consumed."""
        env, _ = _make(self.name)
        reset_key, step_key = jax.random.split(key)
        with _promotion():
            observation, state = env.reset_env(reset_key, self._params(variation))
        return GymnaxState(jax.tree.map(jnp.asarray, state), step_key), self._numbers(observation)

    def step(
        self, state: GymnaxState, action: Action, variation: dict[str, Array]
    ) -> tuple[GymnaxState, Float[Array, "..."], Float[Array, ""], Bool[Array, ""]]:
        """Advances an episode by one step.

        Returns:
            The next state, what is observed in it, the reward, and whether the episode ends: as the
            environment says, or at its limit of steps.
        """
        env, _ = _make(self.name)
        params = self._params(variation)
        action_key, step_key, next_key = jax.random.split(state.key, 3)
        with _promotion():
            observation, after, reward, is_end, _ = env.step_env(
                step_key, state.state, self._action(action_key, action), params
            )
            is_end = is_end | env.is_truncated(after, params)
        # The state keeps its types, so that steps can be repeated.
        after = jax.tree.map(
            lambda new, old: jnp.asarray(new).astype(old.dtype), after, state.state
        )
        return (
            GymnaxState(after, next_key),
            self._numbers(observation),
            jnp.asarray(reward, jnp.float32).reshape(()),
            jnp.asarray(is_end, bool).reshape(()),
        )

    def _params(self, variation: dict[str, Array]) -> Any:
        """The environment's parameters in a variation."""
        _, params = _make(self.name)
        params = params.replace(**{name: value for name, value in variation.items() if name})
        derived = DERIVED.get(self.name, {})
        return params.replace(**{name: compute(params) for name, compute in derived.items()})

    def _numbers(self, observation: Any) -> Float[Array, "..."]:
        """An observation as the network sees it."""
        env, params = _make(self.name)
        space = env.observation_space(params)
        if hasattr(space, "n"):
            return jax.nn.one_hot(observation, space.n, dtype=jnp.float32)
        return jnp.asarray(observation, jnp.float32).reshape(self.observation_shape)

    def _action(self, key: PRNGKey, outputs: Action) -> Array:
        """What the environment is given for a network's outputs."""
        env, params = _make(self.name)
        space = env.action_space(params)
        if hasattr(space, "n"):
            if self.choice == "sampled":
                return jax.random.categorical(key, outputs)
            return jnp.argmax(outputs)
        low, high = (
            jnp.broadcast_to(jnp.asarray(bound, jnp.float32), space.shape).reshape(-1)
            for bound in (space.low, space.high)
        )
        inside = low + (high - low) * 0.5 * (jnp.clip(outputs, -1.0, 1.0) + 1.0)
        return jnp.where(jnp.isfinite(high - low), inside, outputs).reshape(space.shape)


@contextlib.contextmanager
def _promotion() -> Iterator[None]:
    """Lets types and ranks promote: gymnax mixes them."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


@functools.cache
def _make(name: str) -> tuple[Any, Any]:
    """An environment and its default parameters.

    Raises:
        ModuleNotFoundError: if gymnax is not there.
        ValueError: if it has no such environment.
    """
    try:
        import gymnax
        from gymnax.registration import registered_envs
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"task {name} needs gymnax 1.0 and six, but {error.name} is missing: pip install "
            "'hebbax[gymnax]'"
        ) from error
    if name not in registered_envs:
        raise ValueError(
            f"task.name is {name!r}, but must be one of gymnax's: {', '.join(registered_envs)}"
        )
    with _promotion(), jax.ensure_compile_time_eval():
        return gymnax.make(name)
