"""What Box2D's CarRacing did, recorded with gym 0.17.2 and Box2D 2.3.8.

`car_tracks.npz`: per seed the uniform draws (angle and radius per checkpoint), the line along the
    middle of the road (angle, heading, x, y), borders and
drawn quadrilaterals; action sequences `(300, 3)`; and `lengths`, numbers of tiles of gymnasium's
CarRacing-v3 for the seeds 0 to 999.

`car_trajectories.npz`, keys `SEED/VARIATION/ACTIONS/KEY`, row 0 after the reset and row k after
action k - 1; poses and wheels at the steps `rows`, tiles and rewards at all. `car_frames.npz`:
frames at the steps `steps`; the score at the bottom left depends on the system's font.
"""

import functools
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from hebbax.tasks.car_racing.contacts import find_contacts
from hebbax.tasks.car_racing.task import CarRacing, Race, start_race
from hebbax.tasks.car_racing.track import Lap, draw_laps, pave

GOLDEN = Path(__file__).parents[1] / "golden"
SEEDS = ("seed0", "seed1")
VARIATIONS = {
    "f1_s0": "default",
    "f2_s0": "friction_double",
    "f0.5_s0": "friction_half",
    "f1_s-10": "slip_left",
    "f1_s+10": "slip_right",
}
ACTIONS = ("straight", "full_sin", "brake", "steer_only", "random_smooth")
RUNS = [
    f"{seed}/{variation}/{actions}"
    for seed in SEEDS
    for variation in VARIATIONS
    for actions in ACTIONS
]

TASK = CarRacing(view="state", variation_set="reference", patience=None, is_squashed=False)


class Drive(NamedTuple):
    """Our own drive of all recorded runs, `[runs, 301, ...]`."""

    races: Race
    rewards: Array
    num_tiles: Array


def load(file: str) -> dict[str, np.ndarray]:
    """Reads a file."""
    with np.load(GOLDEN / file) as arrays:
        return dict(arrays)


def golden_lap(seed: str) -> Lap:
    """The line of a recorded track, drawn from the recorded numbers."""
    draws = jnp.asarray(load("car_tracks.npz")[f"{seed}/draws"], jnp.float32)
    laps = jax.jit(draw_laps)(draws[None, :, 0], draws[None, :, 1])
    return jax.tree.map(lambda leaf: leaf[0], laps)


@functools.cache
def drive_all() -> Drive:
    """Drives all recorded runs in one program."""
    tracks = load("car_tracks.npz")
    roads = {seed: pave(golden_lap(seed)) for seed in SEEDS}
    chosen = [run.split("/") for run in RUNS]
    road = _stack([roads[seed] for seed, _, _ in chosen])
    variation = _stack([TASK.variations[VARIATIONS[name]] for _, name, _ in chosen])
    actions = [
        tracks[f"actions/{name}" + (f"/{seed}" if name == "random_smooth" else "")]
        for seed, _, name in chosen
    ]

    def drive_one(road, variation, actions):
        start = start_race(road, variation)

        def step(race, action):
            touched = find_contacts(race.car, race.track).is_touched
            race, _, reward, _ = TASK.step(race, action, variation)
            # The road never changes: without it the recording is small.
            return race, (race.replace(track=None), reward, jnp.sum(touched, axis=1))

        before = (
            start.replace(track=None),
            jnp.zeros(()),
            jnp.sum(start.is_on_road[:, None], axis=1),
        )
        after = jax.lax.scan(step, start, actions)[1]
        return jax.tree.map(lambda first, rest: jnp.concatenate([first[None], rest]), before, after)

    return Drive(
        *jax.jit(jax.vmap(drive_one))(road, variation, jnp.asarray(np.stack(actions), jnp.float32))
    )


def _stack(trees):
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)
