"""How near the racer's physics comes to Box2D's, live, on random tracks under random driving.

The same uniform draws make the same track in gymnasium's CarRacing-v3 and here, both are driven by
the same actions in the same variation, one of the paper's five after the other, and every step is
compared. It needs `gymnasium[box2d]` beside hebbax, which is no dependency; it prints a table and
writes `benchmarks/results/box2d-agreement.json`.
"""

from types import SimpleNamespace
from typing import Any

import harness
import jax
import numpy as np
from harness import fields

from hebbax.tasks.car_racing import CarRacing
from hebbax.tasks.car_racing.dynamics import joint_angles
from hebbax.tasks.car_racing.task import start_race
from hebbax.tasks.car_racing.track import NUM_CHECKPOINTS, SECTOR, TRACK_RADIUS, draw_laps, pave

GRIP = 400.0  # N, of a tyre on the road.
SPIN = 3.0  # rad/s, from which on a car counts as spinning.
COLUMNS = ("position (m)", "angle (rad)", "joint angle (rad)", "wheel speed (rad/s)", "reward")
OTHER_TILES = "races with another number of tiles visited"
OTHER_WHEELS = "steps of a wheel on the road here and not there, or the reverse"
ERRORS = dict.fromkeys(COLUMNS, fields("median 95% largest"))
FIELDS = {
    "gymnasium": None,
    "races": None,
    OTHER_TILES: None,
    OTHER_WHEELS: None,
    "after 50 steps": ERRORS,
    harness.OTHERS: ERRORS,
}


TASK = CarRacing(view="state", patience=None, is_squashed=False)


def main() -> None:
    options = harness.arguments(__doc__, races=(200, 2), steps=(300, 60)).parse_args()

    import gymnasium
    from gymnasium.envs.box2d import car_racing

    env = car_racing.CarRacing()
    env._render = lambda mode: None
    random = np.random.default_rng(0)
    compared = [
        compare(car_racing, env, random, options.steps, list(TASK.variations.values())[number % 5])
        for number in range(options.races)
    ]
    errors = np.stack([race["errors"] for race in compared])
    is_spinning = np.array([race["is_spinning"] for race in compared])
    results = {
        "gymnasium": gymnasium.__version__,
        "races": options.races,
        "after 50 steps": summarise(errors[:, :50]),
        **{
            f"after {options.steps} steps, {how} ({int(np.sum(chosen))})": summarise(errors[chosen])
            for how, chosen in (("never spinning", ~is_spinning), ("spinning", is_spinning))
            if np.any(chosen)
        },
        OTHER_TILES: int(sum(race["is_visited_other"] for race in compared)),
        OTHER_WHEELS: int(sum(race["num_road_other"] for race in compared)),
    }
    harness.write(options, "box2d-agreement", results, FIELDS, results)


@jax.jit
def drive(noise: jax.Array, radius: jax.Array, actions: jax.Array, variation: Any) -> Any:
    """Our own race.

    Positions, angles, joints, wheels, rewards, wheels on the road, tiles visited.
    """

    def step(race: Any, action: jax.Array) -> tuple[Any, tuple]:
        race, _, reward, _ = TASK.step(race, action, variation)
        return race, (
            race.car.center[0],
            race.car.angle[0],
            joint_angles(race.car),
            race.car.rolling,
            reward,
            race.is_on_road,
            race.num_paid,
        )

    lap = jax.tree.map(lambda leaf: leaf[0], draw_laps(noise[None], radius[None]))
    return jax.lax.scan(step, start_race(pave(lap), variation), actions)[1]


def compare(
    car_racing: Any, env: Any, random: np.random.Generator, steps: int, variation: Any
) -> dict[str, Any]:
    """Drives one race in both."""
    draws = start_in_box2d(car_racing, env, random, variation)
    actions = draw_actions(random, steps)
    center, angle, joint, rolling, rewards, is_on_road, num_visited = (
        np.asarray(each) for each in drive(draws[:, 0], draws[:, 1], actions, variation)
    )
    errors, num_road_other, is_spinning = np.zeros((steps, len(COLUMNS))), 0, False
    for number, action in enumerate(actions):
        reward = step_in_box2d(env, action, variation)
        hull, wheels = env.car.hull, env.car.wheels
        errors[number] = (
            np.linalg.norm(center[number] - hull.worldCenter),
            abs(angle[number] - hull.angle),
            np.max(np.abs(joint[number] - [wheel.joint.angle for wheel in wheels])),
            np.max(np.abs(rolling[number] - [wheel.omega for wheel in wheels])),
            abs(rewards[number] - reward),
        )
        num_road_other += np.sum(is_on_road[number] != [len(wheel.tiles) > 0 for wheel in wheels])
        is_spinning |= abs(hull.angularVelocity) > SPIN
    return {
        "errors": errors,
        "is_spinning": is_spinning,
        "num_road_other": num_road_other,
        "is_visited_other": num_visited[-1] != env.tile_visited_count,
    }


def step_in_box2d(env: Any, action: np.ndarray | None, variation: Any) -> float:
    """Pushes the hull, makes a step, and returns its reward."""
    env.car.hull.ApplyForceToCenter([float(force) for force in variation.force], True)
    return env.step(action)[1]


def start_in_box2d(
    car_racing: Any, env: Any, random: np.random.Generator, variation: Any
) -> np.ndarray:
    """Starts a race on a track that closes, and returns what it was drawn from."""
    from gymnasium.envs.box2d import car_dynamics

    car_dynamics.FRICTION_LIMIT = float(variation.friction) * GRIP
    if env.road:
        env._destroy()
    env.reward = env.prev_reward = env.t = 0.0
    env.tile_visited_count, env.new_lap = 0, False
    env.world.contactListener_bug_workaround = car_racing.FrictionDetector(
        env, env.lap_complete_percent
    )
    env.world.contactListener = env.world.contactListener_bug_workaround
    while True:
        noise = random.uniform(0, SECTOR, NUM_CHECKPOINTS)
        radius = random.uniform(TRACK_RADIUS / 3, TRACK_RADIUS, NUM_CHECKPOINTS)
        draws = np.stack([noise, radius], axis=1).astype(np.float32)
        # They stand in for gymnasium's random numbers.
        values = map(float, draws.ravel())
        env._np_random = SimpleNamespace(uniform=lambda *_, values=values: next(values))
        env.road_poly = []
        if env._create_track():
            break
    env.car = car_racing.Car(env.world, *env.track[0][1:4])
    step_in_box2d(env, None, variation)
    return draws


def draw_actions(random: np.random.Generator, steps: int) -> np.ndarray:
    """Sines of random pace in two of three races, noise in the third."""
    if random.random() < 1 / 3:
        return np.clip(random.normal(0, 0.6, (steps, 3)), [-1, 0, 0], 1).astype(np.float32)
    pace, phase = random.uniform(0.01, 0.15, 3), random.uniform(0, 2 * np.pi, 3)
    waves = np.sin(pace * np.arange(steps)[:, None] + phase)
    steering = random.uniform() * waves[:, 0]
    gas = np.clip(0.5 * waves[:, 1] + random.uniform(0, 0.6), 0, 1)
    brake = np.clip(waves[:, 2] - random.uniform(0.3, 1.0), 0, 1)
    return np.stack([steering, gas, brake], axis=1).astype(np.float32)


def summarise(errors: np.ndarray) -> dict[str, dict[str, float]]:
    """Each race by its largest error.

    Of the races the median, the 95th percentile and the largest.
    """
    return {
        name: {
            "median": float(np.median(column)),
            "95%": float(np.percentile(column, 95)),
            "largest": float(np.max(column)),
        }
        for name, column in zip(COLUMNS, np.max(errors, axis=1).T, strict=True)
    }


if __name__ == "__main__":
    main()
