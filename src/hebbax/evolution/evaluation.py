"""How well a genome does in every variation, the held-out one included."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, final

import jax
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array, Key

from hebbax import devices
from hebbax.config import Config
from hebbax.evolution import interrupts, joining, limits, processes, programs
from hebbax.evolution.episode import Setup
from hebbax.evolution.generation import TrainingState
from hebbax.evolution.keys import random_keys
from hebbax.evolution.observations import Senses
from hebbax.evolution.result import Result, load_result
from hebbax.evolution.rollout import Outcome, rollout_population, stack
from hebbax.files import local_path, write_json
from hebbax.files.plain import by_path
from hebbax.statistics import bootstrap_interval
from hebbax.types import Genotype, Variation, Wiring, checks

AT_A_TIME = 1000  # Episodes in each variation, whose genotypes and returns are held.


@final
@dataclasses.dataclass(frozen=True)
class Score:
    """Returns of one variation's episodes.

    variation: its name.
    is_held_out: whether the genome was trained without it.
    returns: the return of every episode.
    non_finite: how many of the returns are not finite, because physics or policy failed. The
        following four are of the others, and NaN where they are too few.
    mean: mean return.
    std: standard deviation of the returns.
    low: lower end of the mean's bootstrap 95% interval.
    high: upper end.
    ended_early: share of all episodes that ended before the last step.
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


def evaluate(
    run: Result | str | Path,
    episodes: int = 100,
    *,
    is_sampled: bool = False,
    is_best: bool = False,
    trust: Sequence[str] = (),
    distributed: bool = False,
) -> list[Score]:
    """Lives episodes in every variation of the task.

    Args:
        run: a result of `train`, or the folder of a run, of which the newest checkpoint is taken.
        episodes: episodes in each variation, 2 or more.
        is_sampled: whether each episode belongs to an individual of its own, drawn from the
            genome, instead of the genome's mode.
        is_best: whether to take the genome of the best generation instead of the last.
        trust: modules, or files that end in `.py`, whose classes the run may be of; see
            `Config.from_dict`.
        distributed: whether many processes make the same call and share the episodes, as `train`
            has it.

    Returns:
        A score for each variation, in the task's order. The same call gives the same scores.

    Raises:
        ValueError: if the folder holds no readable run, the run no best generation that is asked
            for, or there are too few episodes.

    Examples:
        >>> import hebbax
        >>> task, policy = hebbax.tasks.Point(), hebbax.Hebbian(hidden_sizes=())
        >>> strategy = hebbax.ScoreFunction(population_size=4)
        >>> config = hebbax.Config(task, policy, hebbax.Normal(), strategy, generations=2)
        >>> scores = hebbax.evaluate(hebbax.train(config), episodes=4)
        >>> [(score.variation, len(score.returns)) for score in scores]
        [('default', 4), ('weak', 4), ('strong', 4), ('mirrored', 4)]
    """
    episodes = checks.integer(at_least=2)("episodes", episodes)
    is_sampled, is_best = checks.flag("is_sampled", is_sampled), checks.flag("is_best", is_best)
    with joining.together(checks.flag("distributed", distributed)):
        return _evaluate(run, episodes, is_sampled, is_best, trust)


def _evaluate(
    run: Result | str | Path, episodes: int, is_sampled: bool, is_best: bool, trust: Sequence[str]
) -> list[Score]:
    """`evaluate` in each process."""
    with processes.all_or_none():
        result = run if isinstance(run, Result) else load_result(run, trust)
    if devices.are_spread():
        facts = {"episodes": episodes, "generations": len(result.history)}
        processes.agree(facts | by_path(result.config.to_dict()["config"]))
    if is_best and result.best_generation is None:
        raise ValueError(
            "is_best is True, but the run has no best generation: in none was the fitness of more "
            "than half of the individuals finite; "
            "leave it False to take the last genome"
        )
    config = result.config
    sample_key, _ = jax.random.split(random_keys(config.seed).evaluation)
    sample_keys, keys = jax.random.split(sample_key, episodes), episode_keys(config, episodes)
    # It comes from the devices of its training, which may be others.
    genome = devices.put_here(result.best_genome if is_best else result.genome)
    sample = jax.jit(jax.vmap(lambda key, genome: genome.sample(key), in_axes=(0, None)))
    wiring = result.wiring
    if is_best and isinstance(wiring, Senses):
        wiring = wiring.replace(statistics=wiring.best_statistics)
    at_a_time = min(episodes, AT_A_TIME)
    outcomes = []
    for start in range(0, episodes, at_a_time):
        # All of one length, for which the program was compiled.
        part = np.minimum(np.arange(start, start + at_a_time), episodes - 1)
        genotypes = sample(sample_keys[part], genome) if is_sampled else genome.mode()
        outcome = run_episodes(config, keys[part], genotypes, wiring, is_shared=not is_sampled)
        outcomes.append(jax.device_get(outcome))
    outcome = jax.tree.map(lambda *parts: np.concatenate(parts)[:episodes], *outcomes)
    returns, num_steps = np.asarray(outcome.returns, np.float64), np.asarray(outcome.num_steps)
    return [
        _score(
            name,
            name == config.held_out,
            returns[:, i],
            num_steps[:, i] < config.task.max_steps,
        )
        for i, name in enumerate(config.task.variations)
    ]


def score_mode(config: Config, state: TrainingState) -> dict[str, float]:
    """The mean of the finite returns of a genome's mode in each variation, while it evolves.

    The run's `evaluation_episodes` are the same every time.
    """
    keys = jax.random.split(random_keys(config.seed).learning_curve, config.evaluation_episodes)
    outcome = run_episodes(config, keys, state.search.genome.mode(), state.wiring, is_shared=True)
    return finite_means(config, outcome)


def finite_means(config: Config, outcome: Outcome) -> dict[str, float]:
    """The mean of the finite returns in each variation; NaN where there are none."""
    returns = np.asarray(outcome.returns, np.float64)
    is_finite = np.isfinite(returns)
    sums, counts = np.sum(returns, axis=0, where=is_finite), np.sum(is_finite, axis=0)
    return {
        name: float(total / count) if count else float("nan")
        for name, total, count in zip(config.task.variations, sums, counts, strict=True)
    }


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
    plain = {
        "episodes": len(scores[0].returns),
        "is_sampled": is_sampled,
        "is_best": is_best,
        "generations": len(result.history),
        "scores": [dataclasses.asdict(score) for score in scores],
    }
    write_json(scores_file(run_dir, is_sampled=is_sampled), plain)


def scores_file(run_dir: str | Path, *, is_sampled: bool) -> Path:
    """Where a run's scores are."""
    return local_path(run_dir, "run_dir") / (
        "evaluation-samples.json" if is_sampled else "evaluation.json"
    )


def episode_keys(config: Config, episodes: int) -> Key[Array, " episodes"]:
    """The keys of the episodes that score a run's genome."""
    _, key = jax.random.split(random_keys(config.seed).evaluation)
    return jax.random.split(key, episodes)


def run_episodes(
    config: Config,
    keys: Key[Array, " episodes"],
    genotypes: Genotype,
    wiring: Wiring,
    *,
    is_shared: bool,
) -> Outcome:
    """Runs `[episodes, variations]` episodes, shared by the devices. The keys are consumed.

    Args:
        config: the run's.
        keys: of each episode.
        genotypes: of each episode, or the same for all if `is_shared`.
        wiring: the run's.
        is_shared: whether all inherit the same.
    """
    mesh = devices.population_mesh(len(keys))
    data = devices.put_everywhere((keys, genotypes, wiring, stack(config.task.variations)), mesh)
    rollout = programs.compiled(
        f"{len(keys)} episodes, {is_shared}",
        (Setup.of(config), config.precision, mesh),
        lambda: _compile(config, mesh, data, is_shared=is_shared),
    )
    return interrupts.in_thread(rollout, *data)


def _compile(config: Config, mesh: Mesh, data: tuple, *, is_shared: bool) -> Callable[..., Outcome]:
    """The program of an evaluation: of keys, genotypes, wiring and stacked variations."""
    setup, num_variations = Setup.of(config), len(config.task.variations)

    def compile_chunk(chunk_size: int | None) -> Any:
        chunk_setup = dataclasses.replace(setup, chunk_size=chunk_size)

        def rollout_share(
            wiring: Wiring, variations: Variation, genotypes: Genotype, keys: Key[Array, " share"]
        ) -> Outcome:
            outcome = rollout_population(
                chunk_setup, wiring, keys, genotypes, variations, is_shared=is_shared
            )
            return outcome.replace(seen=())  # An evaluation teaches nothing.

        def rollout(
            keys: Key[Array, " episodes"],
            genotypes: Genotype,
            wiring: Wiring,
            variations: Variation,
        ) -> Outcome:
            num_whole = 3 if is_shared else 2
            share = devices.over_population(rollout_share, mesh, num_whole=num_whole)
            return share(wiring, variations, genotypes, keys)

        function = jax.jit(
            programs.with_precision(config.precision, rollout),
            out_shardings=devices.everywhere(mesh),
        )
        return interrupts.compiled(function, *data)

    return limits.compile_to_fit(
        compile_chunk,
        limits.chunk_size(setup, num_variations),
        devices.share_of(len(data[0]), mesh),
        limits.individual_bytes(setup, num_variations),
    )


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
