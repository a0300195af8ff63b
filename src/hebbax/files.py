"""Files as hebbax reads and writes them.

JSON that every program reads, never half-written, below a folder that is really here.
"""

import contextlib
import json
import math
import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# `gs://bucket/run`, and what `Path` makes of it.
ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")


def local_path(path: str | Path, name: str) -> Path:
    """Expands `~`, and refuses an address where a folder is meant.

    Args:
        path: as a user gives it.
        name: of the argument, for the error.

    Raises:
        ValueError: if the path is an address such as `gs://bucket/run`.
    """
    if ADDRESS.match(str(path)):
        raise ValueError(
            f"{name} is {path}, but must be a path on this machine; mount the storage behind the "
            "address, and give the path where it is"
        )
    return Path(path).expanduser()


@contextlib.contextmanager
def replacing(file: Path) -> Iterator[Path]:
    """Yields another path to write to, in the same folder.

    `file` is replaced by what was written, or stays as it is after an error.
    """
    # Hidden, of this thread alone, and with the ending that tells libraries the format.
    half = file.with_name(f".{file.stem}.{os.getpid()}-{threading.get_ident()}{file.suffix}")
    try:
        yield half
        half.replace(file)
    finally:
        half.unlink(missing_ok=True)


def write_whole(file: Path, text: str) -> None:
    """Writes a file so that it is never seen half-written."""
    with replacing(file) as half, half.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())


def write_json(file: Path, value: Any) -> None:
    """Writes plain values as JSON, as `to_json` does."""
    write_whole(file, to_json(value, indent=2) + "\n")


def to_json(value: Any, indent: int | None = None) -> str:
    """JSON of plain values, in which null stands for a float that is no finite number."""
    return json.dumps(_without_non_finite(value), indent=indent, allow_nan=False)


def read_json(file: Path, kind: type) -> Any:
    """Reads a JSON file that holds a `dict` or a `list`.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is damaged, or holds something else; the error names it.
    """
    return parse_json(file.read_bytes(), kind, f"{file} cannot be read")


def parse_json(content: bytes, kind: type, problem: str) -> Any:
    """Reads JSON that holds a `dict` or a `list`; an error begins with the problem."""
    try:
        value = json.loads(content.decode())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{problem}: {error}") from error
    if not isinstance(value, kind):
        raise ValueError(
            f"{problem}: it holds {type(value).__name__}, but must hold {kind.__name__}"
        )
    return value


def _without_non_finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_non_finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_non_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
