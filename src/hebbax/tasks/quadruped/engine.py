"""The quadruped's physics: Brax's pipelines as pure functions of a body.

Brax warns on every load that its environments are not maintained; its pipelines over MuJoCo are, and that warning alone is silenced, here where it
is raised.
"""

import dataclasses
import importlib
import warnings
from types import MappingProxyType, ModuleType
from typing import Any, Literal, final

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
from brax.base import System
from brax.io import mjcf
from jaxtyping import Array, Float, PyTree
from mujoco import mjx

from hebbax.tasks.quadruped.anatomy import LOWER_LEGS, Pose
from hebbax.tasks.quadruped.bodies import LowerLegs, brax_xml, bullet_xml
from hebbax.types import Struct

BodyName = Literal["bullet", "brax"]
PipelineName = Literal["mjx", "generalized", "spring", "positional"]
Physics = PyTree

BULLET_STEP = 0.0165  # s, of one policy step.
BRAX_STEP = 0.05  # s
BULLET_DRAG = 0.04  # 1/s, and s/m times the speed: Bullet slows all motion down a little.

# How many substeps a policy step has.
SUBSTEPS = MappingProxyType(
    {
        ("bullet", "mjx"): 3,
        ("bullet", "generalized"): 4,
        ("bullet", "spring"): 8,
        ("bullet", "positional"): 8,
        ("brax", "mjx"): 5,
        ("brax", "generalized"): 5,
        ("brax", "spring"): 10,
        ("brax", "positional"): 10,
    }
)


class Body(Struct):
    """What differs between two variations of the quadruped.

    leaves: the arrays of Brax's `System` that differ between the bodies of a set.
    lower_legs: `[4]` m along x and along y, the length of each leg's lower part.
    """

    leaves: tuple[Array, ...]
    lower_legs: Float[Array, "4"]


class Motion(Struct):
    """All that the `mjx` pipeline carries from one policy step to the next.

    warmstart: `[14]` m/s^2 and rad/s^2, the last accelerations, from which the solver starts.
    """

    q: Float[Array, "15"]
    qd: Float[Array, "14"]
    warmstart: Float[Array, "14"]


@final
@dataclasses.dataclass(frozen=True, eq=False)
class Engine:
    """Physics of one set of bodies.

    The arrays in which bodies do not differ are constants of the engine, in NumPy, so that programs on any device may close over them.
    """

    pipeline: ModuleType
    num_substeps: int
    step_duration: float
    drag: float
    base: tuple[np.ndarray, ...]
    treedef: jax.tree_util.PyTreeDef
    differs: tuple[bool, ...]
    bodies: dict[str, tuple[tuple[np.ndarray, ...], LowerLegs]]
    template: mjx.Data | None
    joint_range: np.ndarray

    def variation(self, name: str) -> Body:
        """Returns a body by its name."""
        leaves, lower_legs = self.bodies[name]
        return Body(leaves=tuple(jnp.asarray(leaf) for leaf in leaves), lower_legs=jnp.asarray(lower_legs, jnp.float32))

    def start(self, pose: Pose, body: Body) -> Physics:
        """Places a body in a pose."""
        if self.template is not None:
            return Motion(q=pose.q, qd=pose.qd, warmstart=jnp.zeros_like(pose.qd))
        return self.pipeline.init(self._system(body), pose.q, pose.qd)

    def advance(self, physics: Physics, action: Float[Array, "8"], body: Body) -> Physics:
        """Moves a body by one policy step; actions beyond +-1 are as good as +-1."""
        system = self._system(body)
        action = jnp.clip(action, -1.0, 1.0)

        def substep(physics: Physics, _: None) -> tuple[Physics, None]:
            if self.template is not None:
                return self._move(system, physics, action), None
            return self.pipeline.step(system, physics, action), None

        return jax.lax.scan(substep, physics, None, length=self.num_substeps)[0]

    def _move(self, system: System, motion: Motion, action: Float[Array, "8"]) -> Motion:
        """Makes one substep of what `brax.mjx.pipeline.step` does, with only the state that matters."""
        data: Any = jax.tree.map(jnp.asarray, self.template)
        data = data.replace(qpos=motion.q, qvel=self._brake(motion.qd, system), qacc_warmstart=motion.warmstart, ctrl=action)
        data = mjx.step(system, data)
        return Motion(q=data.qpos, qd=data.qvel, warmstart=data.qacc_warmstart)

    def _brake(self, qd: Float[Array, "14"], system: System) -> Float[Array, "14"]:
        """Slows down as Bullet does: the torso's translation by its speed, rotation and joints by the torso's rate of turning."""
        linear, angular = jnp.linalg.norm(qd[:3]), jnp.linalg.norm(qd[3:6])
        rate = self.drag * system.opt.timestep
        return jnp.concatenate([qd[:3] * (1 - rate * (1 + linear)), qd[3:] * (1 - rate * (1 + angular))])

    def _system(self, body: Body) -> System:
        different = iter(body.leaves)
        leaves = [next(different) if differs else jnp.asarray(leaf) for leaf, differs in zip(self.base, self.differs, strict=True)]
        return jax.tree.unflatten(self.treedef, leaves)


def build_engine(body: BodyName, variation_set: Literal["paper", "reference"], pipeline: PipelineName) -> Engine:
    """Builds the physics of a set of bodies, which takes a second or two."""
    lower_legs = LOWER_LEGS[variation_set]
    num_substeps = SUBSTEPS[body, pipeline]
    with jax.ensure_compile_time_eval():
        systems = [_load(body, pipeline, lengths, num_substeps) for lengths in lower_legs.values()]
        template = jax.tree.map(np.asarray, mjx.make_data(systems[0])) if pipeline == "mjx" else None
        flat = [[np.asarray(leaf) for leaf in jax.tree.leaves(system)] for system in systems]
    differs = tuple(any(not np.array_equal(leaf, leaves[0]) for leaf in leaves) for leaves in zip(*flat, strict=True))
    different = [tuple(leaf for leaf, differ in zip(leaves, differs, strict=True) if differ) for leaves in flat]
    return Engine(
        pipeline=importlib.import_module(f"brax.{pipeline}.pipeline"),
        num_substeps=num_substeps,
        step_duration=BULLET_STEP if body == "bullet" else BRAX_STEP,
        drag=BULLET_DRAG if body == "bullet" else 0.0,
        base=tuple(flat[0]),
        treedef=jax.tree.structure(systems[0]),
        differs=differs,
        bodies=dict(zip(lower_legs, zip(different, lower_legs.values(), strict=True), strict=True)),
        template=template,
        joint_range=np.asarray(systems[0].jnt_range[1:], np.float32),
    )


def _load(body: BodyName, pipeline: PipelineName, lower_legs: LowerLegs, num_substeps: int) -> System:
    duration = BULLET_STEP if body == "bullet" else BRAX_STEP
    xml = bullet_xml(lower_legs, BULLET_STEP / num_substeps) if body == "bullet" else brax_xml(lower_legs)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Brax System, piplines and environments are not actively", category=UserWarning)
        system = mjcf.loads(xml)

    # As Brax's own environment of the ant sets them.
    system = system.tree_replace({"opt.timestep": jnp.float32(duration / num_substeps)})
    if pipeline == "mjx":
        system = system.tree_replace(
            {
                "opt.solver": mujoco.mjtSolver.mjSOL_NEWTON,
                "opt.disableflags": mujoco.mjtDisableBit.mjDSBL_EULERDAMP,
                "opt.iterations": 1,
                "opt.ls_iterations": 4,
            }
        )
    if pipeline == "positional" and body == "brax":
        system = system.replace(actuator=system.actuator.replace(gear=200 * jnp.ones_like(system.actuator.gear)))
    return system
