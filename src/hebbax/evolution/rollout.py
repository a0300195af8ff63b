"""A population's episodes in every variation.

`rollout_chunk` says what happens: every individual in every variation, mapped twice, step by step
until all episodes are over. `rollout_chunk_on_cpu` computes the same numbers in the form that suits
a CPU's caches.
"""

import operator
from collections.abc import Mapping
from functools import partial
from typing import Any, Self

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key, PyTree

from hebbax import platforms
from hebbax.evolution import episode
from hebbax.evolution.episode import EpisodeState, Setup
from hebbax.evolution.observations import Seen
from hebbax.strategies import shaping
from hebbax.types import Genotype, Memory, Struct, Variation, Wiring

SEGMENT = 10  # Policy steps between two looks at whether all episodes of a chunk have ended.


class Outcome(Struct):
    """What remains of a population's episodes.

    returns: `[population, variations]` sums of rewards; not finite if a reward or action was not.
    num_steps: `[population, variations]` policy steps of each episode.
    mean_square: `[population]` of the numbers that a penalty counts, see `shaping.mean_square`.
    seen: `[population, *observation]` what was observed in all variations, where observations are
        normalised; `()` elsewhere.
    """

    returns: Float[Array, "population variations"]
    num_steps: Int[Array, "population variations"]
    mean_square: Float[Array, " population"]
    seen: Seen | tuple[()] = ()

    @classmethod
    def of(cls, states: EpisodeState, mean_square: Float[Array, " population"]) -> Self:
        """Of episodes that are over, `[population, variations]`."""
        seen = jax.tree.map(lambda leaf: jnp.sum(leaf, axis=1), states.seen)
        return cls(states.returns, states.num_steps, mean_square, seen)


def stack(variations: Mapping[str, Variation]) -> Variation:
    """Stacks named variations into one whose arrays are `[variations, ...]`, in their order.

    Examples:
        >>> import hebbax
        >>> hebbax.evolution.stack(hebbax.tasks.Point().variations).tolist()
        [1.0, 0.5, 2.0, -1.0]
    """
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *variations.values())


def rollout_population(
    setup: Setup,
    wiring: Wiring,
    keys: Key[Array, " population"],
    genotypes: Genotype,
    variations: Variation,
    *,
    is_shared: bool = False,
) -> Outcome:
    """Runs an episode of every individual in every variation.

    Args:
        setup: task, policy and encoding, and how many individuals run at a time.
        wiring: the encoding's, `()` for `Direct`; or `Senses`.
        keys: `[population]` a key for each individual's episodes; each variation has its own random
            numbers. Consumed.
        genotypes: `[population, ...]` what the individuals inherit; without that axis where
            `is_shared`.
        variations: `[variations, ...]` stacked variations of the task.
        is_shared: whether all individuals inherit the same.

    Returns:
        The outcomes.

    Examples:
        >>> import jax
        >>> from hebbax import Normal, Static, evolution, tasks
        >>> setup = evolution.Setup(tasks.Point(), Static(hidden_sizes=()))
        >>> key, keys = jax.random.key(0), jax.random.split(jax.random.key(1), 4)
        >>> genotype = Normal().init(key, setup.genotype_shape).mode()
        >>> gains = evolution.stack(setup.task.variations)
        >>> outcome = evolution.rollout_population(setup, (), keys, genotype, gains, is_shared=True)
        >>> outcome.returns.shape
        (4, 4)
    """
    rollout = rollout_chunk_on_cpu if platforms.is_cpu() else rollout_chunk
    run = partial(rollout, setup, wiring, variations=variations, is_shared=is_shared)
    population_size = keys.shape[0]
    num_chunks = 1 if setup.chunk_size is None else -(-population_size // setup.chunk_size)
    if num_chunks == 1:
        return run(keys, genotypes)

    # Chunks of equal size; the last is filled up with copies of the last individual, whose outcomes
    # are dropped.
    size = -(-population_size // num_chunks)
    individuals = jnp.minimum(jnp.arange(num_chunks * size), population_size - 1)

    def run_chunk(chunk: Int[Array, " chunk"]) -> Outcome:
        of_chunk = jax.tree.map(lambda leaf: leaf if is_shared else leaf[chunk], genotypes)
        return run(keys[chunk], of_chunk)

    outcomes = jax.lax.map(run_chunk, individuals.reshape(num_chunks, size))
    return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:])[:population_size], outcomes)


def rollout_chunk(
    setup: Setup,
    wiring: Wiring,
    keys: Key[Array, " population"],
    genotypes: Genotype,
    variations: Variation,
    *,
    is_shared: bool = False,
) -> Outcome:
    """Runs individuals side by side until their last episode is over."""
    each = None if is_shared else 0

    def step_one(kept: Any, variation: Variation, state: EpisodeState) -> EpisodeState:
        action, memory = episode.act(setup, wiring, kept, state.memory, state)
        return episode.step(setup, wiring, state.replace(memory=memory), action, variation)

    step_all = jax.vmap(jax.vmap(step_one, in_axes=(None, 0, 0)), in_axes=(each, None, 0))
    kept, states, mean_square = _start(setup, wiring, keys, genotypes, variations, each)

    def step_segment(states: EpisodeState) -> EpisodeState:
        def step(states: EpisodeState, _: None) -> tuple[EpisodeState, None]:
            return step_all(kept, variations, states), None

        return jax.lax.scan(step, states, length=SEGMENT)[0]

    states = jax.lax.while_loop(lambda states: ~jnp.all(states.is_over), step_segment, states)
    return Outcome.of(states, mean_square)


def rollout_chunk_on_cpu(
    setup: Setup,
    wiring: Wiring,
    keys: Key[Array, " population"],
    genotypes: Genotype,
    variations: Variation,
    *,
    is_shared: bool = False,
) -> Outcome:
    """`rollout_chunk`, whose individuals are stepped together but act in slices.

    A slice's memories are arrays of their own, which stay in a core's cache for as long as they are
    needed, and XLA leaves them to one thread: it splits large operations over threads, and these
    wait for cores that are busy with other individuals.
    """
    each = None if is_shared else 0

    act_one, step_one = partial(episode.act, setup, wiring), partial(episode.step, setup, wiring)
    act_all = jax.vmap(jax.vmap(act_one, in_axes=(None, 0, 0)), in_axes=(each, 0, 0))
    step_all = jax.vmap(jax.vmap(step_one), in_axes=(0, 0, None))
    kept, states, mean_square = _start(setup, wiring, keys, genotypes, variations, each)

    slices = _slices(keys.shape[0])

    def split(tree: PyTree) -> list[PyTree]:
        return [jax.tree.map(operator.itemgetter(one), tree) for one in slices]

    kept_of_slices = [kept] * len(slices) if is_shared else split(kept)

    def step_segment(
        carry: tuple[EpisodeState, list[Memory]],
    ) -> tuple[EpisodeState, list[Memory]]:
        def step(
            carry: tuple[EpisodeState, list[Memory]], _: None
        ) -> tuple[tuple[EpisodeState, list[Memory]], None]:
            states, memories = carry
            # Nobody sees the task's own state.
            visible = split(states.replace(state=(), seen=()))
            acted = [
                act_all(*of_slice)
                for of_slice in zip(kept_of_slices, memories, visible, strict=True)
            ]
            actions = jnp.concatenate([actions for actions, _ in acted])
            states = step_all(states, actions, variations)
            return (states, [memories for _, memories in acted]), None

        return jax.lax.scan(step, carry, length=SEGMENT)[0]

    states, _ = jax.lax.while_loop(
        lambda carry: ~jnp.all(carry[0].is_over),
        step_segment,
        (states.replace(memory=()), split(states.memory)),
    )
    return Outcome.of(states, mean_square)


def _start(
    setup: Setup,
    wiring: Wiring,
    keys: Key[Array, " population"],
    genotypes: Genotype,
    variations: Variation,
    each: int | None,
) -> tuple[Any, EpisodeState, Float[Array, " population"]]:
    """Expresses individuals, and starts their episodes.

    Returns:
        What is kept of them, the states, and the mean squares of what a penalty counts.
    """
    num_variations = jax.tree.leaves(variations)[0].shape[0]
    episode_keys = jax.vmap(
        lambda key: jax.vmap(lambda i: jax.random.fold_in(key, i))(jnp.arange(num_variations))
    )(keys)

    def express(genotype: Genotype) -> tuple[Any, Float[Array, ""]]:
        kept = setup.express(wiring, genotype)
        return kept, shaping.mean_square(setup.parameters, setup.read(wiring, kept))

    def reset(key: Array, kept: Any, variation: Variation) -> EpisodeState:
        return episode.reset(setup, wiring, key, kept, variation)

    kept, mean_square = express(genotypes) if each is None else jax.vmap(express)(genotypes)
    reset_all = jax.vmap(jax.vmap(reset, in_axes=(0, None, 0)), in_axes=(0, each, None))
    states = reset_all(episode_keys, kept, variations)
    return kept, states, jnp.broadcast_to(mean_square, keys.shape)


def _slices(num_individuals: int) -> list[slice]:
    """Slices of a chunk that act together.

    On a CPU each individual of a chunk of the usual size acts alone.
    """
    count = min(num_individuals, platforms.CPU.chunk or num_individuals)
    size = -(-num_individuals // count)
    return [slice(start, start + size) for start in range(0, num_individuals, size)]
