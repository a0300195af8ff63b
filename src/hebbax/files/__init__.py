"""What is read from and written to a disk, but for checkpoints."""

from hebbax.files.json import parse_json, read_json, to_json, without_non_finite, write_json
from hebbax.files.paths import local_path, replacing, write_whole

__all__ = [
    "local_path",
    "parse_json",
    "read_json",
    "replacing",
    "to_json",
    "without_non_finite",
    "write_json",
    "write_whole",
]
