"""One episode of one individual in one variation."""

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self, final

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from hebbax import platforms
from hebbax.encodings.base import Encoding
from hebbax.encodings.direct import Direct
from hebbax.evolution import interfaces, observations
from hebbax.evolution.observations import Seen, Senses
from hebbax.policies.base import Policy
from hebbax.tasks.base import Task
from hebbax.types import Action, Genotype, Memory, Phenotype, PRNGKey, Struct, Variation, Wiring

if TYPE_CHECKING:
    from hebbax.config import Config


@final
@dataclasses.dataclass(frozen=True)
class Setup:
    """What an episode depends on, beside its data.

    task: the environment.
    policy: the network.
    encoding: how a genotype is read into what the network lives with.
    chunk_size: how many individuals of a population run at a time on a device, which bounds the
        memory; all at once if None.
    normalize_observations: whether networks see observations with mean 0 and deviation 1. What the
        functions here call a wiring is then `Senses`.
    """

    task: Task
    policy: Policy
    encoding: Encoding = Direct()
    chunk_size: int | None = None
    normalize_observations: bool = False

    @classmethod
    def of(cls, config: "Config") -> Self:
        """A run's."""
        return cls(
            config.task,
            config.policy,
            config.encoding,
            config.chunk_size,
            config.normalize_observations,
        )

    @property
    def parameters(self) -> PyTree:
        """What the network lives with, a pytree of `Parameter`."""
        return self.policy.parameters(self.task)

    @property
    def genotype_shape(self) -> PyTree:
        """What a genome must produce, a pytree of `Parameter`."""
        return self.encoding.genotype_shape(self.parameters)

    @property
    def reads_each_step(self) -> bool:
        """Whether the network is made anew of what is kept in every step, as suits the hardware."""
        return self.encoding.reads_each_step and platforms.sizes().reads_each_step

    def wire(self, key: PRNGKey) -> Wiring:
        """What a run keeps beside its genome, before the first generation. The key is consumed."""
        wiring = self.encoding.wire(key, self.parameters)
        if not self.normalize_observations:
            return wiring
        return Senses.first(wiring, tuple(self.task.observation_shape))

    def express(self, wiring: Wiring, genotype: Genotype) -> Any:
        """What is kept of an individual for all its episodes."""
        kept = self.encoding.express(self.parameters, self._drawn(wiring), genotype)
        return kept if self.reads_each_step else self._read(wiring, kept)

    def read(self, wiring: Wiring, kept: Any) -> Phenotype:
        """What the network lives with."""
        return self._read(wiring, kept) if self.reads_each_step else kept

    def _read(self, wiring: Wiring, kept: Any) -> Phenotype:
        return self.encoding.read(self.parameters, self._drawn(wiring), kept)

    def _drawn(self, wiring: Wiring) -> Wiring:
        """What the encoding drew."""
        return wiring.wiring if self.normalize_observations else wiring


class EpisodeState(Struct):
    """The middle of an episode.

    state: the task's.
    observation: what the individual sees now.
    reward: `[]` of the last step; 0 before the first, and once the episode is over.
    memory: the policy's.
    returns: `[]` sum of the rewards so far.
    num_steps: `[]` policy steps so far.
    is_over: `[]` whether the episode has ended; from then on returns, memory and steps stay.
    seen: what was observed so far, where observations are normalised; `()` elsewhere.
    """

    state: Any
    observation: Float[Array, "..."]
    reward: Float[Array, ""]
    memory: Memory
    returns: Float[Array, ""]
    num_steps: Int[Array, ""]
    is_over: Bool[Array, ""]
    seen: Seen | tuple[()] = ()


class Trajectory(Struct):
    """An episode step by step.

    kept: `[steps, ...]` what was kept of the state after each step.
    rewards: `[steps]` of each step; 0 once the episode is over.
    is_over: `[steps]` whether the episode had ended after each step.
    """

    kept: PyTree
    rewards: Float[Array, " steps"]
    is_over: Bool[Array, " steps"]

    def num_steps(self) -> Int[Array, "..."]:
        """How many steps the episode has, the one that ended it included."""
        return jnp.sum(~self.is_over, axis=-1) + self.is_over[..., -1].astype(jnp.int32)


def reset(
    setup: Setup, wiring: Wiring, key: PRNGKey, kept: Any, variation: Variation
) -> EpisodeState:
    """Starts an episode. The key is consumed."""
    task_key, policy_key = jax.random.split(key)
    state, observation = interfaces.check_reset(setup.task, setup.task.reset(task_key, variation))
    # All numbers of ours are float32, whatever a task or JAX's default is.
    observation = observation.astype(jnp.float32)
    nothing = jnp.zeros_like(observation)
    return EpisodeState(
        state=state,
        observation=observation,
        reward=jnp.float32(0),
        memory=setup.policy.reset(policy_key, setup.read(wiring, kept)),
        returns=jnp.float32(0),
        num_steps=jnp.zeros((), jnp.int32),
        is_over=jnp.zeros((), bool),
        seen=Seen(nothing, nothing) if setup.normalize_observations else (),
    )


def act(
    setup: Setup, wiring: Wiring, kept: Any, memory: Memory, state: EpisodeState
) -> tuple[Action, Memory]:
    """What an individual does, and what it remembers then.

    The memory of an episode that is over stays as it is. It is an argument beside the state, whose
    own may be somewhere else.
    """
    if setup.reads_each_step:
        # XLA would move the reading out of the loop over steps, and store what it makes.
        kept, _ = jax.lax.optimization_barrier((kept, memory))
    phenotype, observation = setup.read(wiring, kept), state.observation
    if setup.normalize_observations:
        observation = observations.look(wiring.statistics, observation)
    action, new_memory = setup.policy.act(phenotype, memory, observation, state.reward)
    is_over = state.is_over
    return action, jax.tree.map(lambda old, new: jnp.where(is_over, old, new), memory, new_memory)


def step(
    setup: Setup, wiring: Wiring, state: EpisodeState, action: Action, variation: Variation
) -> EpisodeState:
    """What an action does to an episode, the memory aside.

    A reward or an action that is not finite ends the episode and stays visible in its returns.
    """
    task, seen = setup.task, state.seen
    if isinstance(seen, Seen):
        normalised = observations.normalise(wiring.statistics, state.observation)
        normalised = jnp.where(state.is_over, 0.0, normalised)
        seen = Seen(seen.total + normalised, seen.squares + normalised**2)
    results = task.step(state.state, action, variation)
    task_state, observation, reward, is_end = interfaces.check_step(task, state.state, results)
    # A task may make something of an action that is not finite, and the individual would pass for
    # one that does so.
    reward = jnp.where(jnp.all(jnp.isfinite(action)), reward, jnp.nan)
    is_failure = ~jnp.isfinite(reward)
    reward = jnp.where(state.is_over, 0.0, reward.astype(jnp.float32))
    num_steps = state.num_steps + (~state.is_over).astype(jnp.int32)
    # The task's state and observation run on unseen once the episode is over: freezing them would
    # only cost time.
    return state.replace(
        state=task_state,
        observation=observation.astype(jnp.float32),
        reward=reward,
        returns=state.returns + reward,
        num_steps=num_steps,
        is_over=state.is_over | is_end | is_failure | (num_steps >= task.max_steps),
        seen=seen,
    )


def rollout_trajectory(
    setup: Setup,
    wiring: Wiring,
    key: PRNGKey,
    genotype: Genotype,
    variation: Variation,
    *,
    keep: Callable[[EpisodeState], PyTree] = lambda state: state.state,
    num_steps: int | None = None,
    before_step: Callable[[EpisodeState], EpisodeState] = lambda state: state,
) -> Trajectory:
    """Runs one episode and keeps its steps.

    It is the episode that `rollout_population` runs with the same key, unless `before_step` changes
    it.

    Args:
        setup: task, policy and encoding.
        wiring: the encoding's, `()` for `Direct`; or `Senses`.
        key: of this episode; `rollout_population` gives variation `i` of an individual the key
            `fold_in(its own, i)`. Consumed.
        genotype: what the individual inherits.
        variation: the variation of the task.
        keep: what is kept of the state after each step, the task's unless said otherwise. All steps
            of it are in memory at once.
        num_steps: how many policy steps, 1 or more, all of which are made whether or not the
            episode ends before; the task's `max_steps` if None.
        before_step: changes the state before each step, as a lesion does.

    Returns:
        The kept steps.

    Examples:
        >>> import jax
        >>> from hebbax import Normal, Static, evolution, tasks
        >>> task, key, episode_key = tasks.Point(), *jax.random.split(jax.random.key(0))
        >>> setup = evolution.Setup(task, Static(hidden_sizes=()))
        >>> genotype = Normal().init(key, setup.genotype_shape).mode()
        >>> gain = task.variations["default"]
        >>> trajectory = evolution.rollout_trajectory(setup, (), episode_key, genotype, gain)
        >>> trajectory.kept.position.shape
        (20, 2)
    """
    kept = setup.express(wiring, genotype)

    def step_and_keep(state: EpisodeState, _: None) -> tuple[EpisodeState, Trajectory]:
        state = before_step(state)
        action, memory = act(setup, wiring, kept, state.memory, state)
        state = step(setup, wiring, state.replace(memory=memory), action, variation)
        return state, Trajectory(kept=keep(state), rewards=state.reward, is_over=state.is_over)

    state = reset(setup, wiring, key, kept, variation)
    length = setup.task.max_steps if num_steps is None else num_steps
    return jax.lax.scan(step_and_keep, state, None, length=length)[1]
