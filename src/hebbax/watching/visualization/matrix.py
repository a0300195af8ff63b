"""The generalisation matrix.

What every method scores in every variation, held out and trained on.
"""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from hebbax.comparison.results import Matrix
from hebbax.watching.visualization.style import INK, SEQUENTIAL, in_words, panels, styled

CELL = (0.72, 0.34)  # Inches of a number's place.
LABELS = 1.6  # Inches beside the cells.
LUMINANCE = (0.299, 0.587, 0.114)  # Of red, green and blue to the eye.
KINDS = ("held\nout", "trained\non")


@styled
def draw_generalisation_matrix(matrix: Matrix, label: str = "mean return") -> Figure:
    """Draws the generalisation matrix.

    A variation has two columns: scores of the runs that held it out, framed and bold, and of those
    that were trained on it.

    Args:
        matrix: as `hebbax.comparison.results.generalisation_matrix` returns it.
        label: what the numbers are.

    Examples:
        >>> import hebbax
        >>> import numpy as np
        >>> from hebbax.watching.visualization.matrix import draw_generalisation_matrix
        >>> scores, runs = np.asarray([[3.0, 4.0]]), np.asarray([[1, 1]])
        >>> figures = scores, 2 * scores, runs, runs, 0 * runs
        >>> matrix = hebbax.comparison.results.Matrix(["hebbian"], ["default", "weak"], *figures)
        >>> [text.get_text() for text in draw_generalisation_matrix(matrix).axes[0].texts]
        ['3.00', '6.00', '4.00', '8.00']
    """
    values = np.stack([matrix.held_out, matrix.trained_on], axis=-1)
    num_methods, num_variations, _ = values.shape
    size = 2 * num_variations * CELL[0] + LABELS + 1.0, num_methods * CELL[1] + LABELS
    figure, [axes] = panels(1, 1, size, beside=0.0)
    flat = values.reshape(num_methods, -1)
    mesh = axes.pcolormesh(
        np.ma.masked_invalid(flat), cmap=SEQUENTIAL, edgecolors="white", linewidth=0.5
    )
    decimals = _decimals(flat)
    for row, column in np.ndindex(flat.shape):
        _write_number(axes, row, column, float(flat[row, column]), mesh, decimals)
    for variation in range(num_variations):
        axes.add_patch(
            Rectangle(
                (2 * variation, 0),
                1,
                num_methods,
                fill=False,
                edgecolor=INK,
                linewidth=1.6,
                clip_on=False,
                zorder=4,
            )
        )
    _name_rows_and_columns(axes, matrix)
    figure.colorbar(mesh, ax=axes, label=label, fraction=0.04, pad=0.02)
    return figure


def _write_number(
    axes: Axes, row: int, column: int, value: float, mesh: QuadMesh, decimals: int
) -> None:
    text = f"{value:.{decimals}f}" if np.isfinite(value) else "-"
    is_dark = np.isfinite(value) and np.dot(mesh.to_rgba(np.asarray(value))[:3], LUMINANCE) < 0.5
    axes.text(
        column + 0.5,
        row + 0.5,
        text,
        ha="center",
        va="center",
        color="white" if is_dark else INK,
        fontweight="bold" if column % 2 == 0 else "normal",
    )


def _decimals(values: np.ndarray) -> int:
    """Decimals that leave the largest number three digits."""
    largest = np.max(np.abs(values[np.isfinite(values)]), initial=0.0)
    return int(np.clip(2 - np.floor(np.log10(largest)), 0, 6)) if largest > 0 else 0


def _name_rows_and_columns(axes: Axes, matrix: Matrix) -> None:
    num_methods, num_variations = matrix.held_out.shape
    axes.set_yticks(np.arange(num_methods) + 0.5, matrix.methods)
    axes.set_xticks(
        np.arange(2 * num_variations) + 0.5, list(KINDS) * num_variations, fontsize="small"
    )
    above = axes.secondary_xaxis("top")
    above.set_xticks(
        2 * np.arange(num_variations) + 1,
        [in_words(name).replace(" ", "\n", 1) for name in matrix.variations],
    )
    for side in (axes, above):
        side.tick_params(length=0)
        side.spines[:].set_visible(False)
    axes.grid(visible=False)
    axes.invert_yaxis()
