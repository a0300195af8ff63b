"""What the runs say: the hypotheses and questions of README.md, each by its number.

python experiments/bottleneck/analyse.py

It reads `scores.jsonl` and `genomes.jsonl`. It writes `answers.json`, from which
`benchmarks/tables.py` fills docs/bottleneck.md, and the figures of that page. What has no runs yet
has no answer.
"""

import argparse
import dataclasses
import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import genome_lines
import jax
import numpy as np
from figures import sizes_figure
from methods import ABLATIONS, CURVE, FURTHER, METHODS, PRIMARY
from scipy.stats import f as f_distribution

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
LONGER = (*PRIMARY, *FURTHER)  # What goes on so far.


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

    def of_seed(self, seed: int) -> "Runs":
        """The runs of one seed."""
        found = Runs([])
        found.all = [run for run in self.all if run.seed == seed]
        return found

    def num_seeds(self, method: str, generations: int) -> int:
        """How many seeds each fold has; 0 where a fold is missing or has more than another."""
        chosen = self.of(method, generations)
        bodies = {body for run in chosen for body in run.by_body}
        counts = Counter(run.fold for run in chosen)
        if set(counts) != bodies or len(set(counts.values())) != 1:
            return 0
        return counts[chosen[0].fold]

    def are_all(self, method: str, generations: int) -> bool:
        """Whether the three seeds of every fold are there."""
        return self.num_seeds(method, generations) == 3

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
    ablations = [
        name
        for method in PRIMARY
        for name in (method, *(f"{method}-{ablation}" for ablation in ABLATIONS))
    ]
    return {
        "long": summaries(runs, LONGER, LONG),
        "hypotheses": hypotheses(runs),
        "against_direct": against_direct(runs),
        "two_by_two": two_by_two(runs),
        "assignment_share": assignment_share(runs),
        "gaps": gaps(runs),
        "equal_scores": equal_scores(runs),
        "ablations": summaries(runs.of_seed(0), ablations, SHORT),
        "afterthought": summaries(runs, ["mixture", "mixture-adam"], SHORT),
        "sizes": sizes(runs),
    }


def summaries(runs: Runs, methods: Iterable[str], generations: int) -> list[dict[str, Any]]:
    """Interquartile means of the methods that have all folds, with their intervals."""
    rows = []
    for method in methods:
        if runs.num_seeds(method, generations):
            row: dict[str, Any] = {"method": method, "runs": len(runs.of(method, generations))}
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
        found["H3"] = {
            where: (compared := compare(runs, "tied", "static-tied", SHORT, where))
            | {"answer": no_worse(compared["difference_interval"], least)}
            for where, least in NO_WORSE.items()
        }
    return found


def no_worse(interval: Sequence[float], least: float) -> str:
    """Whether a difference is above what it must be, by its whole interval."""
    low, high = interval
    return "confirmed" if low > least else "refuted" if high < least else "undecided"


def compare(
    runs: Runs, method: str, reference: str, generations: int, where: str
) -> dict[str, Any]:
    """How probable an improvement is, and the difference of interquartile means.

    Half the width of its interval is what can be seen. Runs of one seed have the same first genome,
    wiring and noise in all folds, so that the seeds are looked at one by one too: differences of
    means over folds.
    """
    ours, theirs = (runs.strata(name, generations, where) for name in (method, reference))
    low, high = difference_interval(ours, theirs)
    means = [float(interquartile_mean(np.concatenate(strata))) for strata in (ours, theirs)]
    return {
        "probability": probability_of_improvement(ours, theirs),
        "probability_interval": improvement_interval(ours, theirs),
        "difference": means[0] - means[1],
        "difference_interval": [low, high],
        "resolution": (high - low) / 2,
        "by_seed": (np.mean(ours, axis=0) - np.mean(theirs, axis=0)).tolist(),
    }


def against_direct(runs: Runs) -> list[dict[str, Any]]:
    """How probably each method beats `direct`, where both have all of their runs."""
    return [
        {"method": method, "generations": generations}
        | {where: compare(runs, method, "direct", generations, where) for where in NO_WORSE}
        for generations in (SHORT, LONG)
        for method in METHODS
        if method != "direct" and all(runs.are_all(one, generations) for one in (method, "direct"))
    ]


def two_by_two(runs: Runs) -> dict[str, Any]:
    """Few or many numbers, searched in few or many directions: mean scores trained on."""
    # Numbers and directions: many and many, many and few, few and many, few and few.
    cells = ("direct", "direct-grouped", "fixed", "tied")
    if not all(runs.are_all(method, SHORT) for method in cells):
        return {}
    random = np.random.default_rng(0)
    # [1 + RESAMPLES] each: the mean, then that of runs drawn again within folds.
    means = [means_drawn_again(runs.strata(method, SHORT, TRAINED), random) for method in cells]
    many_many, many_few, few_many, few_few = means
    effects = {
        "fewer numbers": (few_many + few_few - many_many - many_few) / 2,
        "fewer directions": (many_few + few_few - many_many - few_many) / 2,
        "interaction": few_few - few_many - many_few + many_many,
    }
    found = {method: float(mean[0]) for method, mean in zip(cells, means, strict=True)}
    return {"means": found} | {name: with_interval(effect) for name, effect in effects.items()}


def means_drawn_again(strata: Sequence[np.ndarray], random: np.random.Generator) -> np.ndarray:
    """`[1 + RESAMPLES]` the mean of all scores, and those of scores drawn again within strata."""
    scores = np.stack(strata)
    num_strata, num_seeds = scores.shape
    seeds = random.integers(num_seeds, size=(RESAMPLES, num_strata, num_seeds))
    drawn = scores[np.arange(num_strata)[None, :, None], seeds]
    return np.concatenate([[np.mean(scores)], np.mean(drawn, axis=(1, 2))])


def with_interval(values: np.ndarray) -> list[float]:
    """What was found, and the ends of the interval of what was drawn again, which follows it."""
    tail = (1 - CONFIDENCE) / 2
    return [float(values[0]), *(float(end) for end in np.quantile(values[1:], [tail, 1 - tail]))]


def assignment_share(runs: Runs) -> list[float]:
    """The share of the variance between runs of `tied` that is the assignment's, and its interval.

    The estimate of a random effect by the analysis of variance, with as many seeds for each, and
    the exact interval that follows from F if scores are normal; below zero it is zero.
    """
    groups = [
        [run.score(TRAINED) for run in runs.of(f"tied-assignment-{seed}", SHORT)]
        for seed in range(3)
    ]
    if not groups[0] or len({len(group) for group in groups}) > 1:
        return []
    scores = np.asarray(groups)
    num_groups, count = scores.shape
    within = np.mean(np.var(scores, axis=1, ddof=1))
    ratio = count * np.var(np.mean(scores, axis=1), ddof=1) / within
    tail = (1 - CONFIDENCE) / 2
    quantiles = f_distribution.ppf([1 - tail, tail], num_groups - 1, num_groups * (count - 1))
    excess = np.maximum(ratio / np.asarray([1.0, *quantiles]) - 1, 0.0)
    return (excess / (excess + count)).tolist()


def gaps(runs: Runs) -> list[dict[str, Any]]:
    """By how much a body's score is better for runs that have trained on it, of 100 generations.

    The mean over bodies of the mean over runs that trained on it less that over runs that held it
    out, so that how hard a body is cancels. Where all folds are there it is the mean over runs of
    what they score trained on less held out.
    """
    chosen = [method for method in LONGER if runs.num_seeds(method, LONG)]
    random = np.random.default_rng(0)
    strata = {
        method: [
            trained - held_out
            for trained, held_out in zip(
                *(runs.strata(method, LONG, where) for where in (TRAINED, HELD_OUT)), strict=True
            )
        ]
        for method in chosen
    }
    drawn = {method: means_drawn_again(of, random) for method, of in strata.items()}
    return [
        {
            "method": method,
            "gap": with_interval(drawn[method]),
            "by_seed": np.mean(strata[method], axis=0).tolist(),
            "more_than_tied": with_interval(drawn[method] - drawn["tied"])
            if "tied" in drawn and method != "tied"
            else None,
        }
        for method in chosen
    ]


def equal_scores(runs: Runs) -> dict[str, Any]:
    """`tied` less `direct` held out, at equal scores trained on.

    A line for each method with a slope in common, within folds.
    """
    chosen = {method: runs.of(method, LONG) for method in ("direct", "tied")}
    if not all(runs.are_all(method, LONG) for method in chosen):
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
    difference, slope = np.transpose([fit(everyone), *drawn])
    return {"difference": with_interval(difference), "slope": with_interval(slope)}


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
