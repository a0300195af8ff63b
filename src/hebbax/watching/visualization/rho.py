"""The central question in one picture.

Does sharing rules help in variations that nobody trained on?
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from hebbax.comparison.results import Method, Summary
from hebbax.watching.visualization.style import COLOURS, styled

SIZE = (7.0, 5.4)  # Inches.
APART = 1.08  # Factor between two places of equal rho, so that no interval hides another.


class _Look(NamedTuple):
    """How one of the two scores of a method is drawn.

    Held out is filled and solid, trained on is hollow and dashed.
    """

    is_held_out: bool
    words: str
    line: str
    fill: str | None
    shift: float


LOOKS = (
    _Look(True, "held out", "-", None, 1.0),
    _Look(False, "trained on", "--", "white", 1 / APART),
)


@styled
def draw_fitness_over_rho(
    methods: Sequence[Method],
    summaries: Sequence[Summary],
    label: str = "interquartile mean return",
) -> Figure:
    """Draws held-out beside training fitness over the number of synapses per rule.

    Methods whose rules are shared by an evolved assignment, with individual rules as one synapse
    per rule, are one curve; those with a fixed assignment another. What has no rules is a
    horizontal line across all rho, with a band for the interval of its held-out score.

    Args:
        methods: how each method shares rules, as
            `hebbax.comparison.results.describe_methods` returns it.
        summaries: their scores, as `hebbax.comparison.results.summarise` returns them.
        label: what the scores are.

    Examples:
        >>> from hebbax.comparison.results import Method, Summary
        >>> from hebbax.watching.visualization.rho import draw_fitness_over_rho
        >>> methods = [Method("individual", "individual", 1.0), Method("shared", "evolved", 16.0)]
        >>> figures = {True: (5.0, 4.0, 6.0), False: (7.0, 6.0, 8.0)}  # Held out, and trained on.
        >>> summaries = [
        ...     Summary(method.name, is_held_out, *figures[is_held_out], 10, 0, 0, 0)
        ...     for method in methods
        ...     for is_held_out in figures
        ... ]
        >>> draw_fitness_over_rho(methods, summaries).axes[0].get_xticks().tolist()
        [1.0, 16.0]
    """
    figure = Figure(figsize=SIZE, layout="constrained")
    axes = figure.subplots()
    scores = {(summary.method, summary.is_held_out): summary for summary in summaries}
    evolved = [method for method in methods if method.sharing in ("individual", "evolved")]
    without = [method.name for method in methods if method.sharing == "none"]
    fixed = [method for method in methods if method.sharing == "fixed"]
    for look in LOOKS:
        _draw_curve(axes, evolved, scores, look, "evolved assignment", COLOURS[0], "o", 1.0)
        _draw_curve(axes, fixed, scores, look, "fixed random assignment", COLOURS[1], "s", APART**2)
        for i, name in enumerate(without):
            _draw_band(axes, scores[name, look.is_held_out], look, COLOURS[(2 + i) % len(COLOURS)])
    _name_places(axes, [*evolved, *fixed])
    axes.set_ylabel(label)
    # Filled by columns: one of what is held out, one of what is trained on.
    figure.legend(loc="outside lower center", ncols=2, handlelength=3.0)
    return figure


def _draw_curve(
    axes: Axes,
    methods: Sequence[Method],
    scores: dict[tuple[str, bool], Summary],
    look: _Look,
    words: str,
    colour: str,
    marker: str,
    shift: float,
) -> None:
    if not methods:
        return
    ordered = sorted(methods, key=lambda method: method.rho or 0.0)
    drawn = [scores[method.name, look.is_held_out] for method in ordered]
    middle, low, high = (
        np.asarray([getattr(summary, name) for summary in drawn]) for name in ("iqm", "low", "high")
    )
    rho = shift * look.shift * np.asarray([method.rho or 0.0 for method in ordered])
    axes.plot(
        rho,
        middle,
        color=colour,
        linestyle=look.line,
        marker=marker,
        markerfacecolor=look.fill or colour,
        label=f"{words}, {look.words}",
        zorder=4,
    )
    axes.vlines(rho, low, high, color=colour, linewidth=1.2, alpha=0.8, zorder=3)


def _draw_band(axes: Axes, summary: Summary, look: _Look, colour: str) -> None:
    axes.axhline(
        summary.iqm,
        color=colour,
        linestyle=look.line,
        linewidth=1.4,
        label=f"{summary.method}, {look.words}",
        zorder=2,
    )
    if look.is_held_out and np.isfinite(summary.low):
        axes.axhspan(summary.low, summary.high, color=colour, alpha=0.12, linewidth=0, zorder=1)


def _name_places(axes: Axes, methods: Sequence[Method]) -> None:
    """Names the places on the axis by the numbers that are there, not by round ones in between."""
    axes.set_xlabel(r"synapses per rule, $\rho$")
    if methods:
        axes.set_xscale("log", base=2)
        axes.set_xticks(sorted({method.rho for method in methods if method.rho}))
        axes.xaxis.set_major_formatter(
            FuncFormatter(lambda rho, _: f"{rho:,.4g}" if rho < 1000 else f"{rho:,.0f}")
        )
        axes.xaxis.set_minor_locator(NullLocator())
    else:
        axes.set_xticks([])
