"""Learning curves: a panel for each method, with all others pale behind it."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from hebbax.comparison.results import Curve
from hebbax.watching.visualization.style import COLOURS, PALE, panels, styled

COLUMNS = 3


@styled
def draw_learning_curves(
    curves: Sequence[Curve], label: str = "mean fitness of the population"
) -> Figure:
    """Draws the learning curves of all methods.

    A line is an interquartile mean over runs, the band its 95% interval. Where some runs have ended
    or have no finite value, the line is of those that are left, and dotted.

    Args:
        curves: of the methods, as `hebbax.comparison.results.learning_curves` returns them.
        label: what the curves show.
    """
    figure, grid = panels(len(curves), COLUMNS, size=(3.1, 2.4))
    for axes, curve in zip(grid, curves, strict=True):
        for other in (other for other in curves if other is not curve):
            axes.plot(_generations(other), other.iqm, color=PALE, linewidth=0.8, zorder=1)
        _draw_curve(axes, curve)
        num_runs = int(np.max(curve.num_runs, initial=0))
        axes.set_title(f"{curve.method}  ({num_runs} of {curve.num_wanted} runs)")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.supxlabel("generation", fontsize="medium")
    figure.supylabel(label, fontsize="medium")
    return figure


def _draw_curve(axes: Axes, curve: Curve) -> None:
    generations = _generations(curve)
    is_whole = curve.num_runs == np.max(curve.num_runs, initial=0)
    axes.fill_between(
        generations, curve.low, curve.high, color=COLOURS[0], alpha=0.25, linewidth=0, zorder=2
    )
    axes.plot(generations, np.where(is_whole, curve.iqm, np.nan), color=COLOURS[0], zorder=3)
    axes.plot(
        generations,
        np.where(is_whole, np.nan, curve.iqm),
        color=COLOURS[0],
        linestyle=":",
        zorder=3,
    )


def _generations(curve: Curve) -> np.ndarray:
    """Numbers of the generations, the first of them 1."""
    return np.arange(1, curve.iqm.size + 1)
