"""One substep of MuJoCo's physics in JAX, with no more state than the next one needs.

And with what is Bullet's own about the paper's body.
"""

import math
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from brax.base import System
from jaxtyping import Array, Float
from mujoco import mjx

from hebbax.tasks.quadruped.anatomy import NUM_LEGS
from hebbax.types import Struct


class Motion(Struct):
    """All that the physics carries from one policy step to the next.

    q: `[15]` as in `Pose`.
    qd: `[14]` as in `Pose`.
    warmstart: `[14]` m/s^2 and rad/s^2, the last accelerations, from which the solver starts.
    """

    q: Float[Array, "15"]
    qd: Float[Array, "14"]
    warmstart: Float[Array, "14"]


class EngineQuirks(NamedTuple):
    """How an engine departs from plain mechanics.

    drag: 1/s, and s/m times the speed, by which all motion slows down.
    ankle_rate: speed of an ankle in the mechanics per speed at which its angle changes.
    """

    drag: float
    ankle_rate: float


# Bullet reads the axis of an ankle, (1, 1, 0), without scaling it to length one. Its mechanics
# therefore take an ankle to turn sqrt(2) times as fast as the angle changes, and a torque to act on
# it by as much less.
QUIRKS = MappingProxyType(
    {
        "bullet": EngineQuirks(drag=0.04, ankle_rate=math.sqrt(2)),
        "brax": EngineQuirks(drag=0.0, ankle_rate=1.0),
    }
)


# Gyroscopic forces are integrated explicitly, which gives energy to a body that turns far in a
# substep: of Brax's light bodies thrown into the air a sixth come to infinity when they turn by 0.3
# rad in each, and most when by 0.5 rad. Driven at random they turn by 0.25 rad at most. Bullet has
# a like bound, pi / 2.
MAX_TURN = 0.5  # rad, by which the torso turns in a substep.


def move(
    system: System,
    template: mjx.Data,
    quirks: EngineQuirks,
    motion: Motion,
    action: Float[Array, "8"],
) -> Motion:
    """Makes one substep.

    For plain quirks and a torso that turns slowly it is that of `brax.mjx.pipeline.step`.

    Args:
        system: the body.
        template: any data of such a body: all of it is overwritten or derived anew.
        quirks: the engine's own.
        motion: the state before the substep.
        action: `[8]` torques in parts of the strongest.
    """
    rates = np.array([1.0] * 6 + [1.0, quirks.ankle_rate] * NUM_LEGS, np.float32)
    qd = rates * _brake(motion.qd, quirks.drag * system.opt.timestep)
    data: Any = jax.tree.map(jnp.asarray, template)
    data = mjx.step(
        system, data.replace(qpos=motion.q, qvel=qd, qacc_warmstart=motion.warmstart, ctrl=action)
    )

    qd = _bound_spin(data.qvel / rates, MAX_TURN / system.opt.timestep)
    joints = motion.q[7:] + system.opt.timestep * qd[6:]
    return Motion(q=jnp.concatenate([data.qpos[:7], joints]), qd=qd, warmstart=data.qacc_warmstart)


def _brake(qd: Float[Array, "14"], rate: Float[Array, ""]) -> Float[Array, "14"]:
    """Slows down the torso by its speed, rotation and joints by its rate of turning."""
    linear, angular = jnp.linalg.norm(qd[:3]), jnp.linalg.norm(qd[3:6])
    return jnp.concatenate(
        [qd[:3] * (1 - rate * (1 + linear)), qd[3:] * (1 - rate * (1 + angular))]
    )


def _bound_spin(qd: Float[Array, "14"], fastest: Float[Array, ""]) -> Float[Array, "14"]:
    """Slows down the torso's rotation to the fastest one, in rad/s.

    What is slower stays as it is, to the last digit.
    """
    spin = jnp.linalg.norm(qd[3:6])
    return qd.at[3:6].multiply(jnp.where(spin > fastest, fastest / spin, 1.0))
