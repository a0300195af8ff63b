"""What PyBullet's AntBullet did, recorded; `tests/golden/README.md` says what the files hold."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from hebbax.tasks.quadruped.anatomy import LOWER_LEGS, Pose

GOLDEN = Path(__file__).parents[1] / "golden"
NAMES = tuple(LOWER_LEGS["reference"])
GAITS = ("zeros", "sin_inphase", "square40_inphase")
STEP = 0.0165  # s


class Recording(NamedTuple):
    """One recorded run, row 0 its start and row k what action k - 1 led to."""

    poses: Pose
    data: dict[str, np.ndarray]


def load_run(file: str, run: str) -> Recording:
    """Reads a run.

    Bullet's velocities of rotation are turned from the world's frame into the torso's, as all of
    Brax's are.
    """
    with np.load(GOLDEN / file) as arrays:
        data = {
            name.removeprefix(f"{run}/"): arrays[name]
            for name in arrays.files
            if name.startswith(f"{run}/")
        }
    x, y, z, w = data["base_orn_xyzw"].T
    spin = data["base_ang_vel"]
    conjugate = -np.stack([x, y, z], axis=1)
    across = np.cross(conjugate, spin)
    local = spin + 2 * (w[:, None] * across + np.cross(conjugate, across))
    q = np.concatenate(
        [data["base_pos"], np.stack([w, x, y, z], axis=1), data["joint_pos"]], axis=1
    )
    qd = np.concatenate([data["base_lin_vel"], local, data["joint_vel"]], axis=1)
    return Recording(Pose(q=jnp.asarray(q), qd=jnp.asarray(qd)), data)


def load_actions(gait: str) -> Array:
    """Reads the 200 actions that follow the burn-in."""
    with np.load(GOLDEN / "quadruped_trajectories.npz") as arrays:
        return jnp.asarray(arrays[f"actions/{gait}"])


def load_model() -> dict[str, Any]:
    """Reads masses, inertias and joints of every body."""
    return json.loads((GOLDEN / "quadruped_model.json").read_text())
