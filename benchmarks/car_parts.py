"""What a step of the racer is made of: each part by itself, in microseconds for one race."""

import statistics
from typing import Any

import harness
import jax
import jax.numpy as jnp

from hebbax.presets import PRESETS
from hebbax.tasks.car_racing import CarRacing, render, senses

PARTS = (
    "road_microseconds field_microseconds car_microseconds panel_microseconds frame_microseconds "
    "view_microseconds step_microseconds look_microseconds network_and_plasticity_microseconds"
)
INDIVIDUALS = 2  # A core lives as many of the paper's plastic drivers at a time, ...
LIFETIMES = 4  # ... in so many variations.


def measure_parts(case: Any) -> dict[str, float]:
    """Measures what a view and the paper's policy are made of, some steps into a batch of races."""
    return {
        f"{name}_microseconds": time
        for name, time in (_time_races(case.batch, case.steps) | _time_policy()).items()
    }


def follow_road(race: Any) -> jax.Array:
    """Steers at the road seven metres ahead, at 30 m/s."""
    seen = senses.sense(race.car, race.track, race.is_on_road)
    ahead, speed = seen[28:30], senses.SPEED_SCALE * seen[5]
    steering = 2.0 * jnp.arctan2(ahead[0], jnp.maximum(ahead[1], 1e-3))
    return jnp.stack([steering, jnp.where(speed < 30.0, 0.2, 0.0), jnp.zeros(())])


def _time_races(batch: int, steps: int) -> dict[str, float]:
    task = CarRacing(view="state", is_squashed=False)
    variation = task.variations["default"]

    @jax.jit
    def drive(keys: jax.Array) -> Any:
        def advance(races: Any, _: None) -> tuple[Any, None]:
            step = jax.vmap(lambda race: task.step(race, follow_road(race), variation)[0])
            return step(races), None

        races = jax.vmap(lambda key: task.reset(key, variation)[0])(keys)
        return jax.lax.scan(advance, races, length=steps)[0]

    races = drive(jax.random.split(jax.random.key(0), batch))
    time = 0.02 * races.num_steps.astype(jnp.float32)
    cameras = jax.vmap(render._place_camera)(races.car, time)
    planes = jax.vmap(render._draw_road)(races.track, races.is_visited, cameras)
    fields = jax.vmap(render._draw_field)(planes, cameras)
    scene = (races.car, races.track, races.is_visited, time)
    parts = {
        "road": (render._draw_road, races.track, races.is_visited, cameras),
        "field": (render._draw_field, planes, cameras),
        "car": (render._draw_car, fields, races.car, cameras),
        "panel": (render._draw_panel, races.car),
        "frame": (render.draw_frame, *scene),
        "view": (lambda *scene: render.draw_view(*scene, 84), *scene),
        "step": (
            lambda race: task.step(race, jnp.zeros(3), variation)[0].replace(track=None),
            races,
        ),
    }
    return {
        name: _microseconds(jax.vmap(part), arguments, batch)
        for name, (part, *arguments) in parts.items()
    }


def _time_policy() -> dict[str, float]:
    config = PRESETS["car-hebbian"]()
    policy: Any = config.policy
    keys = jax.random.split(jax.random.key(0), INDIVIDUALS)
    genotypes = jax.vmap(
        lambda key: config.genome.init(key, policy.parameters(config.task)).mode()
    )(keys)
    memories = jax.vmap(
        lambda key, genotype: jax.vmap(lambda key: policy.reset(key, genotype))(
            jax.random.split(key, LIFETIMES)
        )
    )(keys, genotypes)
    shape = (INDIVIDUALS, LIFETIMES, *config.task.observation_shape)
    pictures = jax.random.uniform(jax.random.key(1), shape)

    def for_all(function: Any) -> Any:
        return jax.jit(jax.vmap(jax.vmap(function, in_axes=(None, 0, 0))))

    see = for_all(lambda genotype, memory, picture: policy.look(genotype.filters, picture))
    learn = for_all(
        lambda genotype, memory, seen: policy.head.act(genotype.head, memory, seen, jnp.float32(0))
    )
    features = see(genotypes, memories, pictures)
    count = INDIVIDUALS * LIFETIMES
    return {
        "look": _microseconds(see, (genotypes, memories, pictures), count),
        "network_and_plasticity": _microseconds(learn, (genotypes, memories, features), count),
    }


def _microseconds(part: Any, arguments: Any, count: int) -> float:
    program = jax.jit(part)
    seconds = harness.repeat(lambda: program(*arguments), 20)
    return 1e6 * statistics.median(seconds) / count
