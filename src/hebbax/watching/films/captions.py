"""Words on pictures."""

import functools

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from hebbax.watching.films.scene import Picture

INK, QUIET, ALARM = (30, 41, 59), (71, 85, 105), (185, 28, 28)
SIZE = 15  # Pixels, of the letters.
MARGIN = 10  # Pixels, from the picture's edge.


def write(picture: Picture, title: str, line: str, alarm: str = "") -> Picture:
    """Writes on a picture.

    Args:
        picture: to write on.
        title: at the top left.
        line: at the bottom left.
        alarm: at the top right, in red.
    """
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    draw.text((MARGIN, MARGIN), title, fill=INK, font=_font(), anchor="lt")
    draw.text((image.width - MARGIN, MARGIN), alarm, fill=ALARM, font=_font(), anchor="rt")
    draw.text((MARGIN, image.height - MARGIN), line, fill=QUIET, font=_font(), anchor="ls")
    return np.asarray(image)


@functools.cache
def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=SIZE)
