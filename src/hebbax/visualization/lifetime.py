"""Pictures of what happens within a lifetime.

Where the weights go, and what is left of a lesion.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hebbax import interrupts, rollout
from hebbax.evolution import random_keys
from hebbax.lesion import Lesion
from hebbax.statistics import CONFIDENCE
from hebbax.training import Result
from hebbax.types import PRNGKey, Variation

# Of a larger network as many are drawn at random, so that all steps fit into memory.
MAX_SYNAPSES = 16_384
NUM_POINTS = 100  # Of each line of weights.
RESAMPLES = 1000
COLOURS = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#000000",
)  # Okabe and Ito's, which the colour-blind can tell apart.
INTACT, INJURED = COLOURS[0], COLOURS[1]


class Recovery(NamedTuple):
    """The same lifetimes with and without a lesion.

    rewards: `[2, lifetimes, steps]` without and with the lesion; 0 once a lifetime is over.
    norms: `[2, lifetimes, steps]` the Euclidean norm of the lesioned layer's weights after each
        step.
    """

    rewards: Float[np.ndarray, "2 lifetimes steps"]
    norms: Float[np.ndarray, "2 lifetimes steps"]


def trace_weights(
    result: Result, *, num_steps: int | None = None, seed: int = 0
) -> dict[str, Float[np.ndarray, "steps synapses"]]:
    """Keeps the weights of the genome's mode after each step, in every variation.

    All lifetimes start with the same weights. Of a network of more than 16,384 plastic synapses as
    many are drawn at random.

    Args:
        result: of a run whose policy is plastic.
        num_steps: policy steps; a whole lifetime if None.
        seed: which lifetimes.

    Raises:
        ValueError: if the policy remembers no weights.
    """
    config = result.config
    memory = jax.eval_shape(
        config.policy.reset, jax.random.key(0), config.policy.genotype_shape(config.task)
    )
    num_synapses = sum(leaf.size for leaf in jax.tree.leaves(memory))
    if num_synapses == 0:
        raise ValueError(
            f"the policy is {type(config.policy).__name__}, which remembers nothing: it has no "
            "weights that change within a lifetime"
        )
    chosen = np.arange(num_synapses)
    if num_synapses > MAX_SYNAPSES:
        chosen = np.sort(np.random.default_rng(0).choice(num_synapses, MAX_SYNAPSES, replace=False))

    def flatten(life: rollout.Life) -> Array:
        return jnp.concatenate([leaf.reshape(-1) for leaf in jax.tree.leaves(life.memory)])[chosen]

    def live(key: PRNGKey, variations: Variation) -> rollout.Trajectory:
        genotype = result.genome.mode()
        return jax.vmap(
            lambda variation: rollout.trace(
                config.task,
                config.policy,
                jax.random.clone(key),
                genotype,
                variation,
                keep=flatten,
                num_steps=num_steps,
            )
        )(variations)

    trajectory = jax.device_get(
        interrupts.call(
            jax.jit(live), _life_key(result, 0, seed), rollout.stack(config.task.variations)
        )
    )
    lived = np.asarray(trajectory.num_steps())
    return {
        name: trajectory.kept[place, : lived[place]]
        for place, name in enumerate(config.task.variations)
    }


def plot_weight_trajectories(
    weights: dict[str, Float[np.ndarray, "steps synapses"]], held_out: str | None = None
) -> Figure:
    """Draws where the weights go in each variation, seen along their two principal components.

    Args:
        weights: `[steps, synapses]` by variation, as `trace_weights` returns them.
        held_out: the variation that is marked as held out; none if None.
    """
    thinned = [
        steps[np.unique(np.linspace(0, len(steps) - 1, NUM_POINTS).astype(int))]
        for steps in weights.values()
    ]
    places, shares = principal_components(np.concatenate(thinned))
    lines = np.split(places, np.cumsum([len(steps) for steps in thinned])[:-1])

    figure = Figure(figsize=(6.4, 4.8), layout="constrained")
    axes = figure.subplots()
    for number, (name, line) in enumerate(zip(weights, lines, strict=True)):
        colour = COLOURS[number % len(COLOURS)]
        is_held_out = name == held_out
        label = f"{name} (held out)" if is_held_out else name
        axes.plot(
            *line.T,
            color=colour,
            label=label,
            linestyle="--" if is_held_out else "-",
            linewidth=1.5,
        )
        axes.plot(*line[0], "o", color=colour, markersize=5)
        axes.plot(*line[-1], "s", color=colour, markersize=6)
    axes.set_xlabel(f"first component ({shares[0]:.0%} of the variance)")
    axes.set_ylabel(f"second component ({shares[1]:.0%})")
    axes.set_title(
        "Weights within a lifetime (circle: after the first step, square: after the last)",
        fontsize="medium",
    )
    axes.legend(frameon=False, fontsize="small")
    return figure


def principal_components(
    rows: Float[np.ndarray, "rows columns"],
) -> tuple[Float[np.ndarray, "rows 2"], Float[np.ndarray, "2"]]:
    """Returns the rows along the two directions in which they vary most.

    Also these directions' shares of the variance.
    """
    centred = rows - rows.mean(axis=0)
    # The Gram matrix is as large as there are rows, which are fewer than the columns; its
    # eigenvectors times their lengths are the places.
    squares, vectors = np.linalg.eigh(centred @ centred.T)
    squares = np.maximum(squares[::-1], 0)
    return vectors[:, :-3:-1] * np.sqrt(squares[:2]), squares[:2] / max(
        squares.sum(), np.finfo(np.float32).tiny
    )


def trace_recovery(
    result: Result,
    variation: str,
    lesion: Lesion,
    *,
    lifetimes: int = 20,
    num_steps: int | None = None,
    seed: int = 0,
) -> Recovery:
    """Lives the same lifetimes of the genome's mode twice: without and with a lesion.

    Args:
        result: of a run whose policy is plastic.
        variation: the name of the variation to live in.
        lesion: the damage.
        lifetimes: how many.
        num_steps: policy steps; a whole lifetime if None.
        seed: which lifetimes.

    Raises:
        ValueError: if the task has no such variation, or the policy no such layer.
    """
    config = result.config
    if variation not in config.task.variations:
        raise ValueError(
            f"variation is {variation!r}, but must be one of the task's: "
            f"{', '.join(config.task.variations)}"
        )
    body = config.task.variations[variation]

    def live(key: PRNGKey) -> tuple[rollout.Trajectory, rollout.Trajectory]:
        def trace(damage: Lesion | None) -> rollout.Trajectory:
            return rollout.trace(
                config.task,
                config.policy,
                jax.random.clone(key),
                result.genome.mode(),
                body,
                keep=lambda life: jnp.linalg.norm(life.memory[lesion.layer]),
                num_steps=num_steps,
                lesion=damage,
            )

        # The lesion first, for it is checked before the layer is looked at.
        injured = trace(lesion)
        return trace(None), injured

    both = jax.device_get(
        interrupts.call(
            jax.jit(jax.vmap(live)), jax.random.split(_life_key(result, 1, seed), lifetimes)
        )
    )
    return Recovery(
        rewards=np.stack([one.rewards for one in both]), norms=np.stack([one.kept for one in both])
    )


def plot_recovery(
    recovery: Recovery, lesion: Lesion, *, window: int = 25, reward: str = "reward of a step"
) -> Figure:
    """Draws rewards and the layer's norm over the steps, with and without the lesion.

    Means over lifetimes with bootstrap 95% intervals.

    Args:
        recovery: as `trace_recovery` returns it.
        lesion: the damage.
        window: steps up to each, over which rewards are averaged.
        reward: what a reward is, for the axis.
    """
    figure = Figure(figsize=(6.4, 5.6), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    for axes, values in ((above, running_mean(recovery.rewards, window)), (below, recovery.norms)):
        for name, colour, lifetimes in zip(
            ("without lesion", "with lesion"), (INTACT, INJURED), values, strict=True
        ):
            _plot_mean(axes, lifetimes, name, colour)
        axes.axvline(lesion.step, color="0.4", linestyle=":", linewidth=1)
    above.set_ylabel(f"{reward}\n(mean of the last {window})")
    above.set_title(
        f"Layer {lesion.layer} set to zero at step {lesion.step}; {recovery.rewards.shape[1]} "
        "lifetimes",
        fontsize="medium",
    )
    above.legend(frameon=False, fontsize="small")
    below.set_ylabel(f"norm of layer {lesion.layer}")
    below.set_xlabel("policy step")
    return figure


def running_mean(
    values: Float[np.ndarray, "*batch steps"], window: int
) -> Float[np.ndarray, "*batch steps"]:
    """Returns the mean of each step and those before it, as many as the window has or there are."""
    sums = np.cumsum(values, axis=-1, dtype=np.float64)
    sums[..., window:] -= sums[..., :-window].copy()
    return sums / np.minimum(np.arange(1, values.shape[-1] + 1), window)


def mean_interval(values: Float[np.ndarray, "lifetimes steps"]) -> tuple[np.ndarray, np.ndarray]:
    """Returns the ends of the bootstrap 95% interval of the mean over lifetimes, by step.

    By percentiles; lifetimes are drawn whole.
    """
    count = len(values)
    drawn = (
        np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), size=RESAMPLES)
        / count
    )
    low, high = np.quantile(drawn @ values, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2], axis=0)
    return low, high


def _plot_mean(axes: Axes, lifetimes: np.ndarray, name: str, colour: str) -> None:
    steps = np.arange(lifetimes.shape[1])
    axes.plot(steps, lifetimes.mean(axis=0), color=colour, label=name, linewidth=1.5)
    axes.fill_between(steps, *mean_interval(lifetimes), color=colour, alpha=0.2, linewidth=0)


def _life_key(result: Result, picture: int, seed: int) -> PRNGKey:
    """The key of a picture's lifetimes; each kind of picture has its own."""
    return jax.random.fold_in(
        jax.random.fold_in(random_keys(result.config).pictures, picture), seed
    )
