"""How small a genome is: in numbers, and in the bits that it needs to do as well."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import final

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from hebbax.evolution import programs
from hebbax.evolution.episode import Setup
from hebbax.evolution.evaluation import episode_keys, run_episodes
from hebbax.evolution.result import Result, load_result
from hebbax.files import local_path, write_json
from hebbax.genomes.base import size_of
from hebbax.types import Genotype, Parameter, checks

WIDTHS = (2, 3, 4, 6, 8, 16)
LOSS = 0.05  # Of a score, which fewer bits may cost.


@final
@dataclasses.dataclass(frozen=True)
class GenomeBits:
    """The size of a genome, and what its mode scores where each number has a few bits.

    numbers: how many numbers the mode is written with.
    assignment_bits: bits for which synapse has which rule, where that evolves; 0 elsewhere.
    episodes: episodes in each variation, the same for all widths.
    exact: mean return of the mode as it is, by "trained on" and "held out".
    by_width: the same with so many bits a number.
    """

    numbers: int
    assignment_bits: float
    episodes: int
    exact: Mapping[str, float]
    by_width: Mapping[int, Mapping[str, float]]

    def fewest(self, where: str = "trained on") -> int | None:
        """The fewest bits a number with which the score is within 5%; None if all lose more.

        More bits must keep it too: a score that is good by accident does not count.
        """
        exact, found = self.exact[where], None
        for width in sorted(self.by_width, reverse=True):
            if not self.by_width[width][where] >= exact - LOSS * abs(exact):
                break
            found = width
        return found

    def bits(self, where: str = "trained on") -> float | None:
        """The bits of the whole genome with the fewest a number; None if there are none."""
        width = self.fewest(where)
        return None if width is None else self.numbers * width + self.assignment_bits


def measure_bits(
    run: Result | str | Path, episodes: int = 256, *, trust: Sequence[str] = ()
) -> GenomeBits:
    """Scores a genome's mode with its numbers rounded to a few bits each.

    Every width has the same episodes. Each array of the mode, and each coefficient of its rules, is
    rounded to 2^bits levels, evenly from its smallest to its largest number.

    Args:
        run: a result of `train`, or the folder of a run.
        episodes: episodes in each variation.
        trust: as for `evaluate`.

    Returns:
        The sizes and the scores.

    Raises:
        ValueError: if the folder holds no readable run, or there are too few episodes.

    Examples:
        >>> import hebbax
        >>> task, policy = hebbax.tasks.Point(), hebbax.Hebbian(hidden_sizes=())
        >>> strategy = hebbax.ScoreFunction(population_size=4)
        >>> config = hebbax.Config(task, policy, hebbax.Normal(), strategy, generations=2)
        >>> found = hebbax.evolution.measure_bits(hebbax.train(config), episodes=4)
        >>> found.numbers, list(found.by_width)
        (20, [2, 3, 4, 6, 8, 16])
    """
    episodes = checks.integer(at_least=2)("episodes", episodes)
    result = run if isinstance(run, Result) else load_result(run, trust)
    config = result.config
    keys = episode_keys(config, episodes)
    shape, mode = Setup.of(config).genotype_shape, result.genome.mode()

    def score(genotype: Genotype) -> dict[str, float]:
        outcome = run_episodes(config, keys, genotype, result.wiring, is_shared=True)
        means = np.mean(np.asarray(outcome.returns, np.float64), axis=0)
        by_name = dict(zip(config.task.variations, means.tolist(), strict=True))
        trained_on = [by_name[name] for name in config.training_names]
        scores = {"trained on": sum(trained_on) / len(trained_on)}
        return scores | ({} if config.held_out is None else {"held out": by_name[config.held_out]})

    with programs.shared():
        exact = score(mode)
        by_width = {width: score(round_to_bits(mode, shape, width)) for width in WIDTHS}
    size = size_of(result.genome)
    return GenomeBits(size.numbers, size.assignment_bits, episodes, exact, by_width)


def round_to_bits(genotype: Genotype, shape: PyTree, width: int) -> Genotype:
    """A genotype whose numbers are rounded to `2^width` levels.

    Args:
        genotype: the numbers.
        shape: the same tree of `Parameter`.
        width: bits a number.
    """
    return jax.tree.map(lambda leaf, parameter: _round(leaf, parameter, width), genotype, shape)


def _round(leaf: Float[Array, "..."], parameter: Parameter, width: int) -> Float[Array, "..."]:
    axes = tuple(axis for axis, name in enumerate(parameter.axes) if name != "coefficient")
    low, high = (extreme(leaf, axis=axes, keepdims=True) for extreme in (jnp.min, jnp.max))
    step = (high - low) / (2**width - 1)
    is_flat = step <= 0
    return jnp.where(
        is_flat, leaf, low + step * jnp.round((leaf - low) / jnp.where(is_flat, 1, step))
    )


def save_bits(run_dir: str | Path, found: GenomeBits) -> None:
    """Writes sizes and scores into the run's folder, as evaluation-bits.json."""
    plain = dataclasses.asdict(found) | {
        "fewest": {where: found.fewest(where) for where in found.exact},
        "bits": {where: found.bits(where) for where in found.exact},
    }
    write_json(local_path(run_dir, "run_dir") / "evaluation-bits.json", plain)
