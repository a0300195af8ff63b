"""JSON that every program reads: null stands for what is no finite number."""

import json
import math
from pathlib import Path
from typing import Any

from hebbax.files.paths import write_whole


def write_json(file: Path, value: Any) -> None:
    """Writes plain values as JSON, as `to_json` does."""
    write_whole(file, to_json(value, indent=2) + "\n")


def to_json(value: Any, indent: int | None = None) -> str:
    """JSON of plain values, in which null stands for a float that is no finite number."""
    return json.dumps(without_non_finite(value), indent=indent, allow_nan=False)


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


def without_non_finite(value: Any) -> Any:
    """Plain values with null in place of floats that are no finite numbers."""
    if isinstance(value, dict):
        return {name: without_non_finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_non_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
