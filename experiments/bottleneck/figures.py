"""The figures of docs/bottleneck.md."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from hebbax.watching.visualization.style import COLOURS, save, styled


@styled
def draw_sizes(rows: Sequence[dict[str, Any]], folder: Path) -> None:
    """Scores over the size of a genome, trained on and held out, as `bottleneck-sizes`.

    Args:
        rows: of methods, see `analyse.sizes`.
        folder: where the files go.
    """
    if not rows:
        return
    figure = Figure(figsize=(7.5, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2, sharex=True, sharey=True)
    for axes, where in ((left, "trained on"), (right, "held out")):
        for i, row in enumerate(rows):
            mean, low, high = row[where]
            # A single seed in a fold has no interval.
            bars = None if low != low else [[mean - low], [high - mean]]
            is_static = row["method"].startswith("static")
            axes.errorbar(
                row["numbers"],
                mean,
                yerr=bars,
                marker="s" if is_static else "o",
                color=COLOURS[i % len(COLOURS)],
                label=row["method"],
                linestyle="none",
                capsize=2,
            )
        axes.set_xscale("log")
        axes.set_xlabel("numbers of the genome")
        axes.set_title(where)
    left.set_ylabel("score, interquartile mean")
    right.legend(fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5))
    save(figure, folder, "bottleneck-sizes")
