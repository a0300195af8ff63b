"""The racer on film: the road from above, and beside it what the policy sees of it."""

import dataclasses
from collections.abc import Iterator
from typing import Any, final

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, UInt8

from hebbax.evolution.episode import EpisodeState
from hebbax.tasks.car_racing import CarRacing
from hebbax.tasks.car_racing.dynamics import STEP
from hebbax.watching.films.scene import Footage, Picture, write

PAPER = 250  # Brightness of what is behind the pictures.
GAP = 16  # Pixels around the pictures.
WORDS = 36  # Pixels of height for the words above and below.


@final
@dataclasses.dataclass(frozen=True)
class RacerScene:
    """How car racing is filmed."""

    task: CarRacing
    """The task; where its policy senses numbers there is no second picture."""
    scale: int = 4
    """Pixels of the film for one of the frame, and for one of the policy's view."""
    step_duration: float = STEP
    """s, of a policy step."""

    def keep(self, state: EpisodeState) -> tuple[UInt8[Array, "rows columns 3"], ...]:
        """The frame, and the policy's view if it has one.

        Drawn within the episode, for they are smaller than what they are drawn from.
        """
        frame = self.task.frame(state.state)
        if self.task.view == "state":
            return (frame,)
        return frame, jnp.round(255 * state.observation).astype(jnp.uint8)

    def draw(self, footage: Footage) -> Iterator[Picture]:
        """Draws both pictures side by side, each pixel as a square, and writes the score."""
        scores = np.cumsum(footage.rewards)
        for step in footage.shown:
            picture = self._arrange([pictures[step] for pictures in footage.kept])
            line = f"step {step + 1}   {(step + 1) * STEP:.1f} s   score {scores[step]:.1f}"
            yield write(picture, footage.title, line, footage.damage_at(step))

    def _arrange(self, pictures: list[Any]) -> Picture:
        """Puts pictures beside each other on paper, centred, with room for words."""
        large = [
            np.kron(picture, np.ones((self.scale, self.scale, 1), np.uint8)) for picture in pictures
        ]
        height = max(picture.shape[0] for picture in large)
        width = sum(picture.shape[1] + GAP for picture in large) + GAP
        paper = np.full((height + height % 2 + 2 * WORDS, width + width % 2, 3), PAPER, np.uint8)
        left = GAP
        for picture in large:
            top = WORDS + (height - picture.shape[0]) // 2
            paper[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
            left += picture.shape[1] + GAP
        return paper
