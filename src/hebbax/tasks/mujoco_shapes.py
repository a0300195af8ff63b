"""A model of MuJoCo as capsules, to be drawn without OpenGL."""

# pyright: reportAttributeAccessIssue=false
# It does not see what `mujoco` takes from its compiled modules.

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
from jaxtyping import Array, Float

from hebbax.tasks.quadruped.anatomy import rotation
from hebbax.tasks.shapes import Shapes

FIRST_HIDDEN_GROUP = 3  # MuJoCo's viewer shows the groups before.
UNSAID = (0.5, 0.5, 0.5, 1.0)  # The colour of what is given none.

Frames = tuple[Float[Array, "bodies 3"], Float[Array, "bodies 4"]]


def shapes_of(
    model: mujoco.MjModel, frames: Callable[[Any], Frames], step_duration: float
) -> Shapes:
    """What of a model is seen, as capsules.

    Balls, capsules and cylinders are what they are, but for a cylinder's round ends; of another
    shape it is the capsule along its longest side.

    Args:
        model: whose shapes are drawn.
        frames: where bodies are in a state: their places, and their rotations as quaternions.
        step_duration: s, of a policy step.
    """
    kinds = mujoco.mjtGeom
    is_plane = np.isin(model.geom_type, [kinds.mjGEOM_PLANE, kinds.mjGEOM_HFIELD])
    colours = _colours_of(model)
    [seen] = np.nonzero(~is_plane & (model.geom_group < FIRST_HIDDEN_GROUP) & (colours[:, 3] > 0))
    capsules = [_capsule_of(model, geom) for geom in seen.tolist()]
    ends = np.asarray([ends for ends, _ in capsules], np.float32).reshape(-1, 2, 3)
    bodies = model.geom_bodyid[seen]
    planes = model.geom_pos[is_plane & (model.geom_bodyid == 0), 2]

    def place(state: Any) -> Float[Array, "capsules 2 3"]:
        places, rotations = frames(state)
        turned = jnp.einsum("cij,cej->cei", jax.vmap(rotation)(rotations[bodies]), ends)
        return places[bodies][:, None] + turned

    return Shapes(
        step_duration=step_duration,
        place=place,
        radii=np.asarray([radius for _, radius in capsules]),
        colours=np.round(255 * colours[seen, :3]).astype(np.uint8),
        is_fixed=model.body_weldid[bodies] == 0,
        floor=float(planes[0]) if len(planes) else None,
    )


def _colours_of(model: mujoco.MjModel) -> np.ndarray:
    """Of each shape; a material's where the shape says nothing of its own."""
    has_materials = (model.geom_matid >= 0) & np.all(model.geom_rgba == UNSAID, axis=1)
    colours = model.geom_rgba.copy()
    colours[has_materials] = model.mat_rgba[model.geom_matid[has_materials]]
    return colours


def _capsule_of(model: mujoco.MjModel, geom: int) -> tuple[np.ndarray, float]:
    """Both ends in the frame of the body, and the radius."""
    first, second, third = model.geom_size[geom]
    match model.geom_type[geom]:
        case mujoco.mjtGeom.mjGEOM_SPHERE:
            halves = np.full(3, first)
        case mujoco.mjtGeom.mjGEOM_CAPSULE:
            halves = np.array([first, first, first + second])
        case mujoco.mjtGeom.mjGEOM_CYLINDER:
            halves = np.array([first, first, second])
        case _:
            halves = np.array([first, second, third])
    longest = int(np.argmax(halves))
    radius = min(float(np.sqrt(np.prod(np.delete(halves, longest)))), halves[longest])
    matrix = np.zeros(9)
    mujoco.mju_quat2Mat(matrix, model.geom_quat[geom])
    reach = (halves[longest] - radius) * matrix.reshape(3, 3)[:, longest]
    return model.geom_pos[geom] + np.stack([-reach, reach]), radius
