"""Lifetimes.

Of one individual in one variation, with every step kept or not, and of a population in all of them.
"""

import operator
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key, PyTree

from hebbax import devices, interfaces
from hebbax.lesion import Lesion, check_lesion, damage
from hebbax.policies.base import Policy
from hebbax.tasks.base import Task
from hebbax.types import Action, Genotype, Memory, PRNGKey, Struct, Variation

SEGMENT = 10  # Policy steps between two looks at whether all lifetimes of a batch have ended.


class Life(Struct):
    """An individual in the middle of a lifetime.

    state: the task's.
    observation: what the individual sees now.
    memory: the policy's.
    fitness: `[]` sum of the rewards so far.
    num_steps: `[]` policy steps lived so far.
    is_over: `[]` whether the lifetime has ended; from then on fitness, memory and steps stay as
        they are.
    """

    state: Any
    observation: Float[Array, "..."]
    memory: Memory
    fitness: Float[Array, ""]
    num_steps: Int[Array, ""]
    is_over: Bool[Array, ""]


class Outcome(Struct):
    """What remains of a lifetime.

    fitness: `[]` sum of its rewards; not finite if a reward or an action was not.
    num_steps: `[]` policy steps lived.
    """

    fitness: Float[Array, ""]
    num_steps: Int[Array, ""]


class Trajectory(Struct):
    """A lifetime step by step.

    kept: `[steps, ...]` what was kept of the life after each step.
    rewards: `[steps]` of each step; 0 once the lifetime is over.
    is_over: `[steps]` whether the lifetime had ended after each step.
    """

    kept: PyTree
    rewards: Float[Array, " steps"]
    is_over: Bool[Array, " steps"]

    def num_steps(self) -> Int[Array, "..."]:
        """How many steps were lived, the one that ended the lifetime included."""
        return jnp.sum(~self.is_over, axis=-1) + self.is_over[..., -1].astype(jnp.int32)


def begin(
    task: Task, policy: Policy, key: PRNGKey, genotype: Genotype, variation: Variation
) -> Life:
    """Starts a lifetime. The key is consumed."""
    task_key, policy_key = jax.random.split(key)
    state, observation = interfaces.beginning(task, task.reset(task_key, variation))
    return Life(
        state=state,
        # All numbers of ours are float32, whatever a task or JAX's default is.
        observation=observation.astype(jnp.float32),
        memory=policy.reset(policy_key, genotype),
        fitness=jnp.float32(0),
        num_steps=jnp.zeros((), jnp.int32),
        is_over=jnp.zeros((), bool),
    )


def advance(
    task: Task, policy: Policy, life: Life, genotype: Genotype, variation: Variation
) -> Life:
    """Lives one policy step.

    A reward or an action that is not finite ends the lifetime and stays visible in its fitness.
    """
    action, memory = act(policy, genotype, life.memory, life.observation, life.is_over)
    return step(task, life.replace(memory=memory), action, variation)


def act(
    policy: Policy,
    genotype: Genotype,
    memory: Memory,
    observation: Float[Array, "..."],
    is_over: Bool[Array, ""],
) -> tuple[Action, Memory]:
    """What an individual does, and what it remembers then.

    The memory of a lifetime that is over stays as it is.

    Products of matrices are of full float32, unless JAX is told otherwise: by itself it rounds to
    TF32 on GPUs, which plasticity adds up.
    """
    settings: Any = jax.config
    with jax.default_matmul_precision(settings.jax_default_matmul_precision or "highest"):
        action, learnt = policy.act(genotype, memory, observation)
    return action, jax.tree.map(lambda old, new: jnp.where(is_over, old, new), memory, learnt)


def step(task: Task, life: Life, action: Action, variation: Variation) -> Life:
    """What an action does to a life, its memory aside."""
    results = task.step(life.state, action, variation)
    state, observation, reward, is_end = interfaces.after_step(task, life.state, results)
    # A task may make something of an action that is not finite, and the individual would pass for
    # one that does so.
    reward = jnp.where(jnp.all(jnp.isfinite(action)), reward, jnp.nan)
    num_steps = life.num_steps + (~life.is_over).astype(jnp.int32)
    # State and observation of a lifetime that is over run on unseen: freezing them would only cost
    # time.
    return life.replace(
        state=state,
        observation=observation.astype(jnp.float32),
        fitness=life.fitness + jnp.where(life.is_over, 0.0, reward.astype(jnp.float32)),
        num_steps=num_steps,
        is_over=life.is_over | is_end | ~jnp.isfinite(reward) | (num_steps >= task.max_steps),
    )


def trace(
    task: Task,
    policy: Policy,
    key: PRNGKey,
    genotype: Genotype,
    variation: Variation,
    *,
    keep: Callable[[Life], PyTree] = lambda life: life.state,
    num_steps: int | None = None,
    lesion: Lesion | None = None,
) -> Trajectory:
    """Lives one lifetime and keeps its steps.

    Without a lesion it is the lifetime that `live` lives with the same key.

    Args:
        task: the task.
        policy: the policy.
        key: of this lifetime; `live` gives variation `n` of an individual the key `fold_in(its own,
            n)`. Consumed.
        genotype: what the individual inherits.
        variation: the variation of the task.
        keep: what is kept of the life after each step, the task's state unless said otherwise. All
            steps of it are in memory at once.
        num_steps: how many policy steps, which are lived in full whether or not the lifetime ends
            before; the task's `max_steps` if None.
        lesion: damage to the policy's memory; none if None.

    Returns:
        The kept steps.

    Raises:
        ValueError: if the policy's memory has no such layer as the lesion damages.
    """
    life = begin(task, policy, key, genotype, variation)
    if lesion is not None:
        check_lesion(lesion, life.memory)

    def advance_and_keep(life: Life, _: None) -> tuple[Life, Trajectory]:
        if lesion is not None:
            life = life.replace(
                memory=damage(lesion, life.memory, ~life.is_over & (life.num_steps == lesion.step))
            )
        # From zero the step's reward is all there is in the fitness, to the last digit.
        after = advance(task, policy, life.replace(fitness=jnp.float32(0)), genotype, variation)
        reward, after = after.fitness, after.replace(fitness=life.fitness + after.fitness)
        return after, Trajectory(kept=keep(after), rewards=reward, is_over=after.is_over)

    return jax.lax.scan(advance_and_keep, life, None, length=num_steps or task.max_steps)[1]


def stack(variations: Mapping[str, Variation]) -> Variation:
    """Stacks named variations into one whose arrays are `[variations, ...]`, in their order."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *variations.values())


def live(
    task: Task,
    policy: Policy,
    keys: Key[Array, " population"],
    genotypes: Genotype,
    variations: Variation,
    chunk_size: int | None = None,
) -> Outcome:
    """Lives the lifetimes of a population in every variation.

    Args:
        task: the task.
        policy: the policy.
        keys: `[population]` a key for each individual's lifetimes; each variation has its own
            random numbers. Consumed.
        genotypes: `[population, ...]` what the individuals inherit.
        variations: `[variations, ...]` stacked variations of the task.
        chunk_size: how many individuals live at a time, which bounds the memory; everybody at once
            if None.

    Returns:
        `[population, variations]` outcomes.
    """
    population_size = keys.shape[0]
    num_chunks = 1 if chunk_size is None else -(-population_size // chunk_size)
    if num_chunks == 1:
        return _live_together(task, policy, keys, genotypes, variations)

    # Chunks of equal size; the last is filled up with copies of the last individual, whose outcomes
    # are dropped.
    size = -(-population_size // num_chunks)
    individuals = jnp.minimum(jnp.arange(num_chunks * size), population_size - 1).reshape(
        num_chunks, size
    )

    def live_chunk(chunk: Int[Array, " chunk"]) -> Outcome:
        return _live_together(
            task, policy, keys[chunk], jax.tree.map(lambda leaf: leaf[chunk], genotypes), variations
        )

    outcomes = jax.lax.map(live_chunk, individuals)
    return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:])[:population_size], outcomes)


def _live_together(
    task: Task,
    policy: Policy,
    keys: Key[Array, " population"],
    genotypes: Genotype,
    variations: Variation,
) -> Outcome:
    """Lives a batch of lifetimes until the last has ended."""
    num_variations = jax.tree.leaves(variations)[0].shape[0]
    life_keys = jax.vmap(
        lambda key: jax.vmap(lambda number: jax.random.fold_in(key, number))(
            jnp.arange(num_variations)
        )
    )(keys)

    def begin_one(key: PRNGKey, genotype: Genotype, variation: Variation) -> Life:
        return begin(task, policy, key, genotype, variation)

    def act_one(
        genotype: Genotype, memory: Memory, observation: Array, is_over: Array
    ) -> tuple[Action, Memory]:
        return act(policy, genotype, memory, observation, is_over)

    def step_one(life: Life, action: Action, variation: Variation) -> Life:
        return step(task, life, action, variation)

    begin_all = jax.vmap(jax.vmap(begin_one, in_axes=(0, None, 0)), in_axes=(0, 0, None))
    act_all = jax.vmap(jax.vmap(act_one, in_axes=(None, 0, 0, 0)))
    step_all = jax.vmap(jax.vmap(step_one), in_axes=(0, 0, None))

    # All step together, but act in the groups that suit the devices. Each group's memories are
    # arrays of their own, and stay where they are.
    groups = devices.groups(keys.shape[0])

    def split(tree: PyTree) -> list[PyTree]:
        return [jax.tree.map(operator.itemgetter(group), tree) for group in groups]

    genotypes_of_groups = split(genotypes)

    def advance_all(
        carry: tuple[Life, list[Memory]], _: None
    ) -> tuple[tuple[Life, list[Memory]], None]:
        lives, memories = carry
        acted = [
            act_all(*group)
            for group in zip(
                genotypes_of_groups,
                memories,
                split(lives.observation),
                split(lives.is_over),
                strict=True,
            )
        ]
        lives = step_all(lives, jnp.concatenate([actions for actions, _ in acted]), variations)
        return (lives, [learnt for _, learnt in acted]), None

    def advance_segment(carry: tuple[Life, list[Memory]]) -> tuple[Life, list[Memory]]:
        return jax.lax.scan(advance_all, carry, length=SEGMENT)[0]

    lives = begin_all(life_keys, genotypes, variations)
    begun = (lives.replace(memory=()), split(lives.memory))
    lives, _ = jax.lax.while_loop(lambda carry: ~jnp.all(carry[0].is_over), advance_segment, begun)
    return Outcome(fitness=lives.fitness, num_steps=lives.num_steps)
