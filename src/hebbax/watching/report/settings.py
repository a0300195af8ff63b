"""How the runs were made.

Their settings, what differs between the methods first, then everything; and their machines.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from hebbax.files.plain import by_path
from hebbax.watching.report.blocks import ABSENT, Table, count
from hebbax.watching.report.records import Record

OF_THE_RUN = ("held_out", "seed")  # Settings in which the runs of a method differ by what they are.


def difference_table(records: Sequence[Record]) -> Table:
    """The settings in which the first runs of the methods differ."""
    settings = {}
    for record in records:
        settings.setdefault(record.run.method, _by_path(record.config))
    names = dict.fromkeys(
        name for plain in settings.values() for name in plain if name not in OF_THE_RUN
    )
    values = {name: [_show(plain, name) for plain in settings.values()] for name in names}
    rows = [[name, *shown] for name, shown in values.items() if len(set(shown)) > 1]
    return Table("Settings that differ between the methods", ["setting", *settings], rows)


def list_settings(records: Sequence[Record]) -> list[tuple[str, str]]:
    """All settings, once for each set of runs that have the same: which runs, and the JSON."""
    groups: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        plain = {name: value for name, value in record.config.items() if name not in OF_THE_RUN}
        groups.setdefault((record.run.method, json.dumps(plain, indent=2)), []).append(record)
    methods = [method for method, _ in groups]
    return [
        (_describe(method, group, methods.count(method) == 1), text)
        for (method, text), group in groups.items()
    ]


def _describe(method: str, group: Sequence[Record], is_only: bool) -> str:
    """The runs of a group, one by one where the method has others."""
    pairs = ", ".join(f"{record.run.fold} {record.run.seed}" for record in group)
    return f"{method}: {count(len(group), 'run')}" + (
        "" if is_only else f" (held out and seed: {pairs})"
    )


def _by_path(config: dict[str, Any]) -> dict[str, Any]:
    """Settings by their dotted names. A part's class stands under the part's own name."""
    return {
        name.removesuffix(".class"): value.rpartition(":")[2] if name.endswith(".class") else value
        for name, value in by_path(config).items()
        if name != "class"
    }


def _show(plain: dict[str, Any], name: str) -> str:
    if name not in plain:
        return ABSENT
    return plain[name] if isinstance(plain[name], str) else json.dumps(plain[name])


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
    rows = [[field, _in_words(values)] for field, values in seen.items()]
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


def _in_words(values: Counter[str]) -> str:
    if len(values) == 1:
        return next(iter(values))
    return "; ".join(
        f"{value} ({count(amount, 'start')})" for value, amount in values.most_common()
    )
