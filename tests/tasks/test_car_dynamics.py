"""How the car moves, against Box2D's recordings and what can be worked out by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hebbax.tasks.car_racing.dynamics import (
    ANGULAR_SLOP,
    HULL_INERTIA,
    HULL_MASS,
    STEERING_LIMIT,
    STEERING_SPEED,
    STEP,
    WHEEL_INERTIA,
    WHEEL_MASS,
    Car,
    Controls,
    Variation,
    drive,
    joint_angles,
    place_car,
)
from tasks.car_golden import RUNS, drive_all, load

TOTAL_MASS = HULL_MASS + 4 * WHEEL_MASS
ON_ROAD = jnp.ones(4, bool)


def variation(
    friction: float = 1.0, force: tuple[float, float] = (0.0, 0.0), slip: float = 0.0
) -> Variation:
    return Variation(friction=jnp.float32(friction), force=jnp.array(force), slip=jnp.float32(slip))


def controls(steering: float = 0.0, gas: float = 0.0, brake: float = 0.0) -> Controls:
    return Controls(steering=jnp.float32(steering), gas=jnp.float32(gas), brake=jnp.float32(brake))


def drive_for(steps: int, car: Car, held: Controls, case: Variation) -> Car:
    """All cars on the way, `[steps, ...]`."""

    def advance(car: Car, _: None) -> tuple[Car, Car]:
        car = drive(car, held, ON_ROAD, case)
        return car, car

    return jax.lax.scan(advance, car, None, length=steps)[1]


@pytest.fixture(scope="module")
def standing() -> Car:
    """A car that looks along y, its wheels in place."""
    return place_car(jnp.zeros(2), jnp.zeros(()))


@pytest.mark.parametrize("run", RUNS)
def test_trajectory_is_the_recorded_one(run: str):
    """300 steps, within 1 cm and 0.001 rad, spinning cars included.

    Float32's roundings grow to half of that.

    Wrong without the cap of the speed, the winding up of the joints' limits, any order of Box2D's
    steps, or any force.
    """
    golden, races = load("car_trajectories.npz"), drive_all().races
    rows = golden["rows"]
    car = jax.tree.map(lambda leaf: leaf[RUNS.index(run), rows], races.car)
    np.testing.assert_allclose(car.center[:, 0], golden[f"{run}/center"], rtol=0, atol=1e-2)
    np.testing.assert_allclose(car.angle[:, 0], golden[f"{run}/angle"], rtol=0, atol=1e-3)
    np.testing.assert_allclose(
        jax.vmap(joint_angles)(car), golden[f"{run}/joint"], rtol=0, atol=1e-4
    )
    np.testing.assert_allclose(car.rolling, golden[f"{run}/rolling"], rtol=0, atol=1e-2)
    np.testing.assert_allclose(car.phase, golden[f"{run}/phase"], rtol=0, atol=1e-2)
    np.testing.assert_array_equal(car.is_skidding, golden[f"{run}/skid"] > 0)


def test_push_without_grip(standing: Car):
    """A push moves hull and wheels as one mass.

    It turns them, as it acts on the hull's centre instead of everybody's.
    """
    cars = drive_for(50, standing, controls(), variation(friction=0.0, force=(3.0, 0.0)))
    momentum = HULL_MASS * cars.velocity[:, 0] + WHEEL_MASS * jnp.sum(cars.velocity[:, 1:], axis=1)
    expected = 3.0 * STEP * np.arange(1, 51)
    np.testing.assert_allclose(momentum[:, 0], expected, rtol=1e-4)
    np.testing.assert_allclose(momentum[:, 1], 0.0, atol=1e-5)
    assert abs(float(cars.spin[-1, 0])) > 1e-4


def test_momentum_is_kept(standing: Car):
    """Steering in mid-air turns the hull against the wheels.

    Momentum and angular momentum stay as they were.
    """
    velocity = jnp.array([[3.0, 4.0], [1.0, 9.0], [5.0, 2.0], [0.0, 4.0], [7.0, 7.0]])
    car = standing.replace(velocity=velocity, spin=jnp.array([1.0, 20.0, -30.0, 5.0, 0.0]))
    moved = drive(car, controls(steering=0.3), ON_ROAD, variation(friction=0.0))
    masses = np.array([HULL_MASS] + 4 * [WHEEL_MASS], np.float32)
    inertias = np.array([HULL_INERTIA] + 4 * [WHEEL_INERTIA], np.float32)

    def momenta(velocity: jax.Array, spin: jax.Array) -> tuple[jax.Array, jax.Array]:
        arms = car.center
        orbital = arms[:, 0] * velocity[:, 1] - arms[:, 1] * velocity[:, 0]
        return jnp.sum(masses[:, None] * velocity, axis=0), jnp.sum(
            masses * orbital + inertias * spin
        )

    for before, after in zip(
        momenta(car.velocity, car.spin), momenta(moved.velocity, moved.spin), strict=True
    ):
        np.testing.assert_allclose(after, before, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(moved.spin[1:3] - moved.spin[0], STEERING_SPEED, rtol=1e-5)


def test_steering_goes_beyond_its_limit_and_stays_in_the_slop(standing: Car):
    """A joint runs beyond its limit, is pulled back, and rests in Box2D's slop."""
    joints = drive_for(20, standing, controls(steering=1.0), variation()).angle
    front = np.asarray(joints[:, 1] - joints[:, 0])
    steps_to_limit = int(np.ceil(STEERING_LIMIT / (STEERING_SPEED * STEP)))
    np.testing.assert_allclose(
        np.diff(front)[: steps_to_limit - 2], STEERING_SPEED * STEP, atol=1e-4
    )
    assert front.max() > STEERING_LIMIT
    assert front[-1] <= STEERING_LIMIT + ANGULAR_SLOP + 1e-4


def test_wound_up_limit_lets_go_late(standing: Car):
    """Held against its limit for long, a joint that is steered back a little waits.

    Steered back a lot it comes at once.
    """
    held = jax.tree.map(
        lambda leaf: leaf[-1], drive_for(50, standing, controls(steering=1.0), variation())
    )
    before = float(joint_angles(held)[0])
    for change, waits in ((-0.002, True), (-0.2, False)):
        moved = drive(held, controls(steering=before + change), ON_ROAD, variation())
        assert (abs(float(joint_angles(moved)[0]) - before) < 1e-4) == waits


def test_speed_is_capped(standing: Car):
    """Box2D moves nothing farther than two metres in a step."""
    fast = standing.replace(velocity=jnp.zeros((5, 2)).at[:, 1].set(150.0))
    moved = drive(fast, controls(), ON_ROAD, variation())
    np.testing.assert_allclose(jnp.linalg.norm(moved.velocity, axis=1), 100.0, rtol=1e-5)
    np.testing.assert_allclose(moved.center[0] - fast.center[0], [0.0, 2.0], atol=1e-4)


@pytest.mark.parametrize(
    ("brake", "rolling"), [(0.0, 30.0), (0.5, 22.5), (0.89, 16.65), (0.9, 0.0), (1.0, 0.0)]
)
def test_brakes(brake: float, rolling: float, standing: Car):
    """Without grip brakes take 15 rad/s times their strength in a step.

    From 0.9 on they block the wheels.
    """
    car = standing.replace(rolling=jnp.full(4, 30.0))
    np.testing.assert_allclose(
        drive(car, controls(brake=brake), ON_ROAD, variation(friction=0.0)).rolling,
        rolling,
        rtol=1e-5,
    )


def test_gas_rises_slowly_and_falls_at_once(standing: Car):
    """By a tenth in a step; front wheels are not driven."""
    cars = drive_for(4, standing, controls(gas=1.0), variation(friction=0.0))
    np.testing.assert_allclose(cars.gas, [0.1, 0.2, 0.3, 0.4], rtol=1e-6)
    np.testing.assert_array_equal(cars.rolling[:, :2], 0.0)
    assert jnp.all(cars.rolling[:, 2:] > 0)
    last = jax.tree.map(lambda leaf: leaf[-1], cars)
    assert float(drive(last, controls(), ON_ROAD, variation()).gas) == 0.0
