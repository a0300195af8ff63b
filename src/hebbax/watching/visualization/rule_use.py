"""Which rules a genome has, how much each is used, and how decided its synapses are."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from hebbax.watching.visualization.rules import Rules
from hebbax.watching.visualization.style import COLOURS, INK, SEQUENTIAL, styled

WIDTH, HEIGHT = 3.2, 3.0  # Inches of a panel.
FEW = 1000  # Rules that are drawn one by one; more are drawn as a density.


@styled
def draw_rule_use(rules: Rules, title: str = "") -> Figure:
    """Draws a genome's rules, in as many of four panels as there is something to see in.

    - Use: the share of the synapses of every rule, most used first, beside the share that each
      would have if all were used alike.
    - Entropy of the synapses' choices: at zero a synapse has decided, at log k all rules are as
      likely.
    - Principal components: the rules where they differ most, shared ones as large as their use.
    - Coefficients: their values, or where those of the middle half and of four fifths of the
      synapses are.

    Args:
        rules: as `hebbax.watching.visualization.rules.rules_of` returns them.
        title: of the picture, such as the method's name.

    Examples:
        >>> import hebbax
        >>> import numpy as np
        >>> use = np.asarray([0.75, 0.25])
        >>> rules = hebbax.watching.Rules(hebbax.ABCD(), np.eye(2, 5), use, entropies=None)
        >>> figure = hebbax.watching.draw_rule_use(rules, "two rules")
        >>> [axes.get_title("left") for axes in figure.axes[:2]]
        ['use of the rules', 'coefficients']
    """
    num_rules = len(rules.use)
    panels = [
        *([_draw_use] if num_rules > 1 and np.ptp(rules.use) > 0 else []),
        *([_draw_entropy] if num_rules > 1 and rules.entropies is not None else []),
        *([_draw_components] if num_rules > 2 else []),
        _draw_coefficients,
    ]
    figure = Figure(figsize=(len(panels) * WIDTH, HEIGHT), layout="constrained")
    for axes, draw in zip(
        np.ravel(figure.subplots(1, len(panels), squeeze=False)), panels, strict=True
    ):
        draw(axes, rules)
    figure.suptitle(title)
    return figure


def _draw_use(axes: Axes, rules: Rules) -> None:
    shares = 100 * np.sort(rules.use)[::-1]
    axes.stairs(shares, np.arange(len(shares) + 1) + 0.5, fill=True, color=COLOURS[0])
    axes.axhline(
        100 / len(shares), color=COLOURS[1], linestyle="--", linewidth=1.2, label="all alike"
    )
    axes.margins(y=0.2)  # Room for the legend.
    axes.legend(loc="upper right")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(
        title="use of the rules",
        xlabel="rule, most used first",
        ylabel="share of the synapses (%)",
        ylim=(0, None),
    )


def _draw_entropy(axes: Axes, rules: Rules) -> None:
    highest = float(np.log(len(rules.use)))
    axes.hist(
        np.asarray(rules.entropies),
        bins=np.linspace(0, 1.02 * highest, 41).tolist(),
        color=COLOURS[0],
    )
    axes.axvline(
        highest, color=COLOURS[1], linestyle="--", linewidth=1.2, label=f"log {len(rules.use):,}"
    )
    axes.margins(y=0.2)  # Room for the legend.
    axes.legend(loc="upper left")
    axes.set(title="entropy of the assignment", xlabel="entropy (nats)", ylabel="synapses")


def _draw_components(axes: Axes, rules: Rules) -> None:
    points, shares = _principal_components(rules.coefficients, rules.use)
    if len(points) <= FEW:
        # So that hundreds of rules that are used alike leave each other room.
        areas = 8 + np.minimum(200, 4_000 * rules.use)
        axes.scatter(
            *points.T, s=areas, color=COLOURS[0], alpha=0.6, edgecolor="white", linewidth=0.6
        )
        axes.margins(0.15)
    else:
        mesh = axes.hexbin(
            *points.T, gridsize=30, bins="log", cmap=SEQUENTIAL, mincnt=1, linewidths=0.1
        )
        axes.figure.colorbar(mesh, ax=axes, label="rules")
    axes.set(
        title="principal components",
        xlabel=f"first ({shares[0]:.0%} of the variance)",
        ylabel=f"second ({shares[1]:.0%})",
    )


def _principal_components(
    coefficients: np.ndarray, use: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The rules `[rules, 2]` on the two directions in which they vary most.

    With the variance's share of each; rules count as much as they are used.
    """
    centred = coefficients - use @ coefficients
    _, lengths, directions = np.linalg.svd(np.sqrt(use)[:, None] * centred, full_matrices=False)
    variance = np.square(lengths)
    return centred @ directions[:2].T, variance[:2] / max(variance.sum(), np.finfo(np.float64).tiny)


def _draw_coefficients(axes: Axes, rules: Rules) -> None:
    num_rules, num_coefficients = rules.coefficients.shape
    places = np.arange(num_coefficients)
    axes.axhline(0, color=INK, linewidth=0.8)
    if num_rules <= 2:
        for i, coefficients in enumerate(rules.coefficients):
            shifted = places + 0.8 / num_rules * (i - (num_rules - 1) / 2)
            axes.bar(
                shifted,
                coefficients,
                0.8 / num_rules,
                color=COLOURS[i],
                label=f"rule {i + 1}",
            )
        if num_rules > 1:
            axes.legend()
    else:
        quantiles = np.quantile(
            rules.coefficients,
            (0.1, 0.25, 0.5, 0.75, 0.9),
            axis=0,
            weights=rules.use,
            method="inverted_cdf",
        )
        axes.vlines(
            places, quantiles[0], quantiles[4], color=COLOURS[0], linewidth=1.5, label="four fifths"
        )
        axes.vlines(
            places,
            quantiles[1],
            quantiles[3],
            color=COLOURS[0],
            linewidth=8,
            alpha=0.4,
            label="half",
        )
        axes.plot(
            places, quantiles[2], "o", color=COLOURS[0], markeredgecolor="white", label="median"
        )
        axes.margins(x=0.1, y=0.3)
        axes.legend(
            ncols=3, loc="upper center", columnspacing=1.0, handlelength=1.0, fontsize="small"
        )
    axes.set(title="coefficients", xticks=places, xticklabels=rules.rule.coefficients)
    axes.grid(visible=False, axis="x")
