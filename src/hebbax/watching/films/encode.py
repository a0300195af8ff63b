"""Pictures into a file.

MP4 that every browser plays, by the ffmpeg that imageio brings along, or GIF by Pillow.
"""

import contextlib
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import imageio.v2 as imageio
import imageio_ffmpeg
import numpy as np

from hebbax.files import replacing
from hebbax.watching.films.scene import Picture

FORMATS = ("mp4", "gif")
QUALITY = 6  # Of imageio's scale from 0 to 10.


def write_film(path: Path, pictures: Iterable[Picture], pictures_per_second: float) -> None:
    """Writes a film, which appears under its name when it is complete.

    Args:
        path: of the file, whose suffix, `.mp4` or `.gif`, decides the format. Its folder is created
            where it is missing.
        pictures: one or more, all of one size with even sides: H.264 halves the resolution of
            colours.
        pictures_per_second: how fast they follow each other; a GIF's pictures last whole hundredths
            of a second.

    Raises:
        ValueError: if there is no ffmpeg for an MP4.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    options = (
        {"duration": 1000 / pictures_per_second, "loop": 0}
        if path.suffix == ".gif"
        else _mp4_options(pictures_per_second)
    )
    # imageio's own context leaves ffmpeg running after an error.
    with replacing(path) as half, contextlib.closing(imageio.get_writer(half, **options)) as writer:
        for picture in pictures:
            writer.append_data(picture)


def find_faults() -> list[str]:
    """Writes a small film in each format, and says of those that cannot be written why."""
    faults, pictures = [], [np.zeros((16, 16, 3), np.uint8)] * 2
    with tempfile.TemporaryDirectory() as folder:
        for name in FORMATS:
            try:
                write_film(Path(folder) / f"film.{name}", pictures, 9.0)
            except (ValueError, OSError) as error:
                faults.append(f"films in the format {name} cannot be written: {error}")
    return faults


def _mp4_options(pictures_per_second: float) -> dict[str, Any]:
    try:
        imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError as error:
        raise ValueError(
            "format is mp4, but there is no ffmpeg: imageio-ffmpeg brings one for common "
            "platforms, elsewhere install ffmpeg or name it in the "
            "variable IMAGEIO_FFMPEG_EXE; gif needs none"
        ) from error

    # Else imageio would run Python in ffmpeg's process between fork and exec, where a lock that one
    # of JAX's threads held stays locked for ever.
    os.environ.setdefault("IMAGEIO_FFMPEG_NO_PREVENT_SIGINT", "1")
    return {
        "format": "FFMPEG",
        "fps": pictures_per_second,
        "codec": "libx264",
        "pixelformat": "yuv420p",
        "quality": QUALITY,
        "macro_block_size": 2,
        "ffmpeg_log_level": "error",
        "output_params": ["-movflags", "+faststart"],  # A browser can begin before it has read all.
    }
