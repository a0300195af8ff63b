"""Paths on this machine, and files that are never half-written."""

import contextlib
import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path

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
