"""Files: never half-written, JSON that a strict parser reads, paths that mean what they say."""

import math
import os
import threading
from pathlib import Path

import pytest

from hebbax.files import local_path, read_json, replacing, to_json, write_json, write_whole
from small_run import read_strictly


def test_null_stands_for_what_is_no_number():
    """Floats that are not finite become null at any depth; everything else is written as it is."""
    value = {
        "a": math.nan,
        "b": [1.5, -math.inf, (math.inf, 2)],
        "c": {"d": None, "e": True, "f": "NaN"},
    }
    assert read_strictly(to_json(value)) == {
        "a": None,
        "b": [1.5, None, [None, 2]],
        "c": {"d": None, "e": True, "f": "NaN"},
    }


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'{"a": ', "Expecting value"),
        (b"\xff\xfe{}", "decode"),
        (b"[1]", "it holds list, but must hold dict"),
        (b"null", "it holds NoneType, but must hold dict"),
        (b'{"a":' * 100_000, "recursion"),
    ],
)
def test_damaged_file_is_named(tmp_path: Path, content: bytes, reason: str):
    """Whatever is wrong with a file, the error names it and says why."""
    file = tmp_path / "file.json"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=reason) as error:
        read_json(file, dict)
    assert str(error.value).startswith(f"{file} cannot be read: ")


def test_file_is_never_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A write that fails leaves the old file, and nothing beside it.

    Mutation: writing in place leaves a half.
    """
    file = tmp_path / "file"
    write_whole(file, "old")
    monkeypatch.setattr("hebbax.files.paths.os.fsync", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_whole(file, "new")
    assert file.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


def test_writers_at_the_same_time_are_not_in_each_others_way(tmp_path: Path):
    """Two threads that write one file use files of their own until they are done.

    Mutation: a common name has both halves in one file.
    """
    halves = []

    def write() -> None:
        with replacing(tmp_path / "file.json") as half:
            halves.append(half)
            barrier.wait()
            half.write_text("{}")

    barrier = threading.Barrier(2)
    threads = [threading.Thread(target=write) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(halves)) == 2
    assert os.listdir(tmp_path) == ["file.json"]


def test_words_of_any_language_are_written_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Texts are UTF-8 whatever the locale says."""
    monkeypatch.setattr("locale.getpreferredencoding", lambda *_: "ascii")
    write_whole(tmp_path / "file", "größer ≥ 1")
    assert (tmp_path / "file").read_bytes().decode() == "größer ≥ 1"
    write_json(tmp_path / "file.json", {"größe": "≥"})
    assert read_json(tmp_path / "file.json", dict) == {"größe": "≥"}


def test_paths_are_expanded_and_addresses_refused(monkeypatch: pytest.MonkeyPatch):
    """`~` is the home folder.

    What begins like an address is refused with its name, as text or as a path.
    """
    monkeypatch.setenv("HOME", "/home/somebody")
    assert local_path("~/runs/a", "run_dir") == Path("/home/somebody/runs/a")
    assert local_path("a:b/[0.1] c", "run_dir") == Path("a:b/[0.1] c")
    for address in ("gs://bucket/run", "s3://bucket", Path("gs://bucket/run"), "file:///tmp/a"):
        with pytest.raises(ValueError, match=r"run_dir is .*, but must be a path on this machine"):
            local_path(address, "run_dir")
