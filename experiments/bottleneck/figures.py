"""The figures of docs/bottleneck.md."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from hebbax.watching.visualization.style import COLOURS, styled

BESIDE = 1.06  # By which factor the two scores of a method stand beside its size.
MARKERS = "osD^v"


@styled
def sizes_figure(answers: dict[str, Any]) -> Figure:
    """Scores over the size of a genome, trained on and held out.

    On the left over its numbers, all methods; on the right over the bits that it needs, those that
    have evolved longer.

    Args:
        answers: what `analyse.answer` found, and `bits`.
    """
    figure = Figure(figsize=(8.5, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    names = [row["method"] for row in answers["sizes"]]
    numbers = {row["method"]: row["numbers"] for row in answers["sizes"]}
    bits = {row["method"]: row["bits"] for row in answers["bits"]}
    _draw(left, answers["sizes"], numbers, names)
    _draw(right, answers["long"], bits, names)
    left.set_xlabel("numbers of the genome")
    left.set_ylabel("score: open trained on, filled held out")
    left.set_title("30 generations")
    right.set_xlabel("bits that keep 95% of the held-out score")
    right.set_title("100 generations")
    figure.legend(*left.get_legend_handles_labels(), fontsize=7, loc="outside right upper")
    return figure


def _draw(
    axes: Axes, rows: Sequence[dict[str, Any]], sizes: dict[str, float], names: Sequence[str]
) -> None:
    """The two scores of every method whose size is known, with their intervals."""
    for row in (row for row in rows if row["method"] in sizes):
        i, size = names.index(row["method"]), sizes[row["method"]]
        colour = COLOURS[i % len(COLOURS)]
        marker = MARKERS[i // len(COLOURS)]
        for where, x, fill in (
            ("trained on", size / BESIDE, "white"),
            ("held out", size * BESIDE, colour),
        ):
            mean, low, high = row[where]
            axes.errorbar(
                x,
                mean,
                # A single seed in a fold has no interval.
                yerr=None if low != low else [[mean - low], [high - mean]],
                marker=marker,
                color=colour,
                markerfacecolor=fill,
                label=row["method"] if where == "held out" else None,
                linestyle="none",
                capsize=2,
            )
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.xaxis.set_minor_formatter(NullFormatter())
