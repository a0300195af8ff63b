"""How well a genome does in every variation, the held-out one included."""

import dataclasses
from pathlib import Path
from typing import Any, final

import jax
import numpy as np
from jaxtyping import Array, Key

from hebbax import devices, rollout
from hebbax.genomes.base import Genome
from hebbax.training import Result, load_result, random_keys
from hebbax.types import Genotype, PRNGKey, Variation

CONFIDENCE = 0.95
RESAMPLES = 9999


@final
@dataclasses.dataclass(frozen=True)
class Score:
    """Returns of one variation's lifetimes.

    variation: its name.
    is_held_out: whether the genome was trained without it.
    returns: the return of every lifetime.
    non_finite: how many of the returns are not finite, because the physics failed. The following four are of the others, and NaN where they are too few.
    mean: mean return.
    std: standard deviation of the returns.
    low: lower end of the mean's bootstrap 95% interval.
    high: upper end.
    ended_early: share of all lifetimes that ended before the last step.
    """

    variation: str
    is_held_out: bool
    returns: tuple[float, ...]
    non_finite: int
    mean: float
    std: float
    low: float
    high: float
    ended_early: float

    def to_dict(self) -> dict[str, Any]:
        """The score as plain values."""
        return dataclasses.asdict(self)


def evaluate(run: Result | str | Path, episodes: int = 100, *, is_sampled: bool = False, is_best: bool = False) -> list[Score]:
    """Lives lifetimes in every variation of the task.

    Args:
        run: a result of `train`, or the folder of a run, of which the newest checkpoint is taken.
        episodes: lifetimes in each variation, 2 or more.
        is_sampled: whether each lifetime belongs to an individual of its own, drawn from the genome, instead of the genome's mode.
        is_best: whether to take the genome of the best generation instead of the last.

    Returns:
        A score for each variation, in the task's order. The same call gives the same scores.

    Raises:
        ValueError: if the folder holds no readable run, or there are too few episodes.
    """
    if episodes < 2:
        raise ValueError(f"episodes is {episodes}, but must be 2 or more")
    result = run if isinstance(run, Result) else load_result(run)
    outcomes = _live_everywhere(result, episodes, is_sampled=is_sampled, is_best=is_best)
    returns, num_steps = np.asarray(outcomes.fitness, np.float64), np.asarray(outcomes.num_steps)
    config = result.config
    return [
        _score(name, name == config.held_out, returns[:, place], num_steps[:, place] < config.task.max_steps)
        for place, name in enumerate(config.task.variations)
    ]


def _live_everywhere(result: Result, episodes: int, *, is_sampled: bool, is_best: bool) -> rollout.Outcome:
    """Lives `[episodes, variations]` lifetimes, shared by the devices."""
    config = result.config
    genome = result.best_genome if is_best else result.genome
    mesh = devices.population_mesh(episodes)

    def sample_and_live(key: PRNGKey, variations: Variation, genome: Genome) -> rollout.Outcome:
        def live(life_keys: Key[Array, " share"], genotypes: Genotype) -> rollout.Outcome:
            return rollout.live(config.task, config.policy, life_keys, genotypes, variations, config.individuals_at_a_time)

        sample_key, life_key = jax.random.split(key)
        sample_keys, life_keys = jax.random.split(sample_key, episodes), jax.random.split(life_key, episodes)
        genotypes = jax.vmap(lambda key: genome.sample(key) if is_sampled else genome.mode())(sample_keys)
        return devices.over_population(live, mesh)(life_keys, genotypes)

    # The genome comes from the devices of its training, which may be others.
    data = devices.put_everywhere((random_keys(config)[2], rollout.stack(config.task.variations), genome), mesh)
    return jax.jit(sample_and_live)(*data)


def _score(name: str, is_held_out: bool, returns: np.ndarray, is_early: np.ndarray) -> Score:
    finite = returns[np.isfinite(returns)]
    low, high = bootstrap_interval(finite)
    return Score(
        variation=name,
        is_held_out=is_held_out,
        returns=tuple(returns.tolist()),
        non_finite=returns.size - finite.size,
        mean=float(np.mean(finite)) if finite.size else float("nan"),
        std=float(np.std(finite, ddof=1)) if finite.size > 1 else float("nan"),
        low=low,
        high=high,
        ended_early=float(np.mean(is_early)),
    )


def bootstrap_interval(values: np.ndarray) -> tuple[float, float]:
    """The percentile bootstrap 95% interval of the mean of finite values; NaN of fewer than two."""
    if values.size < 2:
        return float("nan"), float("nan")
    drawn = np.random.default_rng(0).integers(values.size, size=(RESAMPLES, values.size))
    low, high = np.quantile(np.mean(values[drawn], axis=1), [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)
