"""Tasks that are capsules on film: on a floor of squares, the camera beside what moves."""

import dataclasses
from collections.abc import Iterator
from typing import final

import numpy as np
from jaxtyping import Array, Bool, Float

from hebbax.evolution.episode import EpisodeState
from hebbax.tasks.shapes import Shapes
from hebbax.watching.films.camera import look_at
from hebbax.watching.films.capsules import Capsule
from hebbax.watching.films.scene import Footage, Picture, smooth, write
from hebbax.watching.films.stage import draw, set_stage

# In squares of the floor, relative to the place on it that is looked at: from the right of what
# moves along x, a little from ahead and from above.
VIEWPOINT = np.array([1.3, -3.8, 1.9], np.float32)
CALM = 1.0  # s, over which the camera's way is smoothed.


@final
@dataclasses.dataclass(frozen=True, eq=False)
class ShapesScene:
    """How a task is filmed that says which capsules it looks like."""

    shapes: Shapes
    """Of the variation that is filmed."""
    size: tuple[int, int] = (360, 640)
    """Rows and columns of a picture."""

    @property
    def step_duration(self) -> float:
        """Seconds that a policy step takes."""
        return self.shapes.step_duration

    def keep(self, state: EpisodeState) -> Float[Array, "capsules 2 3"]:
        """Where the capsules are."""
        return self.shapes.place(state.state)

    def draw(self, footage: Footage) -> Iterator[Picture]:
        """Draws the capsules on squares about as wide as what moves, and writes the return."""
        moves = self._moves()
        moving = footage.kept[:, moves]
        square = _round_length(float(np.ptp(moving[0].reshape(-1, 3), axis=0).max()))
        floor = self.shapes.floor
        if floor is None:
            floor = float(np.min(moving[..., 2] - self.shapes.radii[moves][:, None]))
        ends = ((footage.kept - [0, 0, floor]) / square).astype(np.float32)
        # The middle of what moves, and its mean height.
        centre = ends[:, moves].mean(axis=(1, 2))
        way = smooth(centre[:, :2], round(CALM / self.step_duration))
        target = np.array([0, 0, centre[:, 2].mean()], np.float32)
        base = look_at(VIEWPOINT + target, target, *self.size)
        stage = set_stage(base)
        returns = np.cumsum(footage.rewards)

        for step in footage.shown:
            camera = base.at(way[step] + VIEWPOINT[:2])
            picture = draw(stage, camera, self._build(ends[step], square))
            line = (
                f"step {step + 1}   {(step + 1) * self.step_duration:.1f} s   "
                f"return {returns[step]:.1f}   (squares: {square:g} m)"
            )
            yield write(picture, footage.title, line, footage.damage_at(step))

    def _moves(self) -> Bool[np.ndarray, " capsules"]:
        """Which capsules the camera looks at: all of them where none moves."""
        fixed = self.shapes.is_fixed
        everything = np.full(len(self.shapes.radii), True)
        return everything if fixed is None or fixed.all() else ~fixed

    def _build(self, ends: Float[np.ndarray, "capsules 2 3"], square: float) -> list[Capsule]:
        """The capsules at a step, in squares."""
        return [
            Capsule(start, end, radius / square, (red, green, blue))
            for (start, end), radius, (red, green, blue) in zip(
                ends, self.shapes.radii.tolist(), self.shapes.colours.tolist(), strict=True
            )
        ]


def _round_length(length: float) -> float:
    """The largest of 1, 2, 5, 10 and so on that is no longer, a metre for what has no length."""
    if length <= 0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(length))
    return float(power * max(digit for digit in (1, 2, 5) if digit * power <= length))
