"""What the quadruped senses and scores, against what PyBullet's AntBullet recorded."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hebbax.tasks.quadruped.anatomy import LOWER_LEGS, Limbs, Pose, place_limbs
from hebbax.tasks.quadruped.senses import observe, progress
from tasks.quadruped_golden import GAITS, NAMES, STEP, load_run

HIPS = np.deg2rad([[-40.0, 40.0]])
JOINT_RANGE = jnp.asarray(
    np.concatenate(
        [
            np.concatenate([HIPS, np.deg2rad([limits])])
            for limits in ([30.0, 100.0], [-100.0, -30.0], [-100.0, -30.0], [30.0, 100.0])
        ]
    ),
    jnp.float32,
)


def place_all(name: str, poses: Pose) -> Limbs:
    lower_legs = jnp.asarray(LOWER_LEGS["reference"][name], jnp.float32)
    return jax.vmap(lambda pose: place_limbs(pose, lower_legs))(poses)


@pytest.mark.parametrize("gait", GAITS)
@pytest.mark.parametrize("name", NAMES)
def test_observations_are_the_recorded_ones(name: str, gait: str):
    """All rows, from recorded poses, velocities and contacts.

    Wrong with any sign, frame, scale or order changed.
    """
    poses, data = load_run("quadruped_trajectories.npz", f"{name}/{gait}")
    limbs = place_all(name, poses)
    # A contact is sensed one step after it was made.
    has_contact = jnp.asarray(np.concatenate([np.zeros((1, 4), bool), data["feet_touch"][:-1]]))
    observations = jax.vmap(
        lambda pose, center, touch: observe(pose, center, touch, 0.75, JOINT_RANGE)
    )(poses, limbs.center, has_contact)
    np.testing.assert_allclose(observations, data["obs"], rtol=0, atol=1e-3)


@pytest.mark.parametrize("gait", GAITS)
@pytest.mark.parametrize("name", NAMES)
def test_progress_is_the_recorded_one(name: str, gait: str):
    """All rows; wrong without the floor among the parts or without the legs' lag.

    The first row alone takes the recorded place of the parts: after a reset Bullet still holds the
    legs of the episode before.
    """
    poses, data = load_run("quadruped_trajectories.npz", f"{name}/{gait}")
    centers = place_all(name, poses).center.at[0].set(data["parts_mean_xy"][0])
    speeds = jax.vmap(progress)(centers[:-1], centers[1:]) / STEP
    np.testing.assert_allclose(speeds, data["progress"][1:], rtol=0, atol=1e-3)


@pytest.mark.parametrize("name", NAMES)
def test_contacts_are_seen_by_geometry(name: str):
    """The gap of a touching lower leg agrees with Bullet's contacts on 96 of 100 rows."""
    poses, data = load_run("quadruped_trajectories.npz", f"{name}/sin_inphase")
    agreement = np.mean((place_all(name, poses).clearance < 0.01) == data["feet_touch"])
    assert agreement > 0.96


def test_progress_is_exact_far_away():
    """A step of a millimetre, a hundred metres out.

    There a float32's distance has steps of 0.06 mm.
    """
    before, after = jnp.array([100.0, 30.0]), jnp.array([100.0 + 2**-10, 30.0])
    exact = np.hypot(900.0, 30.0) - np.hypot(900.0 - 2**-10, 30.0)
    assert abs(float(progress(before, after)) - exact) < 1e-5 * exact


def test_limbs_of_a_standing_body():
    """Legs straight out and level.

    Knees 0.4 m, feet 0.8 m along x and y, all in the torso's plane.
    """
    pose = Pose(q=jnp.zeros(15).at[2:4].set(jnp.array([0.75, 1.0])), qd=jnp.zeros(14))
    limbs = place_limbs(pose, jnp.full(4, 0.4))
    np.testing.assert_allclose(limbs.clearance, 0.67, atol=1e-6)
    np.testing.assert_allclose(limbs.center, 0.0, atol=1e-6)


def test_feet_go_down_as_ankles_bend():
    """By sin of the bend times the lower leg's length, for a short leg a quarter of that."""
    bend = jnp.deg2rad(30.0) * jnp.array([0.0, 1.0, 0.0, -1.0, 0.0, -1.0, 0.0, 1.0])
    pose = Pose(
        q=jnp.concatenate([jnp.array([0.0, 0.0, 0.75, 1.0, 0.0, 0.0, 0.0]), bend]), qd=jnp.zeros(14)
    )
    limbs = place_limbs(pose, jnp.array([0.1, 0.4, 0.4, 0.4]))
    np.testing.assert_allclose(
        limbs.clearance, 0.67 - np.array([0.1, 0.4, 0.4, 0.4]) * np.sqrt(0.5), atol=1e-6
    )
