"""The quadruped's physics: Brax's pipelines as pure functions of a body.

Brax warns on every load that its environments are not maintained; its pipelines over MuJoCo are,
and that warning alone is silenced, here where it is raised.
"""

import contextlib
import dataclasses
import importlib
import warnings
from collections.abc import Iterator
from types import MappingProxyType
from typing import Any, Literal, final

import jax
import jax.numpy as jnp
import numpy as np
from brax.base import System
from brax.io import mjcf
from jaxtyping import Array, Float, PyTree
from mujoco import mjx

from hebbax.tasks.quadruped.anatomy import LOWER_LEGS, Pose
from hebbax.tasks.quadruped.batching import flat_vmap
from hebbax.tasks.quadruped.bodies import LowerLegs, brax_xml, bullet_xml
from hebbax.tasks.quadruped.motion import QUIRKS, EngineQuirks, Motion, move
from hebbax.types import Struct

BodyName = Literal["bullet", "brax"]
PipelineName = Literal["mjx", "spring"]
Physics = PyTree

BULLET_STEP = 0.0165  # s, of one policy step.
BRAX_STEP = 0.05  # s

# How many substeps a policy step has. Brax's body has as many as in Brax. The paper's: 120
# episodes of 300 steps, full torque in random directions, in all five bodies, no episode left the
# finite numbers, and the fastest joint (99% of steps below 85 rad/s with 2 substeps, 74 with 3, 71
# with 12 of 20 solver iterations), the torso's height (0.51 m on average with 2 and with 3) and the
# distance covered (0.47 +- 0.03 and 0.52 +- 0.05 m) do not tell 2 substeps from more. A second
# solver iteration changes them as little, and costs a fifth.
SUBSTEPS = MappingProxyType(
    {
        ("bullet", "mjx"): 2,
        ("bullet", "spring"): 8,
        ("brax", "mjx"): 5,
        ("brax", "spring"): 10,
    }
)


class Body(Struct):
    """What differs between two variations of the quadruped.

    leaves: the arrays of Brax's `System` that differ between the bodies of a set.
    lower_legs: `[4]` m along x and along y, the length of each leg's lower part.
    """

    leaves: tuple[Array, ...]
    lower_legs: Float[Array, "4"]


@contextlib.contextmanager
def brax_rules() -> Iterator[None]:
    """Lets Brax promote dtypes and ranks, and has every device multiply in full float32.

    With TF32, bodies sink and explode.

    It decorates what `flat_vmap` maps: that is traced again, long after its caller has returned,
    wherever a `vmap` comes round a `scan`.
    """
    with (
        jax.numpy_dtype_promotion("standard"),
        jax.numpy_rank_promotion("allow"),
        jax.default_matmul_precision("highest"),
    ):
        yield


@final
@dataclasses.dataclass(frozen=True, eq=False)
class Engine:
    """Physics of one set of bodies.

    The arrays in which bodies do not differ are constants of the engine, in NumPy, so that programs
    on any device may close over them.
    """

    pipeline: Any
    num_substeps: int
    step_duration: float
    quirks: EngineQuirks
    base: tuple[np.ndarray, ...]
    treedef: Any
    differs: tuple[bool, ...]
    bodies: dict[str, tuple[tuple[np.ndarray, ...], LowerLegs]]
    template: Any
    joint_range: np.ndarray

    def variation(self, name: str) -> Body:
        """Returns a body by its name."""
        leaves, lower_legs = self.bodies[name]
        return Body(
            leaves=tuple(jnp.asarray(leaf) for leaf in leaves),
            lower_legs=jnp.asarray(lower_legs, jnp.float32),
        )

    def start(self, pose: Pose, body: Body) -> Physics:
        """Places a body in a pose."""
        return flat_vmap(self._start)(pose, body)

    def step(self, physics: Physics, action: Float[Array, "8"], body: Body) -> Physics:
        """Moves a body by one policy step; actions beyond +-1 are as good as +-1."""
        return flat_vmap(self._advance)(physics, action, body)

    @brax_rules()
    def _start(self, pose: Pose, body: Body) -> Physics:
        if self.template is not None:
            return Motion(q=pose.q, qd=pose.qd, warmstart=jnp.zeros_like(pose.qd))
        return self.pipeline.init(self._system(body), pose.q, pose.qd)

    @brax_rules()
    def _advance(self, physics: Physics, action: Float[Array, "8"], body: Body) -> Physics:
        system = self._system(body)
        action = jnp.clip(action, -1.0, 1.0)

        def substep(physics: Physics, _: None) -> tuple[Physics, None]:
            if self.template is not None:
                return move(system, self.template, self.quirks, physics, action), None
            return self.pipeline.step(system, physics, action), None

        return jax.lax.scan(substep, physics, None, length=self.num_substeps)[0]

    def _system(self, body: Body) -> System:
        different = iter(body.leaves)
        leaves = [
            next(different) if differs else jnp.asarray(leaf)
            for leaf, differs in zip(self.base, self.differs, strict=True)
        ]
        return jax.tree.unflatten(self.treedef, leaves)


def build_engine(
    body: BodyName, variation_set: Literal["paper", "reference", "najarro"], pipeline: PipelineName
) -> Engine:
    """Builds the physics of a set of bodies, which takes a second or two."""
    lower_legs = LOWER_LEGS[variation_set]
    num_substeps = SUBSTEPS[body, pipeline]
    with jax.ensure_compile_time_eval(), brax_rules():
        systems = [
            load_system(body, pipeline, lengths, num_substeps) for lengths in lower_legs.values()
        ]
        template = (
            jax.tree.map(np.asarray, mjx.make_data(systems[0])) if pipeline == "mjx" else None
        )
        flat = [[np.asarray(leaf) for leaf in jax.tree.leaves(system)] for system in systems]
        joint_range = np.asarray(systems[0].jnt_range, np.float32)[1:]
    differs = tuple(
        any(not np.array_equal(leaf, leaves[0]) for leaf in leaves)
        for leaves in zip(*flat, strict=True)
    )
    different = [
        tuple(leaf for leaf, differ in zip(leaves, differs, strict=True) if differ)
        for leaves in flat
    ]
    return Engine(
        pipeline=importlib.import_module(f"brax.{pipeline}.pipeline"),
        num_substeps=num_substeps,
        step_duration=BULLET_STEP if body == "bullet" else BRAX_STEP,
        quirks=QUIRKS[body],
        base=tuple(flat[0]),
        treedef=jax.tree.structure(systems[0]),
        differs=differs,
        bodies=dict(zip(lower_legs, zip(different, lower_legs.values(), strict=True), strict=True)),
        template=template,
        joint_range=joint_range,
    )


def load_system(
    body: BodyName, pipeline: PipelineName, lower_legs: LowerLegs, num_substeps: int
) -> System:
    """Loads one body as Brax sees it."""
    duration = BULLET_STEP if body == "bullet" else BRAX_STEP
    xml = (
        bullet_xml(lower_legs, BULLET_STEP / num_substeps)
        if body == "bullet"
        else brax_xml(lower_legs)
    )
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore",
            message="Brax System, piplines and environments are not actively",
            category=UserWarning,
        )
        system: Any = mjcf.loads(xml)

    # As Brax's own environment of the ant sets them.
    system = system.tree_replace({"opt.timestep": jnp.float32(duration / num_substeps)})
    if pipeline == "mjx":
        system = system.tree_replace(
            {
                "opt.solver": mjx.SolverType.NEWTON,
                "opt.disableflags": mjx.DisableBit.EULERDAMP,
                "opt.iterations": 1,
                "opt.ls_iterations": 4,
            }
        )
    return system
