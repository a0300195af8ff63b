"""Tables and prose in Markdown, of measured numbers."""

import textwrap
from collections.abc import Iterable
from typing import Any


def wrapped(line: str) -> str:
    """A line of prose within a hundred columns; rows of tables stay as they are."""
    return line if line.startswith("|") else textwrap.fill(line, 100, break_on_hyphens=False)


def table(header: str, rows: Iterable[Iterable[str]]) -> list[str]:
    """The lines of a table in Markdown, below a header such as `| one | two |`."""
    return [header, "|" + "---|" * (header.count("|") - 1), *(row_of(*row) for row in rows)]


def row_of(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def table_of(records: Iterable[dict[str, Any]], columns: dict[str, str]) -> list[str]:
    """A table with a row for each record: each column's header, and how it writes a record."""
    rows = ((cell.format(**record) for cell in columns.values()) for record in records)
    return table(row_of(*columns), rows)
