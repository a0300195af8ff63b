"""What a reader must know before believing a number.

What is missing, small, mixed or not finite.
"""

import math
from collections import Counter
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
    told = {
        **_missing(results, records),
        **_small(results, records),
        **_failed(results, records),
        **_mixed(records),
    }
    return [label for label, is_so in told.items() if is_so]


def _missing(results: Results, records: Sequence[Record]) -> dict[str, int]:
    total, begun = len(results.runs), len(records)
    unscored = len({missing[:3] for missing in results.missing})
    unfinished = sum(record.generations < record.wanted for record in records)
    stale = sum(
        record.evaluated is not None and record.evaluated < record.generations for record in records
    )
    return {
        f"{count(total - begun, 'run')} of {total} {_have(total - begun)} not begun.": total
        - begun,
        (
            f"{count(unfinished, 'run')} of {total} {_have(unfinished)} begun but "
            f"{_have(unfinished)} not come to the last generation."
        ): unfinished,
        # The page of a single run says so in the place of its scores.
        (
            f"{count(unscored, 'run')} of {total} {_have(unscored)} no scores, or not both kinds "
            f"of them, and {_is(unscored)} missing from the tables of scores; while runs are "
            "missing, methods may be compared over different folds and seeds."
        ): total > 1 and unscored,
        (
            f"{count(stale, 'run')} went on after {'it was' if stale == 1 else 'they were'} "
            "scored: the scores are of an earlier genome."
        ): stale,
    }


def _small(results: Results, records: Sequence[Record]) -> dict[str, bool]:
    is_alone = len(results.runs) == 1
    runs_of_folds = Counter(run[:2] for run in {run[:3] for run in results.runs})
    seeds = min(runs_of_folds.values(), default=0)
    generations = max((record.wanted for record in records), default=PAPER)
    sizes = sorted({record.population_size for record in records})
    return {
        "A single run: another seed may tell another story.": is_alone,
        (
            f"{'A single seed' if seeds == 1 else f'Only {seeds} seeds'} in each fold: intervals "
            f"over so few runs {'cannot be given' if seeds == 1 else 'are too narrow'}, and "
            "differences within the scatter of seeds mean nothing."
        ): not is_alone and seeds < FEW_SEEDS,
        (
            f"{count(generations, 'generation')} of "
            f"{' or '.join(f'{size:,}' for size in sizes)} individuals; the paper's quadruped has "
            "500 of 500, its racer 300 of 200. What does not learn here may learn there."
        ): generations < PAPER,
    }


def _failed(results: Results, records: Sequence[Record]) -> dict[str, int]:
    episodes = sum(row.non_finite for row in results.rows)
    runs = len({row[:3] for row in results.rows if not math.isfinite(row.mean)})
    history = [metrics for record in records for metrics in record.history]
    individuals = sum(metrics.get("non_finite", 0) for metrics in history)
    lost = sum(not math.isfinite(metrics.get("fitness_mean", math.nan)) for metrics in history)
    diverged = sum(
        record.history[-1].get("non_finite_genome", 0) > 0 for record in records if record.history
    )
    return {
        (
            f"{count(episodes, 'episode')} that scored runs gave a return that is not finite; "
            "means are of the others."
        ): episodes,
        (
            f"{count(runs, 'run')} {_have(runs)} a variation without any finite return, and "
            f"{_is(runs)} left out of the means."
        ): runs,
        (
            f"{count(individuals, 'individual')} had a fitness that is not finite in training, and "
            "counted as the worst."
        ): individuals,
        (
            f"In {count(lost, 'generation')} nobody's fitness was finite: learning curves have no "
            "value there."
        ): lost,
        f"{count(diverged, 'run')} ended because the genome was no longer finite.": diverged,
    }


def _mixed(records: Sequence[Record]) -> dict[str, bool]:
    sizes = {(record.wanted, record.population_size) for record in records}
    commits = sorted(
        {str(start.get("git_commit")) for record in records for start in record.starts}
    )
    dirty = [commit for commit in commits if commit.endswith("-dirty")]
    unknown = sum(not record.starts for record in records)
    return {
        (
            "Runs differ in generations or population, so that methods had unequal chances; the "
            "table of settings says where."
        ): len(sizes) > 1,
        f"The code changed between runs: commits {', '.join(commits)}.": len(commits) > 1,
        f"The code had changes that are in no commit: {', '.join(dirty)}.": len(dirty) > 0,
        (
            f"{count(unknown, 'run')} of {len(records)} {'does' if unknown == 1 else 'do'} not say "
            "on what machine and with what code."
        ): unknown > 0,
    }


def _have(amount: int) -> str:
    return "has" if amount == 1 else "have"


def _is(amount: int) -> str:
    return "is" if amount == 1 else "are"
