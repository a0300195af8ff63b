"""Words on pictures."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from hebbax.watching.films.scene import Picture

INK, QUIET, ALARM = (30, 41, 59), (71, 85, 105), (185, 28, 28)
MARGIN = 10  # Pixels, from the picture's edge.
FONT = ImageFont.load_default(size=15)  # Pixels, the height of the letters.


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
    draw.text((MARGIN, MARGIN), title, fill=INK, font=FONT, anchor="lt")
    draw.text((image.width - MARGIN, MARGIN), alarm, fill=ALARM, font=FONT, anchor="rt")
    draw.text((MARGIN, image.height - MARGIN), line, fill=QUIET, font=FONT, anchor="ls")
    return np.asarray(image)
