"""What a film needs to know of a task: what of an episode to keep, and how to draw it.

And what several scenes do: words on pictures, and a camera's calm way.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from jaxtyping import Float, PyTree, UInt8
from PIL import Image, ImageDraw, ImageFont

from hebbax.evolution.episode import EpisodeState

Picture = UInt8[np.ndarray, "rows columns 3"]

INK, QUIET, ALARM = (30, 41, 59), (71, 85, 105), (185, 28, 28)
MARGIN = 10  # Pixels, from the picture's edge.
FONT = ImageFont.load_default(size=15)  # Pixels, the height of the letters.


class Footage(NamedTuple):
    """An episode as it was filmed.

    kept: `[steps, ...]` what the scene kept of every step, in NumPy.
    rewards: `[steps]` of every step.
    shown: the steps of which pictures are made, counted from 0.
    title: what is seen.
    damage: what was damaged; empty if nothing.
    damage_step: the step from which on it was, counted from 0.
    """

    kept: PyTree
    rewards: Float[np.ndarray, " steps"]
    shown: Sequence[int]
    title: str
    damage: str = ""
    damage_step: int = 0

    def damage_at(self, step: int) -> str:
        """The damage that is to be told of at a step."""
        return self.damage if step >= self.damage_step else ""


class Scene(Protocol):
    """How episodes of a task are filmed."""

    @property
    def step_duration(self) -> float:
        """Seconds that one policy step takes."""
        ...

    def keep(self, state: EpisodeState) -> PyTree:
        """What of the state is kept after each step."""
        ...

    def draw(self, footage: Footage) -> Iterator[Picture]:
        """Draws a picture for each step that is shown, all of one size with even sides."""
        ...


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


def smooth(way: Float[np.ndarray, "steps 2"], window: int) -> Float[np.ndarray, "steps 2"]:
    """The mean over a window around every step, of a way that stays where it begins and ends."""
    half = window // 2
    padded = np.pad(way, ((half, half), (0, 0)), mode="edge")
    kernel = np.full(2 * half + 1, 1 / (2 * half + 1))
    return np.stack(
        [np.convolve(column, kernel, mode="valid") for column in padded.T], axis=1
    ).astype(np.float32)
