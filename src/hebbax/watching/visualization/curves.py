"""Learning curves: a panel for each method, with all others pale behind it."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from hebbax.comparison.results import Curve
from hebbax.watching.visualization.style import COLOURS, PALE, panels, styled


@styled
def draw_learning_curves(
    curves: Sequence[Curve],
    held_out: Sequence[Curve] = (),
    label: str = "mean fitness of the population",
) -> Figure:
    """Draws the learning curves of all methods.

    A line is an interquartile mean over runs, the band its 95% interval. Where some runs have ended
    or have no finite value, the line is of those that are left, and dotted. Held-out scores, where
    there are any, are points on a line of another colour.

    Args:
        curves: of the methods, as `hebbax.comparison.results.learning_curves` returns them.
        held_out: of the same methods, as `hebbax.comparison.results.held_out_curves` returns them;
            none if empty.
        label: what the curves show.

    Examples:
        >>> import hebbax
        >>> import numpy as np
        >>> from hebbax.watching.visualization.curves import draw_learning_curves
        >>> iqm, runs = np.asarray([1.0, 2.0, 3.0]), np.asarray([5, 5, 5])
        >>> curve = hebbax.comparison.results.Curve("hebbian", iqm, iqm - 0.5, iqm + 0.5, runs, 5)
        >>> draw_learning_curves([curve]).axes[0].get_title("left")
        'hebbian  (5 of 5 runs)'
    """
    figure, grid = panels(len(curves), columns=3, size=(3.1, 2.4))
    for axes, curve in zip(grid, curves, strict=True):
        for other in (other for other in curves if other is not curve):
            axes.plot(_generations(other), other.iqm, color=PALE, linewidth=0.8, zorder=1)
        _draw_curve(axes, curve)
        for scores in held_out:
            if scores.method == curve.method and np.any(np.isfinite(scores.iqm)):
                _draw_held_out(axes, scores)
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


def _draw_held_out(axes: Axes, scores: Curve) -> None:
    is_there = np.isfinite(scores.iqm)
    generations, iqm, low, high = (
        figures[is_there] for figures in (_generations(scores), scores.iqm, scores.low, scores.high)
    )
    axes.fill_between(generations, low, high, color=COLOURS[1], alpha=0.25, linewidth=0, zorder=2)
    axes.plot(
        generations,
        iqm,
        marker="o",
        markersize=3,
        color=COLOURS[1],
        label="held out, mode",
        zorder=3,
    )
    axes.legend(loc="best", fontsize="small")


def _generations(curve: Curve) -> np.ndarray:
    """Numbers of the generations, the first of them 1."""
    return np.arange(1, curve.iqm.size + 1)
