"""How often the quadruped's physics leaves the finite numbers.

Bodies that are thrown into the air with a spin and then driven at random.

Each of `--throws` bodies begins `HEIGHT` above the ground, turned at random and turning about a
random axis, and has full torque in random directions for `--steps` policy steps; with and without
the bound on a body's rotation, `motion.MAX_TURN`. Writes `benchmarks/results/thrown-bodies.json`.
"""

import math

import harness
import jax
import jax.numpy as jnp
from harness import fields
from jaxtyping import Array, Bool, Float

from hebbax.evolution.rollout import stack
from hebbax.tasks.quadruped import Quadruped, engine, motion
from hebbax.tasks.quadruped.anatomy import Pose
from hebbax.types import PRNGKey

HEIGHT = 2.0  # m
TURNS = {"without bound": math.inf, "with bound": motion.MAX_TURN}  # rad, in a substep.
SPINS = (10.0, 20.0, 30.0, 50.0, 100.0)  # rad/s
FIELDS = fields(
    "environment throws steps",
    non_finite={
        body: {"*": {"*": fields(" ".join(map(str, SPINS)))}} for body in ("brax", "bullet")
    },
)


def main() -> None:
    options = harness.arguments(__doc__, throws=(64, 2), steps=(60, 2)).parse_args()
    results = {
        "throws": options.throws,
        "steps": options.steps,
        "non_finite": {
            body: {
                name: count(body, turn, options.throws, options.steps)
                for name, turn in TURNS.items()
            }
            for body in ("brax", "bullet")
        },
    }
    harness.write(options, "thrown-bodies", results, FIELDS, results)


def count(
    body: engine.BodyName, max_turn: float, num_throws: int, steps: int
) -> dict[str, dict[str, int]]:
    """How many throws of each variation failed, by their spin."""
    motion.MAX_TURN = max_turn
    task = Quadruped(body=body, burn_in_steps=0)
    physics = engine.build_engine(body, "paper")

    def throw(key: PRNGKey, spin: Float[Array, ""], variation: engine.Body) -> Bool[Array, ""]:
        turn_key, spin_key, action_key = jax.random.split(key, 3)
        quaternion, axis = jax.random.normal(turn_key, (4,)), jax.random.normal(spin_key, (3,))
        start, _ = task.reset(key, variation)
        q = start.physics.q.at[2].set(HEIGHT).at[3:7].set(quaternion / jnp.linalg.norm(quaternion))
        qd = jnp.zeros(14).at[3:6].set(spin * axis / jnp.linalg.norm(axis))
        actions = jnp.sign(jax.random.normal(action_key, (steps, 8)))
        thrown = physics.start(Pose(q=q, qd=qd))
        end, _ = jax.lax.scan(
            lambda state, action: (physics.step(state, action, variation), None), thrown, actions
        )
        return ~jnp.all(jnp.isfinite(end.q))

    keys = jax.random.split(jax.random.key(0), num_throws)
    throws = jax.jit(jax.vmap(jax.vmap(throw, in_axes=(0, None, None)), in_axes=(None, None, 0)))
    failures = [
        jnp.sum(throws(keys, jnp.asarray(spin), stack(task.variations)), axis=1).tolist()
        for spin in SPINS
    ]
    return {
        name: dict(zip(map(str, SPINS), by_spin, strict=True))
        for name, by_spin in zip(task.variations, zip(*failures, strict=True), strict=True)
    }


if __name__ == "__main__":
    main()
