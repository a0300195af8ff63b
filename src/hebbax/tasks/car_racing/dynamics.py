"""How the car moves: tyres, engine, brakes, steering, and the joints that hold the wheels.

Box2D solves the joints by 180 sweeps over them, which converge. Here the answer is written down:
every wheel turns against the hull at the speed of its steering motor, so hull and wheels move as
one rigid body, with the momentum and spin that all of them had together. One thing does not
converge: a motor that drives its joint beyond a limit and the limit wind each other up, sweep by
sweep, and must unwind before the joint comes back; so that is counted. Box2D's corrections of
position are a few sweeps that stop when they are good enough; these are made as Box2D makes them.

Lengths are in metres, times in seconds, angles in radians, masses in kilograms. Wheels are in the
order front left, front right, rear left, rear right.

Source: OpenAI Gym's CarRacing-v0 by Oleg Klimov, MIT licence, as in gymnasium's
`envs/box2d/car_dynamics.py`; Box2D 2.3's `b2Island` and `b2RevoluteJoint` by Erin Catto, zlib
licence.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from hebbax.types import Struct

STEP = 0.02
UNIT = 0.02  # Metres in a unit of the original's drawing of the car.

# What Box2D makes of the drawing, with a density of 1 for the hull and 0.1 for the wheels.
HULL_MASS = 7.06
HULL_CENTER = np.array([0.0, -0.08253089], np.float32)  # Centre of mass, in the hull's frame.
HULL_INERTIA = float(18.260365 - HULL_MASS * HULL_CENTER[1] ** 2)  # Around the centre of mass.
WHEEL_MASS = 0.06048
WHEEL_INERTIA = 0.0074592
WHEEL_HALF_WIDTH = 14 * UNIT
WHEEL_RADIUS = 27 * UNIT
# In the hull's frame.
WHEEL_PLACES = UNIT * np.array([[-55, 80], [55, 80], [-55, -82], [55, -82]], np.float32)
ARMS = WHEEL_PLACES - HULL_CENTER  # From the centre of mass.
IS_FRONT = np.array([True, True, False, False])

ENGINE_POWER = 1e8 * UNIT**2
ROLLING_INERTIA = 4e3 * UNIT**2  # Of a wheel around its axle.
GRIP = 1e6 * UNIT**2  # N, the most that a tyre holds on the road.
GRASS_GRIP = 0.6  # Relative to the road's.
TYRE_STIFFNESS = 205e3 * UNIT**2  # N per m/s of slip, below the grip.
BRAKE_STEP = 15.0  # rad/s that full brakes take from a wheel in one step.
BLOCKING_BRAKE = 0.9  # From here on a wheel stands still.
GAS_STEP = 0.1  # The most that gas can rise in one step.

STEERING_LIMIT = 0.4
STEERING_GAIN = 50.0  # 1/s
STEERING_SPEED = 3.0  # rad/s
MAX_MOTOR_IMPULSE = 64.8 * STEP

# Box2D's constants.
MAX_SPEED = 2.0 / STEP
LINEAR_SLOP = 0.005
ANGULAR_SLOP = float(np.deg2rad(2.0))
MAX_ANGULAR_CORRECTION = float(np.deg2rad(8.0))
MAX_SWEEPS = 60
# What a motor winds up in the sweeps of one step, in N m s per rad/s.
WINDING = 180 / (1 / HULL_INERTIA + 1 / WHEEL_INERTIA)


class Variation(Struct):
    """What differs between two races.

    friction: `[]` grip of the tyres, on road and grass alike, relative to the original game's.
    force: `[2]` N, a constant push on the hull, in the world's frame.
    slip: `[]` m/s, added to how fast each tyre is taken to slip to the left, in its own frame.
    """

    friction: Float[Array, ""]
    force: Float[Array, "2"]
    slip: Float[Array, ""]


class Controls(Struct):
    """What the driver does.

    steering: `[]` rad, angle wanted of the front wheels, to the left.
    gas: `[]` from 0 to 1.
    brake: `[]` from 0 to 1.
    """

    steering: Float[Array, ""]
    gas: Float[Array, ""]
    brake: Float[Array, ""]


class Car(Struct):
    """Hull and wheels; a body with angle 0 looks along y.

    center: `[5, 2]` m, centres of mass, the hull's first.
    angle: `[5]` rad.
    velocity: `[5, 2]` m/s, of the centres of mass.
    spin: `[5]` rad/s.
    rolling: `[4]` rad/s, of the wheels around their axles.
    phase: `[4]` rad, angle of the wheels around their axles.
    gas: `[]` that the engine gets, from 0 to 1.
    hold: `[4]` N m s, by which the limit of a joint holds up its motor.
    is_skidding: `[4]` whether a tyre would need more than twice its grip.
    """

    center: Float[Array, "5 2"]
    angle: Float[Array, "5"]
    velocity: Float[Array, "5 2"]
    spin: Float[Array, "5"]
    rolling: Float[Array, "4"]
    phase: Float[Array, "4"]
    gas: Float[Array, ""]
    hold: Float[Array, "4"]
    is_skidding: Bool[Array, "4"]


def place_car(point: Float[Array, "2"], angle: Float[Array, ""]) -> Car:
    """Sets a car on a point of the road.

    As in the original the wheels are turned, but not put around the turned hull: the first step
    pulls them into place, and hull and wheels twist.
    """
    hull = point + rotate(jnp.asarray(HULL_CENTER), angle)
    wheels = point[None] + WHEEL_PLACES
    return Car(
        center=jnp.concatenate([hull[None], wheels]),
        angle=jnp.full(5, angle),
        velocity=jnp.zeros((5, 2)),
        spin=jnp.zeros(5),
        rolling=jnp.zeros(4),
        phase=jnp.zeros(4),
        gas=jnp.zeros(()),
        hold=jnp.zeros(4),
        is_skidding=jnp.zeros(4, bool),
    )


def drive(car: Car, controls: Controls, is_on_road: Bool[Array, "4"], variation: Variation) -> Car:
    """Advances the car by one step.

    Args:
        car: the car before the step.
        controls: what the driver does.
        is_on_road: `[4]` which wheels touched the road when contacts were last looked for.
        variation: what differs in this race.

    Returns:
        The car after the step.
    """
    # The steering motors turn the front wheels towards the wanted angle; the rear ones stay at 0.
    motor = jnp.clip(
        STEERING_GAIN * (jnp.where(IS_FRONT, controls.steering, 0.0) - joint_angles(car)),
        -STEERING_SPEED,
        STEERING_SPEED,
    )
    # Gas comes slowly and goes at once.
    gas = car.gas + jnp.minimum(controls.gas - car.gas, GAS_STEP)
    rolling = _brake(_accelerate(car.rolling, gas), controls.brake)
    phase = car.phase + STEP * rolling
    tyre_forces, rolling, is_skidding = _grip(car, rolling, is_on_road, variation)

    forces = jnp.concatenate([variation.force[None], tyre_forces])
    masses = np.array([HULL_MASS] + 4 * [WHEEL_MASS], np.float32)
    velocity, spin, hold = _solve_joints(car, car.velocity + STEP * forces / masses[:, None], motor)
    # Box2D moves no body farther than 2 m in a step.
    speed = jnp.linalg.norm(velocity, axis=1, keepdims=True)
    velocity = velocity * jnp.minimum(1.0, MAX_SPEED / jnp.maximum(speed, 1.0))
    center, angle = _move(car, velocity, spin)
    return Car(
        center=center,
        angle=angle,
        velocity=velocity,
        spin=spin,
        rolling=rolling,
        phase=phase,
        gas=gas,
        hold=hold,
        is_skidding=is_skidding,
    )


def joint_angles(car: Car) -> Float[Array, "4"]:
    """How far each wheel is turned against the hull."""
    return car.angle[1:] - car.angle[0]


def hull_position(car: Car) -> Float[Array, "2"]:
    """Where the origin of the hull's drawing is; the centre of mass is a little behind it."""
    return car.center[0] - rotate(jnp.asarray(HULL_CENTER), car.angle[0])


def rotate(vectors: Float[Array, "*batch 2"], angle: Float[Array, ""]) -> Float[Array, "*batch 2"]:
    """Turns vectors to the left."""
    cosine, sine = jnp.cos(angle), jnp.sin(angle)
    x, y = vectors[..., 0], vectors[..., 1]
    return jnp.stack([cosine * x - sine * y, sine * x + cosine * y], axis=-1)


def _accelerate(rolling: Float[Array, "4"], gas: Float[Array, ""]) -> Float[Array, "4"]:
    """The engine turns the rear wheels, with the same power at any speed but the lowest."""
    return rolling + jnp.where(IS_FRONT, 0.0, STEP * ENGINE_POWER * gas / ROLLING_INERTIA) / (
        jnp.abs(rolling) + 5.0
    )


def _brake(rolling: Float[Array, "4"], brake: Float[Array, ""]) -> Float[Array, "4"]:
    slower = rolling - jnp.sign(rolling) * jnp.minimum(BRAKE_STEP * brake, jnp.abs(rolling))
    return jnp.where(brake >= BLOCKING_BRAKE, 0.0, slower)


def _grip(
    car: Car, rolling: Float[Array, "4"], is_on_road: Bool[Array, "4"], variation: Variation
) -> tuple[Float[Array, "4 2"], Float[Array, "4"], Bool[Array, "4"]]:
    """What the ground does to the tyres.

    Forces on the wheels, how fast these roll then, and whether they skid.
    """
    cosine, sine = jnp.cos(car.angle[1:]), jnp.sin(car.angle[1:])
    x, y = car.velocity[1:, 0], car.velocity[1:, 1]
    # A tyre pulls against its slip: along the wheel against the difference of rolling and moving,
    # across it against moving sideways.
    ahead = TYRE_STIFFNESS * (rolling * WHEEL_RADIUS - (cosine * y - sine * x))
    aside = TYRE_STIFFNESS * (variation.slip - (cosine * x + sine * y))

    # More force than the grip allows is cut to it, in its direction.
    grip = GRIP * variation.friction * jnp.where(is_on_road, 1.0, GRASS_GRIP)
    force = jnp.sqrt(ahead**2 + aside**2)
    share = jnp.where(force > grip, grip / jnp.maximum(force, 1e-6), 1.0)
    ahead, aside = share * ahead, share * aside
    rolling = rolling - STEP * WHEEL_RADIUS / ROLLING_INERTIA * ahead
    forces = jnp.stack([aside * cosine - ahead * sine, aside * sine + ahead * cosine], axis=1)
    return forces, rolling, force > 2 * grip


def _solve_joints(
    car: Car, velocity: Float[Array, "5 2"], motor: Float[Array, "4"]
) -> tuple[Float[Array, "5 2"], Float[Array, "5"], Float[Array, "4"]]:
    """Velocities and spins that the joints allow, and how far the limits are wound up then.

    Momentum and angular momentum of all bodies together stay as they were. A joint beyond its limit
    is not turned further.
    """
    # Box2D warm-starts a joint at its limit with the impulse of the step before; what the limit has
    # been wound up to decides whether the motor may turn the joint.
    limit = _limits_reached(car)
    wound = jnp.abs(limit) * (car.hold + WINDING * limit * motor)
    turning = jnp.where((limit != 0.0) & (wound >= 0.0), 0.0, motor)

    # Converged joints leave one rigid body: its velocity and spin follow from what all bodies have
    # together, about their common centre of mass. Motors turn wheels against the hull beside it.
    total_mass = HULL_MASS + 4 * WHEEL_MASS
    arms = rotate(jnp.asarray(ARMS), car.angle[0])
    # From the hull's centre to that of all bodies.
    arm = WHEEL_MASS / total_mass * jnp.sum(arms, axis=0)
    inertia = (
        HULL_INERTIA
        + 4 * WHEEL_INERTIA
        + WHEEL_MASS * np.sum(ARMS**2)
        - np.sum((WHEEL_MASS * np.sum(ARMS, axis=0)) ** 2) / total_mass
    )

    momentum = HULL_MASS * velocity[0] + WHEEL_MASS * jnp.sum(velocity[1:], axis=0)
    angular_momentum = HULL_INERTIA * car.spin[0] + jnp.sum(
        WHEEL_MASS * _cross(arms, velocity[1:]) + WHEEL_INERTIA * (car.spin[1:] - turning)
    )
    spin = (angular_momentum - _cross(arm, momentum)) / float(inertia)
    hull = momentum / total_mass - spin * _left_of(arm)
    wheels = hull[None] + spin * _left_of(arms)
    # What the motors and limits gave to the wheels, which the next step starts from.
    impulse = WHEEL_INERTIA * (spin + turning - car.spin[1:])
    hold = jnp.clip(wound, 0.0, jnp.abs(limit) * (MAX_MOTOR_IMPULSE - limit * impulse))
    return (
        jnp.concatenate([hull[None], wheels]),
        jnp.concatenate([spin[None], spin + turning]),
        hold,
    )


def _limits_reached(car: Car) -> Float[Array, "4"]:
    """1 for joints at or beyond their limit to the left, -1 to the right, else 0."""
    joint = joint_angles(car)
    return jnp.where(joint >= STEERING_LIMIT, 1.0, jnp.where(joint <= -STEERING_LIMIT, -1.0, 0.0))


def _move(
    car: Car, velocity: Float[Array, "5 2"], spin: Float[Array, "5"]
) -> tuple[Float[Array, "5 2"], Float[Array, "5"]]:
    """Moves every body by itself, then pulls the joints together, as Box2D does.

    Joint by joint, until a sweep finds all of them good enough.
    """
    limit = _limits_reached(car)

    def sweep(
        sweeps: tuple[Array, Array, Int[Array, ""], Bool[Array, ""]],
    ) -> tuple[Array, Array, Int[Array, ""], Bool[Array, ""]]:
        center, angle, count, _ = sweeps
        center, angle, is_good = _pull_together(center, angle, limit)
        return center, angle, count + 1, is_good

    moved = sweep(
        (car.center + STEP * velocity, car.angle + STEP * spin, jnp.int32(0), jnp.zeros((), bool))
    )
    center, angle, _, _ = jax.lax.while_loop(
        lambda sweeps: ~sweeps[3] & (sweeps[2] < MAX_SWEEPS), sweep, moved
    )
    return center, angle


def _pull_together(
    center: Float[Array, "5 2"], angle: Float[Array, "5"], limit: Float[Array, "4"]
) -> tuple[Float[Array, "5 2"], Float[Array, "5"], Bool[Array, ""]]:
    """One sweep over the joints, in Box2D's order.

    The last result is whether all were good enough before it.
    """
    hull, hull_angle = center[0], angle[0]
    wheels, wheel_angles = list(center[1:]), list(angle[1:])
    is_good = jnp.ones((), bool)
    for i in (3, 2, 1, 0):
        # A joint beyond its limit is turned back, all but a slop.
        excess = limit[i] * (wheel_angles[i] - hull_angle) - STEERING_LIMIT
        turn = (
            limit[i]
            * jnp.clip(excess - ANGULAR_SLOP, 0.0, MAX_ANGULAR_CORRECTION)
            / (1 / HULL_INERTIA + 1 / WHEEL_INERTIA)
        )
        hull_angle = hull_angle + turn / HULL_INERTIA
        wheel_angles[i] = wheel_angles[i] - turn / WHEEL_INERTIA

        # Then the wheel and the end of its arm are pulled together, each by its inverse mass.
        arm = rotate(jnp.asarray(ARMS[i]), hull_angle)
        gap = wheels[i] - hull - arm
        impulse = _impulse(arm, gap)
        hull = hull - impulse / HULL_MASS
        hull_angle = hull_angle - _cross(arm, impulse) / HULL_INERTIA
        wheels[i] = wheels[i] + impulse / WHEEL_MASS
        is_excess_good = (limit[i] == 0.0) | (excess <= ANGULAR_SLOP)
        is_good = is_good & is_excess_good & (jnp.sum(gap**2) <= LINEAR_SLOP**2)
    return jnp.stack([hull, *wheels]), jnp.stack([hull_angle, *wheel_angles]), is_good


def _impulse(arm: Float[Array, "2"], gap: Float[Array, "2"]) -> Float[Array, "2"]:
    """What closes a gap between a wheel and the end of its arm, to first order."""
    # The matrix by which an impulse at the joint closes a gap; the wheel turns freely about it.
    diagonal = 1 / HULL_MASS + 1 / WHEEL_MASS
    xx, yy, xy = (
        diagonal + arm[1] ** 2 / HULL_INERTIA,
        diagonal + arm[0] ** 2 / HULL_INERTIA,
        -arm[0] * arm[1] / HULL_INERTIA,
    )
    determinant = xx * yy - xy**2
    return -jnp.stack([yy * gap[0] - xy * gap[1], xx * gap[1] - xy * gap[0]]) / determinant


def _cross(
    first: Float[Array, "*batch 2"], second: Float[Array, "*batch 2"]
) -> Float[Array, "*batch"]:
    return first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0]


def _left_of(vectors: Float[Array, "*batch 2"]) -> Float[Array, "*batch 2"]:
    return jnp.stack([-vectors[..., 1], vectors[..., 0]], axis=-1)
