"""On what the runs were made."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from hebbax.watching.report.blocks import ABSENT, Table, count
from hebbax.watching.report.records import Record


def environment_table(records: Sequence[Record]) -> Table:
    """Code, devices and versions of all starts of all runs.

    Where they differ, each with the number of its starts.
    """
    starts = [start for record in records for start in record.starts]
    fields = dict.fromkeys(name for start in starts for name, _ in _fields(start))
    seen = {
        field: Counter(dict(_fields(start)).get(field, ABSENT) for start in starts)
        for field in fields
    }
    rows = [[field, _describe(values)] for field, values in seen.items()]
    times = sorted(start["started"] for start in starts if "started" in start)
    if times:
        rows = [["first start", times[0]], ["last start", times[-1]], *rows]
    hours = sum(record.seconds for record in records) / 3600
    rows.append(["hours of all generations", f"{hours:.2f}"])
    return Table(
        f"Where {count(len(records), 'run')} ran, {count(len(starts), 'start')}",
        ["what", "value"],
        rows,
    )


def _fields(start: dict[str, Any]) -> Iterator[tuple[str, str]]:
    names = {
        "git_commit": "code (git)",
        "backend": "backend",
        "devices": "devices",
        "cores": "CPU cores",
        "machine": "machine",
        "python": "Python",
    }
    for name, words in names.items():
        value = start.get(name)
        if isinstance(value, list):
            value = ", ".join(f"{amount} x {kind}" for kind, amount in Counter(value).items())
        yield words, ABSENT if value is None else str(value)
    packages = [
        f"{package} {version}"
        for package, version in start.get("packages", {}).items()
        if version is not None
    ]
    yield "packages", ", ".join(packages) or ABSENT


def _describe(values: Counter[str]) -> str:
    if len(values) == 1:
        return next(iter(values))
    return "; ".join(
        f"{value} ({count(amount, 'start')})" for value, amount in values.most_common()
    )
