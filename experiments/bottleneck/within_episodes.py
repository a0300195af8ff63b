"""Learning, or a drift that writes a static policy? What plasticity does within an episode.

The mode of a genome runs the same episodes in the default body again and again. Nothing happens in
the first, which are `intact`; in the others something does, at their half or at an eighth:

    stopped: plastic weights stay as they are from then on.
    lost-0, lost-1: the weights of one plastic layer become zero, and learn on.
    broken: the body becomes `damaged_front_left` from then on, a leg that breaks.
    broken-stopped: a leg breaks, and plastic weights stay as they are.

If weights only drift to where a static policy does well, nothing is lost where they stop, and they
stop as well where a leg breaks. Beside the returns stands the share of a weight's change in T steps
that the rule's constant explains, 1 - |dw - T eta D|^2 / |dw|^2, summed over synapses and
episodes: one where the rule is a drift that knows nothing of the episode.
"""

from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from hebbax.evolution import Result, Setup, episode, stack
from hebbax.evolution.episode import EpisodeState
from hebbax.evolution.evaluation import episode_keys
from hebbax.policies import Hebbian
from hebbax.types import PRNGKey, Struct, Variation

EPISODES = 256
PARTS = 8  # Of an episode, whose returns are kept.
MOMENTS = MappingProxyType({"half": 4, "eighth": 1})  # How many parts are before an event.
BODY, BROKEN_BODY = "default", "damaged_front_left"


class Event(Struct):
    """What happens in an episode.

    step: `[]` when.
    is_stopped: `[]` whether plastic weights stay as they are from then on.
    is_broken: `[]` whether the body is the broken one from then on.
    is_lost: `[layers]` which plastic layers lose their weights.
    """

    step: Int[Array, "..."]
    is_stopped: Bool[Array, "..."]
    is_broken: Bool[Array, "..."]
    is_lost: Bool[Array, "... layers"]


class Episode(NamedTuple):
    """What is kept of an episode.

    returns: `[parts]` sums of rewards.
    change, unexplained: `[]` the squared change of plastic weights, and of it what the constant
        does not explain.
    """

    returns: Float[Array, "..."]
    change: Float[Array, "..."]
    unexplained: Float[Array, "..."]


def look_within(result: Result, body: str = BODY, broken_body: str = BROKEN_BODY) -> dict[str, Any]:
    """What happens within episodes of a run's mode.

    Args:
        result: the run.
        body: the variation in which all episodes begin.
        broken_body: what it becomes where something breaks.

    Returns:
        `returns`, by event the mean return of each part of an episode, and `drift_share`, which is
        None for networks without plasticity.
    """
    config, setup = result.config, Setup.of(result.config)
    events = events_of(setup.policy, config.task.max_steps)
    variations = config.task.variations
    # Those of an evaluation in this body.
    index = list(variations).index(body)
    keys = jax.vmap(lambda key: jax.random.fold_in(key, index))(episode_keys(config, EPISODES))
    episodes: Episode = _run(
        setup,
        result.wiring,
        result.genome.mode(),
        keys,
        stack(events),
        variations[body],
        variations[broken_body],
    )
    returns = jnp.mean(episodes.returns, axis=1)
    # Of the first event, which is none.
    change, unexplained = jnp.sum(episodes.change[0]), jnp.sum(episodes.unexplained[0])
    is_plastic = isinstance(setup.policy, Hebbian)
    return {
        "returns": dict(zip(events, returns.tolist(), strict=True)),
        "drift_share": float(1 - unexplained / change) if is_plastic else None,
    }


def events_of(policy: Any, num_steps: int) -> dict[str, Event]:
    """The events by name, the first of them none; without plasticity there is none to stop."""
    num_layers = len(policy.hidden_sizes) + 1 if isinstance(policy, Hebbian) else 0

    def event(
        parts: int = 0, *, stopped: bool = False, broken: bool = False, lost: int | None = None
    ) -> Event:
        step = -(-num_steps * parts // PARTS)  # The first of its part.
        layers = jnp.arange(num_layers) == (-1 if lost is None else lost)
        return Event(jnp.asarray(step), jnp.asarray(stopped), jnp.asarray(broken), layers)

    events = {"intact": event()}
    for moment, parts in MOMENTS.items():
        events[f"broken at {moment}"] = event(parts, broken=True)
        if num_layers:
            events[f"stopped at {moment}"] = event(parts, stopped=True)
            events[f"broken-stopped at {moment}"] = event(parts, stopped=True, broken=True)
        for layer in range(num_layers):
            events[f"lost-{layer} at {moment}"] = event(parts, lost=layer)
    return events


@partial(jax.jit, static_argnums=0)
def _run(
    setup: Setup,
    wiring: Any,
    genotype: Any,
    keys: Array,
    events: Event,
    body: Variation,
    broken_body: Variation,
) -> Episode:
    """The episodes of all events, `[events, episodes]`."""
    kept = setup.express(wiring, genotype)
    run = jax.vmap(partial(_run_episode, setup, wiring, kept, body, broken_body), in_axes=(None, 0))
    # All events have the same episodes, one event after the other to bound the memory.
    return jax.lax.map(lambda event: run(event, jax.random.clone(keys)), events)


def _run_episode(
    setup: Setup,
    wiring: Any,
    kept: Any,
    body: Variation,
    broken_body: Variation,
    event: Event,
    key: PRNGKey,
) -> Episode:
    """One episode, in which something happens."""
    policy, num_steps = setup.policy, setup.task.max_steps

    def step(state: EpisodeState, i: Array) -> tuple[EpisodeState, Array]:
        if event.is_lost.size:
            is_lost = event.is_lost & (i == event.step)
            weights = tuple(
                jnp.where(is_lost[layer], 0.0, own)
                for layer, own in enumerate(state.memory.weights)
            )
            state = state.replace(memory=state.memory.replace(weights=weights))
        action, memory = episode.act(setup, wiring, kept, state.memory, state)
        has_happened = i >= event.step
        is_stopped = event.is_stopped & has_happened
        state = state.replace(memory=_choose(is_stopped, state.memory, memory))
        now = _choose(event.is_broken & has_happened, broken_body, body)
        state = episode.step(setup, wiring, state, action, now)
        return state, state.reward

    first = episode.reset(setup, wiring, key, kept, body)
    last, rewards = jax.lax.scan(step, first, jnp.arange(num_steps))
    returns = jax.ops.segment_sum(rewards, jnp.arange(num_steps) * PARTS // num_steps, PARTS)
    if not isinstance(policy, Hebbian):
        return Episode(returns, jnp.float32(0), jnp.float32(0))
    names, change, unexplained = policy.rule.coefficients, jnp.float32(0), jnp.float32(0)
    rules, num_updates = setup.read(wiring, kept).rules, last.num_steps.astype(jnp.float32)
    for before, after, own in zip(first.memory.weights, last.memory.weights, rules, strict=True):
        drift = num_updates * own[names.index("eta")] * own[names.index("D")]
        change += jnp.sum(jnp.square(after - before))
        unexplained += jnp.sum(jnp.square(after - before - drift))
    return Episode(returns, change, unexplained)


def _choose(condition: Array, one: PyTree, other: PyTree) -> PyTree:
    return jax.tree.map(lambda left, right: jnp.where(condition, left, right), one, other)
