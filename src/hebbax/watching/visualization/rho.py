"""The central question in one picture.

Does sharing rules help in variations that nobody trained on?
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from hebbax.comparison.results import Method, Summary
from hebbax.watching.visualization.style import COLOURS, panels, styled

SIZE = (7.0, 5.4)  # Inches.
APART = 1.08  # Factor between two places of equal rho, so that no interval hides another.


# Of scores held out and trained on: words, line, and the shift that keeps intervals apart.
LOOKS = {True: ("held out", "-", 1.0), False: ("trained on", "--", 1 / APART)}


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
    figure, [axes] = panels(1, 1, SIZE, beside=0.0)
    evolved = [method for method in methods if method.sharing in ("individual", "evolved")]
    fixed = [method for method in methods if method.sharing == "fixed"]
    without = [method.name for method in methods if method.sharing == "none"]
    for is_held_out in LOOKS:
        scores = {one.method: one for one in summaries if one.is_held_out == is_held_out}
        if evolved:
            _draw_curve(axes, evolved, scores, "evolved assignment", COLOURS[0], "o", 1.0)
        if fixed:
            _draw_curve(axes, fixed, scores, "fixed random assignment", COLOURS[1], "s", APART**2)
        for i, name in enumerate(without):
            _draw_band(axes, scores[name], COLOURS[(2 + i) % len(COLOURS)])
    _name_places(axes, [*evolved, *fixed], label)
    # Filled by columns: one of what is held out, one of what is trained on.
    figure.legend(loc="outside lower center", ncols=2, handlelength=3.0)
    return figure


def _draw_curve(
    axes: Axes,
    methods: Sequence[Method],
    scores: dict[str, Summary],
    assignment: str,
    colour: str,
    marker: str,
    shift: float,
) -> None:
    """Draws scores of one kind: filled and solid if held out, hollow and dashed if trained on."""
    ordered = sorted(methods, key=lambda method: method.rho or 0.0)
    drawn = [scores[method.name] for method in ordered]
    words, line, own_shift = LOOKS[drawn[0].is_held_out]
    rho = shift * own_shift * np.asarray([method.rho or 0.0 for method in ordered])
    axes.plot(
        rho,
        [one.iqm for one in drawn],
        color=colour,
        linestyle=line,
        marker=marker,
        markerfacecolor=colour if drawn[0].is_held_out else "white",
        label=f"{assignment}, {words}",
        zorder=4,
    )
    low, high = [one.low for one in drawn], [one.high for one in drawn]
    axes.vlines(rho, low, high, color=colour, linewidth=1.2, alpha=0.8, zorder=3)


def _draw_band(axes: Axes, score: Summary, colour: str) -> None:
    words, line, _ = LOOKS[score.is_held_out]
    axes.axhline(
        score.iqm,
        color=colour,
        linestyle=line,
        linewidth=1.4,
        label=f"{score.method}, {words}",
        zorder=2,
    )
    if score.is_held_out and np.isfinite(score.low):
        axes.axhspan(score.low, score.high, color=colour, alpha=0.12, linewidth=0, zorder=1)


def _name_places(axes: Axes, methods: Sequence[Method], label: str) -> None:
    """Names the places on the axis by the numbers that are there, not by round ones in between."""
    axes.set_xscale("log", base=2)
    rhos = sorted({method.rho for method in methods if method.rho})
    axes.set(xlabel=r"synapses per rule, $\rho$", ylabel=label, xticks=rhos)
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda rho, _: f"{rho:,.4g}" if rho < 1000 else f"{rho:,.0f}")
    )
    axes.xaxis.set_minor_locator(NullLocator())
