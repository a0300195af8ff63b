"""What the runs say: the hypotheses and questions of README.md, each by its number.

python experiments/bottleneck/analyse.py

It reads `scores.jsonl` and `genomes.jsonl`. It writes `answers.json`, from which
`benchmarks/tables.py` fills docs/bottleneck.md, and the figures of that page. What has no runs yet
has no answer.
"""

import argparse
import dataclasses
import itertools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import genome_lines
import jax
import numpy as np
from figures import sizes_figure
from methods import ABLATIONS, CURVE, METHODS, PRIMARY

from hebbax.comparison import archive
from hebbax.files import write_json
from hebbax.genomes import size_of
from hebbax.statistics import (
    CONFIDENCE,
    RESAMPLES,
    difference_interval,
    improvement_interval,
    interquartile_mean,
    probability_of_improvement,
    stratified_interval,
)
from hebbax.watching.visualization.style import save

HERE = Path(__file__).parent
IMAGES = HERE.parents[1] / "docs" / "images"
TRAINED, HELD_OUT = "trained on", "held out"
NO_WORSE = {TRAINED: -5.0, HELD_OUT: -7.0}  # What a difference must be above.
SHORT, LONG = 30, 100  # Generations.


@dataclasses.dataclass(frozen=True)
class Scored:
    """A run's scores.

    method, generations, fold, seed: which run.
    by_body: mean return of the genome's mode in each body.
    """

    method: str
    generations: int
    fold: str
    seed: int
    by_body: dict[str, float]

    def score(self, where: str) -> float:
        """The mean over the bodies that it was trained on, or the score in the other."""
        if where == HELD_OUT:
            return self.by_body[self.fold]
        return float(np.mean([self.by_body[body] for body in self.by_body if body != self.fold]))


class Runs:
    """All runs of a file of scores."""

    def __init__(self, lines: Iterable[dict[str, Any]]) -> None:
        """Of the lines of an archive."""
        self.all = [
            Scored(
                line["method"],
                line["generations"],
                line["fold"],
                line["seed"],
                {score["variation"]: score["mean"] for score in line["scores"]["mode"]},
            )
            for line in lines
        ]

    def of(self, method: str, generations: int) -> list[Scored]:
        """The runs of a method that have so many generations, by fold and seed."""
        chosen = (run for run in self.all if (run.method, run.generations) == (method, generations))
        return sorted(chosen, key=lambda run: (run.fold, run.seed))

    def are_all(self, method: str, generations: int) -> bool:
        """Whether the three seeds of every fold are there."""
        chosen = self.of(method, generations)
        bodies = {body for run in chosen for body in run.by_body}
        found = {(run.fold, run.seed) for run in chosen}
        return bool(found) and found >= {(body, seed) for body in bodies for seed in range(3)}

    def strata(self, method: str, generations: int, where: str) -> list[np.ndarray]:
        """The scores of a method, an array for each fold."""
        by_fold = itertools.groupby(self.of(method, generations), lambda run: run.fold)
        return [np.asarray([run.score(where) for run in runs]) for _, runs in by_fold]


def main() -> None:
    """Answers what can be answered."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scores", type=Path, default=HERE / "scores.jsonl")
    parser.add_argument("--genomes", type=Path, default=HERE / "genomes.jsonl")
    parser.add_argument("--out", type=Path, default=HERE, help="the folder of answers.json")
    parser.add_argument("--images", type=Path, default=IMAGES, help="the folder of the figures")
    options = parser.parse_args()
    runs = Runs(archive.read(options.scores))
    lines = genome_lines.read(options.genomes)
    answers = answer(runs) | {
        "bits": genome_lines.bits(lines),
        "within": genome_lines.within(lines),
    }
    write_json(options.out / "answers.json", answers)
    if answers["sizes"]:
        save(sizes_figure(answers), options.images, "bottleneck-sizes")


def answer(runs: Runs) -> dict[str, Any]:
    """All answers that runs allow."""
    variants = [f"{method}-{name}" for method in PRIMARY for name in ABLATIONS]
    return {
        "long": summaries(runs, PRIMARY, LONG),
        "hypotheses": hypotheses(runs),
        "two_by_two": two_by_two(runs),
        "assignment_share": assignment_share(runs),
        "gaps": {
            method: found
            for method in PRIMARY
            if (found := gap(runs, method, LONG)) or (found := gap(runs, method, SHORT))
        },
        "equal_scores": equal_scores(runs),
        "ablations": summaries(runs, variants, SHORT),
        "afterthought": summaries(runs, ["mixture-adam"], SHORT),
        "sizes": sizes(runs),
    }


def summaries(runs: Runs, methods: Iterable[str], generations: int) -> list[dict[str, Any]]:
    """Interquartile means of methods, with their intervals."""
    rows = []
    for method in methods:
        row: dict[str, Any] = {"method": method, "runs": len(runs.of(method, generations))}
        if row["runs"]:
            for where in (TRAINED, HELD_OUT):
                strata = runs.strata(method, generations, where)
                mean = float(interquartile_mean(np.concatenate(strata)))
                row[where] = [mean, *stratified_interval(strata)]
            rows.append(row)
    return rows


def hypotheses(runs: Runs) -> dict[str, Any]:
    """H1, H2 and H3, as README.md has them, each when all of its runs are there."""
    found: dict[str, Any] = {}
    for name, where in (("H1", TRAINED), ("H2", HELD_OUT)):
        if all(runs.are_all(method, LONG) for method in ("tied", "direct")):
            compared = compare(runs, "tied", "direct", LONG, where)
            low, high = compared["probability_interval"]
            word = "confirmed" if low > 0.5 else "refuted" if high < 0.5 else "undecided"
            found[name] = compared | {"answer": word}
    if "H1" in found and found["H1"]["answer"] != "confirmed":
        found["H2"]["answer"] = "not read, as H1 is not confirmed"
    if all(runs.are_all(method, SHORT) for method in ("tied", "static-tied")):
        parts = {where: compare(runs, "tied", "static-tied", SHORT, where) for where in NO_WORSE}
        found["H3"] = parts | {"answer": no_worse(parts)}
    return found


def no_worse(parts: Mapping[str, Any]) -> str:
    """Whether both differences are above what they must be, by their whole intervals."""
    ends = [(*part["difference_interval"], NO_WORSE[where]) for where, part in parts.items()]
    if all(low > least for low, _, least in ends):
        return "confirmed"
    return "refuted" if any(high < least for _, high, least in ends) else "undecided"


def compare(
    runs: Runs, method: str, reference: str, generations: int, where: str
) -> dict[str, Any]:
    """How probable an improvement is, the difference of interquartile means, what can be seen."""
    ours, theirs = (runs.strata(name, generations, where) for name in (method, reference))
    low, high = difference_interval(ours, theirs)
    means = [float(interquartile_mean(np.concatenate(strata))) for strata in (ours, theirs)]
    return {
        "probability": probability_of_improvement(ours, theirs),
        "probability_interval": improvement_interval(ours, theirs),
        "difference": means[0] - means[1],
        "difference_interval": [low, high],
        "resolution": (high - low) / 2,
    }


def two_by_two(runs: Runs) -> dict[str, Any]:
    """Few or many numbers, searched in few or many directions: mean scores trained on."""
    cells = {
        ("many", "many"): "direct",
        ("many", "few"): "direct-grouped",
        ("few", "many"): "fixed",
        ("few", "few"): "tied",
    }
    strata = {cell: runs.strata(method, SHORT, TRAINED) for cell, method in cells.items()}
    if not all(strata.values()):
        return {}
    means = {cell: float(np.mean(np.concatenate(scores))) for cell, scores in strata.items()}
    many_many, many_few, few_many, few_few = (means[cell] for cell in cells)
    return {
        "means": {cells[cell]: mean for cell, mean in means.items()},
        "fewer numbers": (few_many + few_few - many_many - many_few) / 2,
        "fewer directions": (many_few + few_few - many_many - few_many) / 2,
        "interaction": few_few - few_many - many_few + many_many,
    }


def assignment_share(runs: Runs) -> float | None:
    """The share of the variance between runs of `tied` that is the assignment's.

    The estimate of a random effect by the analysis of variance, with as many seeds for each; below
    zero it is zero.
    """
    groups = [
        [run.score(TRAINED) for run in runs.of(f"tied-assignment-{seed}", SHORT)]
        for seed in range(3)
    ]
    if not groups[0] or len({len(group) for group in groups}) > 1:
        return None
    scores = np.asarray(groups)
    within = float(np.mean(np.var(scores, axis=1, ddof=1)))
    between = max(0.0, float(np.var(np.mean(scores, axis=1), ddof=1)) - within / scores.shape[1])
    return between / (between + within) if between + within else None


def gap(runs: Runs, method: str, generations: int) -> list[float]:
    """By how much a body's score is better for runs that have trained on it, and its interval.

    The mean over bodies, so that how hard a body is cancels. Runs are drawn again within folds. No
    gap where a fold, or a seed of one, is missing.
    """
    chosen = runs.of(method, generations)
    folds = list(dict.fromkeys(run.fold for run in chosen))
    by_fold = [[run for run in chosen if run.fold == fold] for fold in folds]
    bodies = {body for run in chosen for body in run.by_body}
    if not chosen or set(folds) != bodies or len({len(group) for group in by_fold}) > 1:
        return []
    # [folds, seeds, bodies], the bodies in the order of the folds.
    scores = np.asarray([[[run.by_body[body] for body in folds] for run in of] for of in by_fold])
    num_folds, num_seeds, _ = scores.shape
    is_held_out = np.eye(num_folds, dtype=bool)

    def of_means(means: np.ndarray) -> np.ndarray:
        """Of the means `[..., folds, bodies]` over seeds."""
        unseen = np.mean(means[..., is_held_out], axis=-1)
        return np.mean(means[..., ~is_held_out], axis=-1) - unseen

    seeds = np.random.default_rng(0).integers(num_seeds, size=(RESAMPLES, num_folds, num_seeds))
    drawn = scores[np.arange(num_folds)[None, :, None], seeds]
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(of_means(np.mean(drawn, axis=2)), [tail, 1 - tail])
    return [float(of_means(np.mean(scores, axis=1))), float(low), float(high)]


def equal_scores(runs: Runs) -> dict[str, Any]:
    """`tied` less `direct` held out, at equal scores trained on.

    A line for each method with a slope in common, within folds.
    """
    chosen = {method: runs.of(method, LONG) or runs.of(method, SHORT) for method in PRIMARY[:2]}
    if not all(chosen.values()):
        return {}
    rows = [
        (method, run.fold, run.score(TRAINED), run.score(HELD_OUT))
        for method, of_method in chosen.items()
        for run in of_method
    ]
    folds = list(dict.fromkeys(fold for _, fold, _, _ in rows))
    design = np.asarray(
        [
            [float(method == "tied"), trained, *(float(fold == one) for one in folds)]
            for method, fold, trained, _ in rows
        ]
    )
    held_out = np.asarray([row[-1] for row in rows])

    def fit(indices: np.ndarray) -> np.ndarray:
        return np.linalg.lstsq(design[indices], held_out[indices], rcond=None)[0][:2]

    everyone = np.arange(len(rows))
    groups = [
        np.asarray([i for i in everyone if rows[i][:2] == key])
        for key in dict.fromkeys(row[:2] for row in rows)
    ]
    random = np.random.default_rng(0)
    drawn = [
        fit(np.concatenate([random.choice(group, group.size) for group in groups]))
        for _ in range(RESAMPLES // 10)
    ]
    difference, slope = fit(everyone)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(np.asarray(drawn)[:, 0], [tail, 1 - tail])
    return {"difference": [float(difference), float(low), float(high)], "slope": float(slope)}


def sizes(runs: Runs) -> list[dict[str, Any]]:
    """Scores after 30 generations, with the numbers of the genomes."""
    tied = METHODS["tied"]
    configs = {name: make() for name, make in METHODS.items()}
    configs |= {name: tied(encoding=encoding) for name, encoding in CURVE.items()}
    rows = summaries(runs, configs, SHORT)
    return [row | {"numbers": num_numbers(configs[row["method"]])} for row in rows]


def num_numbers(config: Any) -> int:
    """How many numbers stand for a genome's mode."""
    shape = config.encoding.genotype_shape(config.policy.parameters(config.task))
    return size_of(config.genome.init(jax.random.key(0), shape)).numbers


if __name__ == "__main__":
    main()
