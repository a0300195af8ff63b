"""The bodies against PyBullet's AntBullet.

Masses, shapes, and how they move while nothing touches them.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from brax.base import System
from brax.mjx import pipeline

from hebbax.tasks.quadruped.anatomy import LOWER_LEGS, QUARTERS, Pose
from hebbax.tasks.quadruped.engine import Engine, build_engine
from hebbax.tasks.quadruped.motion import MAX_TURN
from tasks.quadruped_golden import NAMES, Recording, load_model, load_run

MODEL = load_model()
# Bullet lists the torso and its four stubs, which are one body to MuJoCo, apart, then each leg's
# upper and lower part.
LINKS_OF_BODIES = ([0, 1, 4, 7, 10], [2], [3], [5], [6], [8], [9], [11], [12])


@pytest.fixture(scope="module")
def engine() -> Engine:
    return build_engine("bullet", "reference")


@pytest.fixture(scope="module")
def weightless(engine: Engine) -> Engine:
    """The same bodies without gravity.

    Where only `opt.gravity` and Brax's copy of it are (0, 0, -9.8).
    """
    without = [
        np.zeros_like(leaf) if np.array_equal(leaf, np.float32([0.0, 0.0, -9.8])) else leaf
        for leaf in engine.base
    ]
    assert sum(not np.array_equal(a, b) for a, b in zip(without, engine.base, strict=True)) == 2
    return dataclasses.replace(engine, base=tuple(without))


@pytest.fixture(scope="module")
def follow(engine: Engine, weightless: Engine) -> Callable[..., Pose]:
    """Repeats a recorded run: starts where it starts, acts as it acts.

    One step is compiled for each of the two engines.
    """
    falling, floating = jax.jit(engine.step), jax.jit(weightless.step)

    def follow(recording: Recording, name: str = "default") -> Pose:
        body = engine.variation(name)
        advance = falling if recording.data["gravity"] else floating
        physics = engine.start(jax.tree.map(lambda leaf: leaf[0], recording.poses))
        poses = []
        for action in recording.data["actions"]:
            physics = advance(physics, jnp.asarray(action), body)
            poses.append(Pose(q=physics.q, qd=physics.qd))
        return jax.tree.map(lambda *leaves: np.stack(leaves), *poses)

    return follow


def system_of(engine: Engine, name: str) -> System:
    different = iter(engine.bodies[name][0])
    leaves = [
        next(different) if differs else leaf
        for leaf, differs in zip(engine.base, engine.differs, strict=True)
    ]
    return jax.tree.unflatten(engine.treedef, leaves)


@pytest.mark.parametrize("name", NAMES)
def test_masses_and_inertias_are_bullets(engine: Engine, name: str):
    """To 0.1%; wrong without the margin in the inertia, or with a capsule's own inertia."""
    system, model = system_of(engine, name), MODEL[name]
    np.testing.assert_allclose(np.sum(system.body_mass), model["total_mass"], rtol=1e-3)
    for body, indices in enumerate(LINKS_OF_BODIES, start=1):
        links = [model["links"][index] for index in indices]
        mass = sum(link["mass"] for link in links)
        center = sum(link["mass"] * np.array(link["local_inertial_pos"]) for link in links) / mass
        inertia = np.zeros((3, 3))
        for link in links:
            offset = np.array(link["local_inertial_pos"]) - center
            inertia += np.diag(link["local_inertia_diag"]) + link["mass"] * (
                offset @ offset * np.eye(3) - np.outer(offset, offset)
            )
        np.testing.assert_allclose(system.body_mass[body], mass, rtol=1e-3)
        np.testing.assert_allclose(system.body_ipos[body], center, atol=1e-4)
        np.testing.assert_allclose(
            np.diag(system.body_inertia[body]), inertia, rtol=1e-3, atol=1e-6
        )
        np.testing.assert_allclose(np.abs(system.body_iquat[body]), [1, 0, 0, 0], atol=1e-6)


def test_joints_are_bullets(engine: Engine):
    """Limits in radians and axes, in the order of the actions."""
    system, joints = system_of(engine, "default"), MODEL["default"]["joints"]
    np.testing.assert_allclose(
        engine.joint_range, [[joint["lower"], joint["upper"]] for joint in joints], atol=1e-5
    )
    axes = np.array([joint["axis"] for joint in joints])
    np.testing.assert_allclose(
        system.jnt_axis[1:], axes / np.linalg.norm(axes, axis=1, keepdims=True), atol=1e-6
    )


@pytest.mark.parametrize("joint", range(8))
def test_torques_accelerate_as_in_bullet(follow: Callable[..., Pose], joint: int):
    """Joint speeds after the first three steps within 0.2% of the recorded ones.

    Relative to the fastest joint.

    Ankles would be wrong by a factor of two without Bullet's way of reading their axes, what they
    do to the torso by sqrt(2).
    """
    recording = load_run("quadruped_contact_free.npz", f"torque_j{joint}")
    ours, theirs = follow(recording).qd[:3], np.asarray(recording.poses.qd[1:4])
    error = np.max(np.abs(ours - theirs), axis=1) / np.max(np.abs(theirs), axis=1)
    assert np.all(error < 0.002), error


@pytest.mark.parametrize("name", NAMES)
def test_first_accelerations_under_sines_are_bullets(follow: Callable[..., Pose], name: str):
    """All joints at once, in every body.

    The first step's speeds within 0.2% of the fastest joint's.
    """
    recording = load_run("quadruped_contact_free.npz", f"free_sines/{name}")
    ours, theirs = follow(recording, name).qd[0], np.asarray(recording.poses.qd[1])
    assert np.max(np.abs(ours - theirs)) < 0.002 * np.max(np.abs(theirs))


@pytest.mark.device
@pytest.mark.parametrize("name", ["default", "long_back", "long_front"])
def test_free_motion_is_a_cpus(follow: Callable[..., Pose], name: str):
    """Ten steps under sines on all joints: poses within 1e-4 m and rad, on any device."""
    recording = load_run("quadruped_contact_free.npz", f"free_sines/{name}")
    with jax.default_device(jax.devices("cpu")[0]):
        expected = follow(recording, name).q[:10]
    np.testing.assert_allclose(follow(recording, name).q[:10], expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", ["default", "long_back", "long_front"])
def test_free_motion_is_bullets(follow: Callable[..., Pose], name: str):
    """Under sines on all joints for half a second.

    Poses within 0.01 m and rad, where they move by 0.5. A short leg would meet its limits
    meanwhile.
    """
    recording = load_run("quadruped_contact_free.npz", f"free_sines/{name}")
    np.testing.assert_allclose(follow(recording, name).q, recording.poses.q[1:], rtol=0, atol=0.01)


@pytest.mark.parametrize("run", ["free_fall", "lin_damping", "ang_damping_spin_z"])
def test_damping_is_bullets(follow: Callable[..., Pose], run: str):
    """Falling and drifting for a second, turning for a sixth: velocities within 0.5%.

    Wrong without damping by 4% and more.
    """
    recording = load_run("quadruped_contact_free.npz", run)
    np.testing.assert_allclose(
        follow(recording).qd[:, :6], recording.poses.qd[1:, :6], rtol=0.005, atol=0.015
    )


@pytest.mark.parametrize("run", ["hip_limit_push", "limit_push_torque"])
def test_limits_hold(follow: Callable[..., Pose], run: str):
    """A joint pushed against its limit for a second stays within 0.04 rad of it.

    Bullet's overshoots by 0.01.
    """
    angles = follow(load_run("quadruped_contact_free.npz", run)).q[:, 7:]
    lower, upper = (
        np.array([[joint[bound] for joint in MODEL["default"]["joints"]]])
        for bound in ("lower", "upper")
    )
    assert np.max(np.maximum(lower - angles, angles - upper)) < 0.04


@pytest.mark.parametrize("body", ["bullet", "brax"])
@pytest.mark.parametrize("variation_set", ["paper", "reference"])
def test_feet_are_at_the_legs_ends(body: str, variation_set: str):
    """Each foot's sphere in MuJoCo is where the anatomy has it.

    Which leg differs, and by how much.
    """
    engine = build_engine(body, variation_set)
    for name, lower_legs in LOWER_LEGS[variation_set].items():
        system = system_of(engine, name)
        feet = [
            index
            for index in range(system.ngeom)
            if np.linalg.norm(system.geom_pos[index]) > 0.1 and system.geom_contype[index]
        ]
        np.testing.assert_allclose(
            np.asarray(system.geom_pos)[feet][:, :2],
            QUARTERS * np.array(lower_legs)[:, None],
            atol=1e-6,
        )


def test_bodies_can_be_built_inside_a_program():
    """A task that hides the bodies until its first step has them built while JAX traces.

    They come out as numbers all the same.
    """
    engines = []
    jax.jit(lambda: engines.append(build_engine("bullet", "paper")))()
    body = engines[0].variation("long_rear_legs")
    np.testing.assert_allclose(body.lower_legs, [0.4, 0.6, 0.6, 0.4])
    assert isinstance(engines[0].joint_range, np.ndarray)


def test_front_is_ahead_and_left_is_left():
    """Towards +x with +y to the left, in the paper's set."""
    shorter_or_longer = {
        name: [x for x, length in zip(QUARTERS.tolist(), legs, strict=True) if length != 0.4]
        for name, legs in LOWER_LEGS["paper"].items()
    }
    assert shorter_or_longer == {
        "default": [],
        "damaged_front_left": [[1, 1]],
        "damaged_front_right": [[1, -1]],
        "long_rear_legs": [[-1, 1], [-1, -1]],
        "long_front_legs": [[1, 1], [1, -1]],
    }


@pytest.fixture(scope="module")
def ant() -> tuple[Engine, Callable[..., Any]]:
    """Brax's bodies, and how they advance."""
    engine = build_engine("brax", "paper")
    return engine, jax.jit(engine.step)


def test_bodies_that_spin_stay_finite(
    ant: tuple[Engine, Callable[..., Any]], lenient_promotion: None
):
    """A body thrown with a spin of 80 rad/s is slowed down to the fastest spin, and lands.

    It is two metres high and driven at random.

    Mutation: no bound.
    """
    engine, advance = ant
    body = engine.variation("damaged_front_left")
    q = (
        jnp.zeros(15)
        .at[2:4]
        .set(jnp.array([2.0, 1.0]))
        .at[8::2]
        .set(jnp.array([0.8, -0.8, -0.8, 0.8]))
    )
    physics = engine.start(Pose(q=q, qd=jnp.zeros(14).at[3:6].set(jnp.array([60.0, 50.0, 20.0]))))
    spins = []
    for action in jnp.sign(jax.random.normal(jax.random.key(0), (60, 8))):
        physics = advance(physics, action, body)
        spins.append(float(jnp.linalg.norm(physics.qd[3:6])))
    fastest = MAX_TURN / (engine.step_duration / engine.num_substeps)
    # The bound is rounded like the three numbers that are held to it.
    assert max(spins) <= fastest * (1 + 1e-6)
    assert spins[-1] < fastest / 2
    assert jnp.max(jnp.abs(physics.qd[:3])) < 20, "metres a second are what a body has that jumps"


@pytest.mark.filterwarnings("ignore:Accessing `(contact|ncon)` directly:DeprecationWarning")
def test_motion_is_that_of_braxs_pipeline(
    ant: tuple[Engine, Callable[..., Any]], lenient_promotion: None
):
    """The state that is carried is all that Brax's own full state tells.

    Two steps of its ant are the same.
    """
    engine, advance = ant
    body, system = (
        engine.variation("damaged_front_left"),
        jax.tree.map(jnp.asarray, system_of(engine, "damaged_front_left")),
    )
    pose = Pose(
        q=jnp.zeros(15)
        .at[2:4]
        .set(jnp.array([0.4, 1.0]))
        .at[8::2]
        .set(jnp.array([0.8, -0.8, -0.8, 0.8])),
        qd=jnp.zeros(14),
    )
    actions = jnp.sin(jnp.arange(16.0)).reshape(2, 8)

    physics, state = engine.start(pose), jax.jit(pipeline.init)(system, pose.q, pose.qd)
    # What `init` has of a step already stands in the way of comparing: the solver would start from
    # another guess.
    state = state.replace(qacc_warmstart=jnp.zeros(14))
    step = jax.jit(pipeline.step)
    for action in actions:
        physics = advance(physics, action, body)
        for _ in range(engine.num_substeps):
            state = step(system, state, action)
        np.testing.assert_allclose(physics.q, state.q, rtol=0, atol=1e-4)
