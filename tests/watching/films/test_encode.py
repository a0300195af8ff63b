"""Films as files: decoded again they are what they were."""

from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest

from film_files import decode
from hebbax.watching.films.encode import write_film


def pictures(num: int = 5) -> list[np.ndarray]:
    """A dark square that moves to the right, 8 pixels a picture."""
    films = np.full((num, 48, 80, 3), 240, np.uint8)
    for number in range(num):
        films[number, 16:32, 8 * number : 8 * number + 16] = (200, 40, 40)
    return list(films)


def test_mp4_is_what_browsers_play(tmp_path: Path):
    """H.264 in yuv420p, every picture once, of the size and within what compression changes.

    Mutations: imageio's own scaling to blocks of 16; a codec of its choice.
    """
    write_film(tmp_path / "films" / "one.mp4", iter(pictures()), 25.0)
    decoded, facts = decode(tmp_path / "films" / "one.mp4")
    assert len(decoded) == 5
    assert (facts["codec"], facts["pix_fmt"].partition("(")[0], facts["fps"], facts["size"]) == (
        "h264",
        "yuv420p",
        25,
        (80, 48),
    )
    for before, after in zip(pictures(), decoded, strict=True):
        assert after.shape == before.shape
        assert np.mean(np.abs(before.astype(int) - after)) < 5
    assert [path.name for path in (tmp_path / "films").iterdir()] == ["one.mp4"]


def test_gif_has_every_picture(tmp_path: Path):
    write_film(tmp_path / "one.gif", pictures(), 20.0)
    decoded, facts = decode(tmp_path / "one.gif")
    assert len(decoded) == 5
    assert facts["duration"] == 50
    for before, after in zip(pictures(), decoded, strict=True):
        assert np.max(np.abs(before.astype(int) - after)) < 10


@pytest.mark.parametrize("suffix", [".mp4", ".gif"])
def test_nothing_is_left_of_a_film_that_fails(tmp_path: Path, suffix: str):
    """An older film stays. Mutation: written under its own name from the start."""

    def broken():
        yield from pictures(2)
        raise RuntimeError("out of paint")

    path = tmp_path / f"one{suffix}"
    path.write_bytes(b"older")
    with pytest.raises(RuntimeError, match="out of paint"):
        write_film(path, broken(), 20.0)
    assert path.read_bytes() == b"older"
    assert len(list(tmp_path.iterdir())) == 1


def test_missing_ffmpeg_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """An MP4 without ffmpeg says what to do; a GIF needs none."""

    def missing() -> str:
        raise RuntimeError("No ffmpeg exe could be found.")

    monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", missing)
    with pytest.raises(ValueError, match=r"there is no ffmpeg.*IMAGEIO_FFMPEG_EXE; gif needs none"):
        write_film(tmp_path / "one.mp4", pictures(), 20.0)
    write_film(tmp_path / "one.gif", pictures(), 20.0)
    assert [path.name for path in tmp_path.iterdir()] == ["one.gif"]
