"""How all pictures look, and how they are written."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hebbax.files import replacing

# Colours that people with any kind of colour blindness tell apart, all dark enough for thin lines
# on white, and two maps with the same property: for values from low to high, and for values around
# zero. Source of the first three: Okabe and Ito 2008, https://jfly.uni-koeln.de/color/.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#AA4488", "#7A6A00", "#444444")
SEQUENTIAL, DIVERGING = "cividis", "PuOr_r"
PALE = "#C8C8C8"
INK = "#222222"

FORMATS = ("svg", "png")
DOTS_PER_INCH = 150

STYLE: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": "#777777",
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "figure.facecolor": "white",
    "figure.titlesize": 11,
    "font.size": 9,
    "grid.color": "#E6E6E6",
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "savefig.facecolor": "white",
    "svg.fonttype": "none",  # Text stays text, which can be searched, selected and read aloud.
    "svg.hashsalt": "hebbax",  # The same picture is the same file.
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}

styled = mpl.rc_context(STYLE)


@styled
def save(figure: Figure, folder: str | Path, name: str) -> list[Path]:
    """Writes a picture as SVG, for pages and papers, and as PNG.

    Args:
        figure: the picture.
        folder: where to; made if it is not there.
        name: of the files, without an ending.

    Returns:
        The files.

    Examples:
        >>> from matplotlib.figure import Figure
        >>> from hebbax.watching.visualization.style import save
        >>> [file.name for file in save(Figure(), "figures", "empty")]
        ['empty.svg', 'empty.png']
    """
    files = [Path(folder) / f"{name}.{suffix}" for suffix in FORMATS]
    Path(folder).mkdir(parents=True, exist_ok=True)
    for file in files:
        # Without a date, for the same picture shall be the same file; PNG has none.
        metadata = {"Date": None} if file.suffix == ".svg" else {}
        with replacing(file) as half:
            figure.savefig(half, dpi=DOTS_PER_INCH, metadata=metadata)
    return files


def panels(
    count: int, columns: int, size: tuple[float, float], beside: float = 0.4
) -> tuple[Figure, list[Axes]]:
    """A figure with panels in rows that share their axes.

    Args:
        count: how many panels.
        columns: how many in a row.
        size: width and height of a panel in inches.
        beside: inches for what stands at the sides of all panels.
    """
    columns = max(1, min(columns, count))
    rows = max(1, -(-count // columns))
    figure = Figure(figsize=(columns * size[0] + beside, rows * size[1]), layout="constrained")
    grid = list(np.ravel(figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)))
    for i, axes in enumerate(grid):
        # Who has nobody below has the numbers of the axis, also where the last row is not full.
        axes.tick_params(labelbottom=i + columns >= count)
        axes.set_visible(i < count)
    return figure, grid[:count]


def in_words(name: str) -> str:
    """A variation's name for people: `long_front_legs` becomes `long front legs`."""
    return name.replace("_", " ")
