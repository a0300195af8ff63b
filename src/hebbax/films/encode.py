"""Pictures into a file: MP4 that every browser plays, by the ffmpeg that imageio brings along, or GIF."""

import os
from collections.abc import Iterable
from pathlib import Path

import imageio.v2 as imageio
import imageio_ffmpeg

from hebbax.films.scene import Picture


def write_film(path: Path, pictures: Iterable[Picture], pictures_per_second: float) -> None:
    """Writes a film, which appears under its name when it is complete.

    Args:
        path: of the file, whose suffix, `.mp4` or `.gif`, decides the format. Its folder is created where it is missing.
        pictures: one or more, all of one size with even sides: H.264 halves the resolution of colours.
        pictures_per_second: how fast they follow each other; a GIF's pictures last whole hundredths of a second.

    Raises:
        ValueError: if there is no ffmpeg for an MP4.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f"{path.stem}.tmp{path.suffix}")
    if path.suffix == ".gif":
        writer = imageio.get_writer(half, format="GIF-PIL", duration=1000 / pictures_per_second, loop=0)  # pyright: ignore[reportArgumentType]
    else:
        _find_ffmpeg()
        # Else imageio would run Python in ffmpeg's process between fork and exec, where a lock that one of JAX's threads held stays locked for ever.
        os.environ.setdefault("IMAGEIO_FFMPEG_NO_PREVENT_SIGINT", "1")
        writer = imageio.get_writer(
            half,
            format="FFMPEG",  # pyright: ignore[reportArgumentType]
            fps=pictures_per_second,
            codec="libx264",
            pixelformat="yuv420p",
            quality=6,
            macro_block_size=2,
            ffmpeg_log_level="error",
            output_params=["-movflags", "+faststart"],  # A browser can begin before it has read all.
        )
    try:
        with writer:
            for picture in pictures:
                writer.append_data(picture)
        half.replace(path)
    finally:
        half.unlink(missing_ok=True)


def _find_ffmpeg() -> None:
    try:
        imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError as error:
        raise ValueError(
            "format is mp4, but there is no ffmpeg: imageio-ffmpeg brings one for common platforms, elsewhere install ffmpeg or name it in the "
            "variable IMAGEIO_FFMPEG_EXE; gif needs none"
        ) from error
