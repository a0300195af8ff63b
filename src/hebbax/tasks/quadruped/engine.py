"""The quadruped's physics: MuJoCo's, through Brax, as pure functions of a body."""

import dataclasses
from types import MappingProxyType
from typing import Any, Literal, final

import jax
import jax.numpy as jnp
import numpy as np
from brax.base import System
from brax.io import mjcf
from jaxtyping import Array, Float
from mujoco import mjx

from hebbax.tasks.libraries import physics_rules, without_brax_warning
from hebbax.tasks.quadruped.anatomy import LOWER_LEGS, Pose
from hebbax.tasks.quadruped.batching import flat_vmap
from hebbax.tasks.quadruped.bodies import LowerLegs, brax_xml, bullet_xml
from hebbax.tasks.quadruped.motion import QUIRKS, EngineQuirks, Motion, move
from hebbax.types import Struct

BodyName = Literal["bullet", "brax"]

STEPS = MappingProxyType({"bullet": 0.0165, "brax": 0.05})  # s, of one policy step.

# How many substeps a policy step has. Brax's body has as many as in Brax. The paper's: 120
# episodes of 300 steps, full torque in random directions, in all five bodies, no episode left the
# finite numbers, and the fastest joint (99% of steps below 85 rad/s with 2 substeps, 74 with 3, 71
# with 12 of 20 solver iterations), the torso's height (0.51 m on average with 2 and with 3) and the
# distance covered (0.47 +- 0.03 and 0.52 +- 0.05 m) do not tell 2 substeps from more. A second
# solver iteration changes them as little, and costs a fifth.
SUBSTEPS = MappingProxyType({"bullet": 2, "brax": 5})


class Body(Struct):
    """What differs between two variations of the quadruped.

    leaves: the arrays of Brax's `System` that differ between the bodies of a set.
    lower_legs: `[4]` m along x and along y, the length of each leg's lower part.
    """

    leaves: tuple[Array, ...]
    lower_legs: Float[Array, "4"]


@final
@dataclasses.dataclass(frozen=True, eq=False)
class Engine:
    """Physics of one set of bodies.

    The arrays in which bodies do not differ are constants of the engine, in NumPy, so that programs
    on any device may close over them.
    """

    num_substeps: int
    step_duration: float
    quirks: EngineQuirks
    base: tuple[np.ndarray, ...]
    treedef: Any
    differs: tuple[bool, ...]
    bodies: dict[str, tuple[tuple[np.ndarray, ...], LowerLegs]]
    template: mjx.Data
    joint_range: np.ndarray

    def variation(self, name: str) -> Body:
        """Returns a body by its name."""
        leaves, lower_legs = self.bodies[name]
        return Body(
            leaves=tuple(jnp.asarray(leaf) for leaf in leaves),
            lower_legs=jnp.asarray(lower_legs, jnp.float32),
        )

    def start(self, pose: Pose) -> Motion:
        """What a body carries that is placed in a pose."""
        return Motion(q=pose.q, qd=pose.qd, warmstart=jnp.zeros_like(pose.qd))

    def step(self, motion: Motion, action: Float[Array, "8"], body: Body) -> Motion:
        """Moves a body by one policy step; actions beyond +-1 are as good as +-1."""
        return flat_vmap(self._advance)(motion, action, body)

    # What `flat_vmap` maps is traced again, long after its caller has returned, wherever a `vmap`
    # comes round a `scan`: so it has the rules itself.
    @physics_rules()
    def _advance(self, motion: Motion, action: Float[Array, "8"], body: Body) -> Motion:
        system = self._system(body)
        action = jnp.clip(action, -1.0, 1.0)

        def substep(motion: Motion, _: None) -> tuple[Motion, None]:
            return move(system, self.template, self.quirks, motion, action), None

        return jax.lax.scan(substep, motion, None, length=self.num_substeps)[0]

    def _system(self, body: Body) -> System:
        different = iter(body.leaves)
        leaves = [
            next(different) if differs else jnp.asarray(leaf)
            for leaf, differs in zip(self.base, self.differs, strict=True)
        ]
        return jax.tree.unflatten(self.treedef, leaves)


def build_engine(body: BodyName, variation_set: Literal["paper", "reference", "najarro"]) -> Engine:
    """Builds the physics of a set of bodies, which takes a second or two."""
    lower_legs = LOWER_LEGS[variation_set]
    num_substeps = SUBSTEPS[body]
    with jax.ensure_compile_time_eval(), physics_rules():
        systems = [load_system(body, lengths, num_substeps) for lengths in lower_legs.values()]
        template = jax.tree.map(np.asarray, mjx.make_data(systems[0]))
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
        num_substeps=num_substeps,
        step_duration=STEPS[body],
        quirks=QUIRKS[body],
        base=tuple(flat[0]),
        treedef=jax.tree.structure(systems[0]),
        differs=differs,
        bodies=dict(zip(lower_legs, zip(different, lower_legs.values(), strict=True), strict=True)),
        template=template,
        joint_range=joint_range,
    )


def load_system(body: BodyName, lower_legs: LowerLegs, num_substeps: int) -> System:
    """Loads one body as Brax sees it."""
    timestep = STEPS[body] / num_substeps
    xml = bullet_xml(lower_legs, timestep) if body == "bullet" else brax_xml(lower_legs)
    with without_brax_warning():
        system: Any = mjcf.loads(xml)

    # As Brax's own environment of the ant sets them.
    return system.tree_replace(
        {
            "opt.timestep": jnp.float32(timestep),
            "opt.solver": mjx.SolverType.NEWTON,
            "opt.disableflags": mjx.DisableBit.EULERDAMP,
            "opt.iterations": 1,
            "opt.ls_iterations": 4,
        }
    )
