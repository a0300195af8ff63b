"""What a reader must know before believing a number.

What is missing, small, mixed or not finite.
"""

import math
from collections.abc import Sequence

from hebbax.comparison.results import Results
from hebbax.watching.report.blocks import count
from hebbax.watching.report.records import Record

FEW_SEEDS = 5  # Below which bootstrap intervals are markedly too narrow.
PAPER = 500  # Generations of the paper's quadruped; its racer has 300.


def list_labels(results: Results, records: Sequence[Record]) -> list[str]:
    """Everything that makes the numbers weaker than they look, in words.

    Nothing where nothing does.
    """
    labels = [
        *_missing(results, records),
        *_small(results, records),
        *_failed(results, records),
        *_mixed(records),
    ]
    return [label for label in labels if label]


def _missing(results: Results, records: Sequence[Record]) -> list[str]:
    total, begun = len(results.runs), len(records)
    unscored = {missing[:3] for missing in results.missing}
    if total == 1:
        unscored = set()  # The page of a single run says so in the place of its scores.
    unfinished = sum(record.generations < record.wanted for record in records)
    stale = sum(
        record.evaluated is not None and record.evaluated < record.generations for record in records
    )
    sentences = {
        f"{count(total - begun, 'run')} of {total} {_have(total - begun)} not begun.": total
        - begun,
        (
            f"{count(unfinished, 'run')} of {total} {_have(unfinished)} begun but "
            f"{_have(unfinished)} not come to the last generation."
        ): unfinished,
        (
            f"{count(len(unscored), 'run')} of {total} {_have(len(unscored))} no scores, or not "
            "both "
            f"kinds of them, and {_is(len(unscored))} missing from the tables of scores; while "
            "runs "
            "are missing, methods may be compared over different folds and seeds."
        ): len(unscored),
        (
            f"{count(stale, 'run')} went on after {'it was' if stale == 1 else 'they were'} "
            "scored: the scores are of an earlier genome."
        ): stale,
    }
    return [sentence if count else "" for sentence, count in sentences.items()]


def _small(results: Results, records: Sequence[Record]) -> list[str]:
    seeds = min(
        (
            len({run.seed for run in results.runs if run[:2] == pair})
            for pair in {run[:2] for run in results.runs}
        ),
        default=0,
    )
    few_seeds = ""
    if len(results.runs) == 1:
        few_seeds = "A single run: another seed may tell another story."
    elif seeds < FEW_SEEDS:
        few_seeds = (
            f"{'A single seed' if seeds == 1 else f'Only {seeds} seeds'} in each fold: intervals "
            "over so few runs "
            f"{'cannot be given' if seeds == 1 else 'are too narrow'}, and differences within the "
            "scatter of seeds mean nothing."
        )
    generations = max((record.wanted for record in records), default=PAPER)
    sizes = sorted({record.population_size for record in records})
    few_generations = ""
    if generations < PAPER:
        individuals = " or ".join(f"{size:,}" for size in sizes)
        few_generations = (
            f"{count(generations, 'generation')} of {individuals} individuals; the paper's "
            "quadruped has 500 of 500, its racer 300 of 200. "
            "What does not learn here may learn there."
        )
    return [few_seeds, few_generations]


def _failed(results: Results, records: Sequence[Record]) -> list[str]:
    episodes = sum(row.non_finite for row in results.rows)
    runs = {row[:3] for row in results.rows if not math.isfinite(row.mean)}
    history = [metrics for record in records for metrics in record.history]
    individuals = sum(metrics.get("non_finite", 0) for metrics in history)
    lost = sum(not _is_finite(metrics.get("fitness_mean")) for metrics in history)
    diverged = sum(
        record.history[-1].get("non_finite_genome", 0) > 0 for record in records if record.history
    )
    return [
        f"{count(episodes, 'episode')} that scored runs gave a return that is not finite; means "
        "are of the others."
        if episodes
        else "",
        f"{count(len(runs), 'run')} {_have(len(runs))} a variation without any finite return, and "
        f"{_is(len(runs))} left out of the means."
        if runs
        else "",
        f"{count(individuals, 'individual')} had a fitness that is not finite in training, and "
        "counted as the worst."
        if individuals
        else "",
        f"In {count(lost, 'generation')} nobody's fitness was finite: learning curves have no "
        "value there."
        if lost
        else "",
        f"{count(diverged, 'run')} ended because the genome was no longer finite."
        if diverged
        else "",
    ]


def _is_finite(value: float | None) -> bool:
    """Whether a metric is a finite number; it is null in a file where it was not."""
    return value is not None and math.isfinite(value)


def _mixed(records: Sequence[Record]) -> list[str]:
    sizes = {(record.wanted, record.population_size) for record in records}
    commits = sorted(
        {str(start.get("git_commit")) for record in records for start in record.starts}
    )
    dirty = [commit for commit in commits if commit.endswith("-dirty")]
    unknown = sum(not record.starts for record in records)
    return [
        "Runs differ in generations or population, so that methods had unequal chances; the table "
        "of settings says where."
        if len(sizes) > 1
        else "",
        f"The code changed between runs: commits {', '.join(commits)}." if len(commits) > 1 else "",
        f"The code had changes that are in no commit: {', '.join(dirty)}." if dirty else "",
        f"{count(unknown, 'run')} of {len(records)} {'does' if unknown == 1 else 'do'} not say on "
        "what machine and with what code."
        if unknown
        else "",
    ]


def _have(amount: int) -> str:
    return "has" if amount == 1 else "have"


def _is(amount: int) -> str:
    return "is" if amount == 1 else "are"
