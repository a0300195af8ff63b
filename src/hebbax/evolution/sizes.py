"""How small a genome is: in numbers, and in the bits that it needs to do as well."""

import dataclasses
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import final

import jax
import jax.numpy as jnp
from jaxtyping import PyTree

from hebbax.evolution import programs
from hebbax.evolution.episode import Setup
from hebbax.evolution.evaluation import episode_keys, finite_means, run_episodes
from hebbax.evolution.result import Result, load_result
from hebbax.files import local_path, write_json
from hebbax.genomes.base import size_of
from hebbax.types import Genotype, checks

WIDTHS = (2, 3, 4, 6, 8, 16)
RANGE_BITS = 64
LOSS = 0.05  # Of a score, which fewer bits may cost.


@final
@dataclasses.dataclass(frozen=True)
class GenomeBits:
    """The size of a genome, and what its mode scores where each number has a few bits.

    numbers: how many numbers the mode is written with.
    ranges: how many ranges they are rounded within.
    assignment_bits: bits for which synapse has which rule, where that evolves; 0 elsewhere.
    episodes: episodes in each variation, the same for all widths.
    exact: mean finite return of the mode as it is, by "trained on" and "held out".
    by_width: the same with so many bits a number.
    """

    numbers: int
    ranges: int
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
        """The bits of the whole genome with the fewest a number; None if there are none.

        Ranges count, whose two ends are float32.
        """
        width = self.fewest(where)
        if width is None:
            return None
        return self.numbers * width + RANGE_BITS * self.ranges + self.assignment_bits


def measure_bits(
    run: Result | str | Path, episodes: int = 256, *, trust: Sequence[str] = ()
) -> GenomeBits:
    """Scores a genome's mode with its numbers rounded to a few bits each.

    Every width has the same episodes. Numbers are rounded to 2^bits levels, evenly from the
    smallest to the largest of their range: one coefficient of all rules, or another array.

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
        by_name = finite_means(config, outcome)
        trained_on = [by_name[name] for name in config.training_names]
        scores = {"trained on": sum(trained_on) / len(trained_on)}
        return scores | ({} if config.held_out is None else {"held out": by_name[config.held_out]})

    with programs.shared():
        exact = score(mode)
        by_width = {width: score(round_to_bits(mode, shape, width)) for width in WIDTHS}
    size = size_of(result.genome)
    ranges = sum(group[0][1] for group in _range_groups(shape))
    return GenomeBits(size.numbers, ranges, size.assignment_bits, episodes, exact, by_width)


def round_to_bits(genotype: Genotype, shape: PyTree, width: int) -> Genotype:
    """A genotype whose numbers are rounded to `2^width` levels of their range.

    A range is that of one coefficient of all rules, or of one array of other numbers.

    Args:
        genotype: the numbers.
        shape: the same tree of `Parameter`.
        width: bits a number.
    """
    leaves, structure = jax.tree.flatten(genotype)
    for group in _range_groups(shape):
        rows = [leaves[i].reshape(num_ranges, -1) for i, num_ranges in group]
        together = jnp.concatenate(rows, axis=1)
        low = jnp.min(together, axis=1, keepdims=True)
        step = (jnp.max(together, axis=1, keepdims=True) - low) / (2**width - 1)
        for (i, _), row in zip(group, rows, strict=True):
            levels = jnp.round((row - low) / jnp.where(step > 0, step, 1.0))
            # What has one value alone is the range itself.
            rounded = jnp.where(step > 0, low + step * levels, row)
            leaves[i] = rounded.reshape(leaves[i].shape)
    return structure.unflatten(leaves)


def _range_groups(shape: PyTree) -> list[list[tuple[int, int]]]:
    """The arrays of a genotype that share ranges: each by its index, and how many ranges it has."""
    groups: dict[Hashable, list[tuple[int, int]]] = {}
    for i, leaf in enumerate(jax.tree.leaves(shape)):
        if leaf.axes[0] == "coefficient":
            groups.setdefault((leaf.names, leaf.shape[0]), []).append((i, leaf.shape[0]))
        else:
            groups[i] = [(i, 1)]
    return list(groups.values())


def save_bits(run_dir: str | Path, found: GenomeBits) -> None:
    """Writes sizes and scores into the run's folder, as evaluation-bits.json."""
    plain = dataclasses.asdict(found) | {
        "fewest": {where: found.fewest(where) for where in found.exact},
        "bits": {where: found.bits(where) for where in found.exact},
    }
    write_json(local_path(run_dir, "run_dir") / "evaluation-bits.json", plain)
