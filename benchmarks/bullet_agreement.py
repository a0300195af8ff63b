"""How near the quadruped's physics comes to PyBullet's, where two engines cannot agree.

Without contact they do, which the tests hold: here is what contact makes of it. Two comparisons on
each of the five bodies of the reference set:

    replay: from every tenth recorded state the next recorded actions are repeated; the figure is
        how far torso and joints are from the recorded ones after some steps. Contact is chaotic, so
        errors grow.
    lifetimes: lifetimes of the task under the recorded actions, from starts of their own, against
        the one that was recorded: distance, height, speeds.

It writes `benchmarks/results/bullet_agreement.json`, and prints it.
"""

import itertools
import sys
from pathlib import Path
from typing import Any

import harness
import jax
import jax.numpy as jnp
import numpy as np
from harness import fields

from hebbax import devices
from hebbax.tasks.quadruped import Quadruped
from hebbax.tasks.quadruped.anatomy import Pose, place_limbs
from hebbax.tasks.quadruped.engine import build_engine

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from tasks.quadruped_golden import GAITS, NAMES, STEP, load_actions, load_run

BURN_IN = 40  # Steps, after which the recorded actions begin.
HORIZONS = (1, 5, 20)  # Steps.
LIFETIMES = 20
INITIAL_HEIGHT = 0.75  # m
FIGURES = ("distance_m", "height_m", "joint_speed_rad_per_s", "legs_on_ground")
FIELDS = fields(
    "environment",
    replay=fields("body gait torso_m joints_rad"),
    lifetimes=fields("body gait", **dict.fromkeys(FIGURES, fields("recorded mean std"))),
)


def main() -> None:
    options = harness.arguments(__doc__).parse_args()
    devices.use_compilation_cache()
    pairs = [*itertools.product(NAMES, GAITS)][: 1 if options.tiny else None]
    results = {
        what: [{"body": name, "gait": gait, **compare(name, gait)} for name, gait in pairs]
        for what, compare in (("replay", replay), ("lifetimes", compare_lifetimes))
    }
    harness.write(options, "bullet_agreement", results, FIELDS, results)


def replay(name: str, gait: str) -> dict[str, list[float]]:
    """Median errors over recorded starts, for each horizon."""
    engine = build_engine("bullet", "reference")
    actions = load_actions(gait)
    poses, _ = load_run("quadruped_trajectories.npz", f"{name}/{gait}")
    starts = np.arange(0, len(actions) - max(HORIZONS), 10)
    body = engine.variation(name)

    @jax.jit
    @jax.vmap
    def follow(pose: Pose, actions: jax.Array) -> Pose:
        def advance(physics: Any, action: jax.Array) -> tuple[Any, Pose]:
            physics = engine.step(physics, action, body)
            return physics, Pose(q=physics.q, qd=physics.qd)

        return jax.lax.scan(advance, engine.start(pose), actions)[1]

    rows = BURN_IN + starts
    windows = jnp.stack([actions[start : start + max(HORIZONS)] for start in starts])
    ours = follow(jax.tree.map(lambda leaf: leaf[rows], poses), windows)
    horizons = np.array(HORIZONS)
    theirs = np.asarray(poses.q)[rows[:, None] + horizons]
    difference = np.abs(np.asarray(ours.q)[:, horizons - 1] - theirs)
    return {
        "torso_m": np.median(np.linalg.norm(difference[..., :3], axis=2), axis=0).tolist(),
        "joints_rad": np.median(np.max(difference[..., 7:], axis=2), axis=0).tolist(),
    }


def compare_lifetimes(name: str, gait: str) -> dict[str, dict[str, float]]:
    """What a lifetime amounts to, recorded and ours (mean and standard deviation over starts)."""
    task, actions = Quadruped(variation_set="reference"), load_actions(gait)
    body = task.variations[name]

    @jax.jit
    @jax.vmap
    def live(key: jax.Array) -> dict[str, jax.Array]:
        state, _ = task.reset(key, body)

        def advance(state: Any, action: jax.Array) -> tuple[Any, Any]:
            state, _, reward, _ = task.step(state, action, body)
            return state, (reward, state.physics.q, state.physics.qd, state.has_contact)

        return summarize(*jax.lax.scan(advance, state, actions)[1])

    poses, data = load_run("quadruped_trajectories.npz", f"{name}/{gait}")
    past = jax.tree.map(lambda leaf: leaf[BURN_IN + 1 :], poses)
    touches = jax.vmap(lambda pose: place_limbs(pose, body.lower_legs).clearance < 0.01)(past)
    recorded = summarize(jnp.asarray(data["progress"][BURN_IN + 1 :]), past.q, past.qd, touches)
    ours = live(jax.random.split(jax.random.key(0), LIFETIMES))
    return {
        what: {
            "recorded": float(recorded[what]),
            "mean": float(jnp.mean(ours[what])),
            "std": float(jnp.std(ours[what])),
        }
        for what in recorded
    }


def summarize(
    rewards: jax.Array, q: jax.Array, qd: jax.Array, touches: jax.Array
) -> dict[str, jax.Array]:
    """Distance, height of the torso, joint speed and share of legs on the ground, all means."""
    return {
        "distance_m": jnp.sum(rewards) * STEP,
        "height_m": jnp.mean(q[:, 2]),
        "joint_speed_rad_per_s": jnp.mean(jnp.abs(qd[:, 6:])),
        "legs_on_ground": jnp.mean(touches),
    }


if __name__ == "__main__":
    main()
