"""How pictures are written: readable, searchable, and the same every time."""

from pathlib import Path

import pytest

from hebbax.watching.visualization.style import COLOURS, panels, save, styled


@styled
def draw(words: str):
    figure, [axes] = panels(1, 3, size=(2.0, 2.0))
    axes.plot([0, 1], [0, 1])
    axes.set_title(words)
    return figure


def test_picture_is_written_as_svg_and_png(tmp_path: Path):
    """Words stay words in an SVG, and the same picture is the same file.

    Mutation: fonts as paths have no such word; a date differs.
    """
    svg, png = save(draw("assignment"), tmp_path / "deep" / "figures", "one")
    assert (svg, png) == (
        tmp_path / "deep" / "figures" / "one.svg",
        tmp_path / "deep" / "figures" / "one.png",
    )
    assert ">assignment</text>" in svg.read_text()
    assert "<dc:date>" not in svg.read_text()
    assert png.read_bytes().startswith(b"\x89PNG")
    again = save(draw("assignment"), tmp_path, "two")
    assert [file.read_bytes() for file in again] == [svg.read_bytes(), png.read_bytes()]


@pytest.mark.parametrize(
    ("number", "rows", "labelled"), [(1, 1, [0]), (3, 1, [0, 1, 2]), (5, 2, [2, 3, 4])]
)
def test_lowest_panels_have_the_numbers(number: int, rows: int, labelled: list[int]):
    """Also where the last row is not full, and the rest of it is empty."""
    figure, grid = panels(number, 3, size=(2.0, 1.5))
    assert figure.get_size_inches()[1] == 1.5 * rows
    assert [
        place for place, axes in enumerate(grid) if axes.xaxis.get_tick_params()["labelbottom"]
    ] == labelled
    assert sum(axes.get_visible() for axes in figure.axes) == number


@pytest.mark.parametrize("colour", COLOURS)
def test_colours_are_readable_on_white(colour: str):
    """A contrast of 3 to 1 is what WCAG 2.2 asks of graphics (success criterion 1.4.11)."""
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in channels
    ]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    assert 1.05 / (luminance + 0.05) >= 3.0
