"""What a page is made of: sections with words, tables, pictures, films and listings.

The template knows how each of them looks.
"""

import base64
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

TYPES = {".svg": "image/svg+xml", ".png": "image/png", ".mp4": "video/mp4", ".gif": "image/gif"}
ABSENT = "-"  # Where there is no number.


class Table(NamedTuple):
    """A table whose first column names its rows.

    caption: what it shows.
    columns: headings, one for each column.
    rows: as many cells as there are columns.
    note: what must be known to read it.
    groups: headings above the columns with the number of columns of each; none if empty.
    marked: places of the columns that stand out, because they are of what is held out.
    """

    caption: str
    columns: list[str]
    rows: list[list[str]]
    note: str = ""
    groups: tuple[tuple[str, int], ...] = ()
    marked: frozenset[int] = frozenset()


class Figure(NamedTuple):
    """A picture.

    caption: what it shows, and how to read it.
    alt: what is to be seen, for those who do not see it.
    uri: the picture itself; empty before it is drawn.
    width: pixels that it takes where there is room.
    numbers: what it is drawn from.
    """

    caption: str
    alt: str
    uri: str = ""
    width: int = 0
    numbers: Table | None = None


class Section(NamedTuple):
    """A part of the page.

    anchor: its name in links.
    title: its heading.
    words: paragraphs.
    labels: what must be known before the rest of the page is believed.
    tables, figures, long_tables: what it holds; long tables are folded.
    films: captions, and addresses that hold the films.
    listings: captions, and texts that are folded away until they are asked for.
    """

    anchor: str
    title: str
    words: Sequence[str] = ()
    labels: Sequence[str] = ()
    tables: Sequence[Table] = ()
    figures: Sequence[Figure] = ()
    films: Sequence[tuple[str, str]] = ()
    long_tables: Sequence[Table] = ()
    listings: Sequence[tuple[str, str]] = ()

    @property
    def is_filled(self) -> bool:
        """Whether it holds anything."""
        return any(self[2:])


def data_uri(file: Path) -> str:
    """A file as an address that holds all of it."""
    return f"data:{TYPES[file.suffix]};base64,{base64.b64encode(file.read_bytes()).decode()}"


def number(value: float, decimals: int = 1) -> str:
    """A number for people; "-" if it is not finite."""
    return f"{value:,.{decimals}f}" if math.isfinite(value) else ABSENT


def interval(low: float, high: float, decimals: int = 1) -> str:
    """An interval for people; "-" if an end is not finite."""
    return (
        f"{low:,.{decimals}f} to {high:,.{decimals}f}"
        if math.isfinite(low) and math.isfinite(high)
        else ABSENT
    )


def count(amount: int, thing: str) -> str:
    """An amount with its thing in the singular or the plural."""
    return f"{amount:,} {thing}" if amount == 1 else f"{amount:,} {thing}s"
