"""The tables of scores."""

import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np

from hebbax.comparison.results import (
    Curve,
    Improvement,
    Matrix,
    Method,
    Results,
    Row,
    Summary,
    improvements,
)
from hebbax.watching.report.blocks import ABSENT, Table, count, interval, number
from hebbax.watching.report.records import Record
from hebbax.watching.visualization.style import in_words

KIND_WORDS = {"mode": "the genome's mode", "samples": "individuals drawn from the genome"}
SHARING_WORDS = {
    "individual": "a rule for each synapse",
    "evolved": "shared, evolved assignment",
    "fixed": "shared, fixed random assignment",
    "none": "no rules",
}
HELD_OUT, TRAINED_ON = "held out", "trained on"
INTERVAL = "95% interval"


def pairs_of(summaries: Sequence[Summary]) -> Iterator[tuple[Summary, Summary]]:
    """Of each method the summary of what it held out, and of what it was trained on."""
    return zip(summaries[::2], summaries[1::2], strict=True)


def summary_table(summaries: Sequence[Summary], kind: str) -> Table:
    """Interquartile means of all methods in variations held out and trained on."""
    return Table(
        caption=f"Returns of {KIND_WORDS[kind]} by method",
        columns=[
            "method",
            "mean",
            INTERVAL,
            "mean",
            INTERVAL,
            "runs",
            "runs not finite",
            "episodes not finite",
        ],
        rows=[_summary_row(*pair) for pair in pairs_of(summaries)],
        note="Interquartile means over the runs of all folds and seeds, with stratified bootstrap "
        "95% intervals. A run's score is its mean return in the "
        "variation that it held out, or the mean over those that it was trained on. Runs that are "
        "not finite are left out of the means.",
        groups=(("", 1), (HELD_OUT, 2), (TRAINED_ON, 2), ("behind them", 3)),
        marked=frozenset({1, 2}),
    )


def _summary_row(held_out: Summary, trained_on: Summary) -> list[str]:
    wanted = held_out.num_runs + held_out.num_failed + held_out.num_missing
    return [
        held_out.method,
        *_means(held_out, trained_on),
        f"{held_out.num_runs} of {wanted}",
        str(max(held_out.num_failed, trained_on.num_failed)),
        str(held_out.non_finite + trained_on.non_finite),
    ]


def _means(*pair: Summary) -> list[str]:
    return [cell for one in pair for cell in (number(one.iqm), interval(one.low, one.high))]


def improvement_table(results: Results, reference: str, kind: str = "mode") -> Table:
    """How probable it is that a run of each method beats one of the reference."""
    held_out, trained_on = (
        improvements(results, reference, kind, is_held_out=is_held_out)
        for is_held_out in (True, False)
    )
    rows = [
        [one.method, *_probability(one), *_probability(other)]
        for one, other in zip(held_out, trained_on, strict=True)
    ]
    return Table(
        caption=f"Probability of improvement over {reference}",
        columns=["method", *["probability", INTERVAL, "folds"] * 2],
        rows=rows,
        note=f"How probable it is that a run of the method scores higher than a run of {reference} "
        "in the same fold, averaged over the folds that both have "
        "runs in, with stratified bootstrap 95% intervals: 0.5 where the two do not differ. It "
        "says nothing of how much better.",
        groups=(("", 1), (HELD_OUT, 3), (TRAINED_ON, 3)),
        marked=frozenset({1, 2, 3}),
    )


def _probability(one: Improvement) -> list[str]:
    return [number(one.probability, 2), interval(one.low, one.high, 2), str(one.num_folds)]


def matrix_table(matrix: Matrix) -> Table:
    """The generalisation matrix: a pair of columns for each variation."""
    means = (
        np.stack([matrix.held_out, matrix.trained_on], axis=-1)
        .reshape(len(matrix.methods), -1)
        .tolist()
    )
    numbers = (
        np.stack([matrix.num_held_out, matrix.num_trained_on], axis=-1)
        .reshape(len(matrix.methods), -1)
        .tolist()
    )
    rows = [
        [
            method,
            *(
                f"{number(mean)} ({num_runs})" if num_runs else ABSENT
                for mean, num_runs in zip(*cells, strict=True)
            ),
        ]
        for method, *cells in zip(matrix.methods, means, numbers, strict=True)
    ]
    return Table(
        caption="Generalisation: mean returns of each method in each variation",
        columns=["method", *[HELD_OUT, TRAINED_ON] * len(matrix.variations)],
        rows=rows,
        note="Held out: of runs that were trained without the variation. Trained on: of the "
        "others. In brackets how many runs.",
        groups=(("", 1), *((in_words(variation), 2) for variation in matrix.variations)),
        marked=frozenset(range(1, 2 * len(matrix.variations), 2)),
    )


def run_table(results: Results, records: Sequence[Record]) -> Table:
    """Every run that is wanted, with its scores, or why it has none."""
    begun = {record.run: record for record in records}
    # Where both kinds of scores are missing, why those of the mode are.
    states = {missing[:3]: missing.reason for missing in reversed(results.missing)}
    scored = {key: list(rows) for key, rows in itertools.groupby(results.rows, lambda row: row[:4])}
    rows = []
    for run in results.runs:
        record = begun.get(run)
        mode, samples = (scored.get((*run[:3], kind), []) for kind in ("mode", "samples"))
        rows.append(
            [
                run.method,
                in_words(run.fold),
                str(run.seed),
                f"{record.generations} of {record.wanted}" if record else ABSENT,
                str(record.population_size) if record else ABSENT,
                _mean(mode, True),
                next((interval(row.low, row.high) for row in mode if row.is_held_out), ABSENT),
                _mean(mode, False),
                _mean(samples, True),
                _mean(samples, False),
                str(sum(row.non_finite for row in [*mode, *samples])),
                number(record.seconds / 60, 1) if record else ABSENT,
                states.get(run[:3], "complete"),
            ]
        )
    return Table(
        caption=f"All {count(len(results.runs), 'run')}",
        columns=[
            *("method", HELD_OUT, "seed", "generations", "population"),
            *(HELD_OUT, INTERVAL, TRAINED_ON, HELD_OUT, TRAINED_ON),
            *("episodes not finite", "minutes", "state"),
        ],
        rows=rows,
        note="Mean returns of a run's episodes; the interval is the bootstrap interval of its "
        "mean in the held-out variation. "
        "Minutes are those of its generations.",
        groups=(("run", 5), ("genome's mode", 3), ("individuals", 2), ("", 3)),
        marked=frozenset({5, 6, 8}),
    )


def _mean(rows: Sequence[Row], is_held_out: bool) -> str:
    means = [row.mean for row in rows if row.is_held_out == is_held_out]
    return number(float(np.mean(means))) if means else ABSENT


def score_table(rows: Sequence[Row], kind: str) -> Table:
    """The scores of a single run in all variations."""
    here = [row for row in rows if row.kind == kind]
    episodes = max((row.episodes for row in here), default=0)
    return Table(
        caption=f"Returns of {KIND_WORDS[kind]}, {episodes} episodes in each variation",
        columns=[
            "variation",
            "",
            "mean",
            INTERVAL,
            "standard deviation",
            "ended early",
            "not finite",
        ],
        rows=[
            [
                in_words(row.variation),
                HELD_OUT if row.is_held_out else TRAINED_ON,
                number(row.mean),
                interval(row.low, row.high),
                number(row.std),
                f"{row.ended_early:.0%}",
                str(row.non_finite),
            ]
            for row in here
        ],
        note="Episodes whose return is not finite are counted, but left out of the other figures.",
    )


def curve_table(curves: Sequence[Curve]) -> Table:
    """Learning curves at a few generations."""
    longest = max((curve.iqm.size for curve in curves), default=0)
    shown = (
        sorted({round(share * (longest - 1)) for share in (0, 0.25, 0.5, 0.75, 1)})
        if longest
        else []
    )
    return Table(
        caption="Mean fitness of the population at some generations",
        columns=["method", *(f"generation {i + 1}" for i in shown)],
        rows=[[curve.method, *(_at(curve, i) for i in shown)] for curve in curves],
        note="Interquartile means over the runs that came so far, with 95% intervals where every "
        "fold has two runs.",
    )


def _at(curve: Curve, i: int) -> str:
    if i >= curve.iqm.size or not math.isfinite(curve.iqm[i]):
        return ABSENT
    ends = interval(float(curve.low[i]), float(curve.high[i]))
    return number(float(curve.iqm[i])) + ("" if ends == ABSENT else f" ({ends})")


def rho_table(methods: Sequence[Method], summaries: Sequence[Summary]) -> Table:
    """How each method shares rules, beside what it scores."""
    return Table(
        caption="Interquartile mean returns over the synapses per rule",
        columns=["method", "rules", "synapses per rule", *["mean", INTERVAL] * 2],
        rows=[
            [
                method.name,
                SHARING_WORDS[method.sharing],
                ABSENT if method.rho is None else f"{method.rho:,.6g}",
                *_means(*pair),
            ]
            for method, pair in zip(methods, pairs_of(summaries), strict=True)
        ],
        groups=(("", 3), (HELD_OUT, 2), (TRAINED_ON, 2)),
        marked=frozenset({3, 4}),
    )
