"""How well a genome does in every variation, the held-out one included."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, final

import jax
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array, Key

from hebbax import checks, devices, interrupts, programs, rollout
from hebbax.evolution import random_keys
from hebbax.files import local_path, write_json
from hebbax.genomes.base import Genome
from hebbax.policies.base import Policy
from hebbax.statistics import bootstrap_interval
from hebbax.tasks.base import Task
from hebbax.training import Result, load_result
from hebbax.types import Genotype, Variation


@final
@dataclasses.dataclass(frozen=True)
class Score:
    """Returns of one variation's lifetimes.

    variation: its name.
    is_held_out: whether the genome was trained without it.
    returns: the return of every lifetime.
    non_finite: how many of the returns are not finite, because physics or policy failed. The
        following four are of the others, and NaN where they are too few.
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


def evaluate(
    run: Result | str | Path,
    episodes: int = 100,
    *,
    is_sampled: bool = False,
    is_best: bool = False,
    trust: Sequence[str] = (),
) -> list[Score]:
    """Lives lifetimes in every variation of the task.

    Args:
        run: a result of `train`, or the folder of a run, of which the newest checkpoint is taken.
        episodes: lifetimes in each variation, 2 or more.
        is_sampled: whether each lifetime belongs to an individual of its own, drawn from the
            genome, instead of the genome's mode.
        is_best: whether to take the genome of the best generation instead of the last.
        trust: modules, or files that end in `.py`, whose classes the run may be of; see
            `Config.from_dict`.

    Returns:
        A score for each variation, in the task's order. The same call gives the same scores.

    Raises:
        ValueError: if the folder holds no readable run, the run no best generation that is asked
            for, or there are too few episodes.
    """
    episodes = checks.integer(at_least=2)("episodes", episodes)
    is_sampled, is_best = checks.flag("is_sampled", is_sampled), checks.flag("is_best", is_best)
    result = run if isinstance(run, Result) else load_result(run, trust)
    if is_best and result.best_generation is None:
        raise ValueError(
            "is_best is True, but the run has no best generation: in none was the fitness of more "
            "than half of the individuals finite; "
            "leave it False to take the last genome"
        )
    outcomes = _live_everywhere(result, episodes, is_sampled=is_sampled, is_best=is_best)
    returns, num_steps = np.asarray(outcomes.fitness, np.float64), np.asarray(outcomes.num_steps)
    config = result.config
    return [
        _score(
            name,
            name == config.held_out,
            returns[:, place],
            num_steps[:, place] < config.task.max_steps,
        )
        for place, name in enumerate(config.task.variations)
    ]


def save_scores(
    run_dir: str | Path,
    result: Result,
    scores: list[Score],
    *,
    is_sampled: bool = False,
    is_best: bool = False,
) -> None:
    """Writes scores into the run's folder.

    Of the mode into evaluation.json, of samples into evaluation-samples.json.
    """
    asked = {
        "episodes": len(scores[0].returns),
        "is_sampled": is_sampled,
        "is_best": is_best,
        "generations": len(result.history),
    }
    plain = {**asked, "scores": [score.to_dict() for score in scores]}
    write_json(scores_file(run_dir, is_sampled=is_sampled), plain)


def scores_file(run_dir: str | Path, *, is_sampled: bool) -> Path:
    """Where a run's scores are."""
    return local_path(run_dir, "run_dir") / (
        "evaluation-samples.json" if is_sampled else "evaluation.json"
    )


def _live_everywhere(
    result: Result, episodes: int, *, is_sampled: bool, is_best: bool
) -> rollout.Outcome:
    """Lives `[episodes, variations]` lifetimes, shared by the devices."""
    config = result.config
    genome = result.best_genome if is_best else result.genome
    mesh = devices.population_mesh(episodes)
    sample_key, life_key = jax.random.split(random_keys(config).evaluation)
    # The genome comes from the devices of its training, which may be others.
    data = devices.put_everywhere(
        (jax.random.split(sample_key, episodes), jax.random.split(life_key, episodes), genome), mesh
    )
    sample_keys, life_keys, genome = data
    variations = devices.put_everywhere(rollout.stack(config.task.variations), mesh)
    parts = (config.task, config.policy, config.individuals_at_a_time, mesh)
    live = programs.compiled("evaluation", parts, lambda: _program(*parts))
    return interrupts.call(
        live, life_keys, _genotypes(sample_keys, genome, is_sampled=is_sampled), variations
    )


def _genotypes(keys: Key[Array, " episodes"], genome: Genome, *, is_sampled: bool) -> Genotype:
    return jax.jit(
        jax.vmap(
            lambda key, genome: genome.sample(key) if is_sampled else genome.mode(),
            in_axes=(0, None),
        )
    )(keys, genome)


def _program(
    task: Task, policy: Policy, chunk_size: int | None, mesh: Mesh
) -> Callable[..., rollout.Outcome]:
    def live_all(
        keys: Key[Array, " episodes"], genotypes: Genotype, variations: Variation
    ) -> rollout.Outcome:
        def live(keys: Key[Array, " share"], genotypes: Genotype) -> rollout.Outcome:
            return rollout.live(task, policy, keys, genotypes, variations, chunk_size)

        return devices.over_population(live, mesh)(keys, genotypes)

    return jax.jit(live_all)


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
