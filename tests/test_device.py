"""What holds on whatever device is there: `pytest -m device` on an accelerator asks this first.

Tests of recordings, of the mixture's gradient and of resuming have the mark too.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hebbax import devices
from hebbax.evolution.generation import RunData, compile_generation, initial_state
from hebbax.genomes import Normal, SharedRules
from hebbax.strategies import ScoreFunction
from hebbax.tasks.car_racing.render import draw_frame
from hebbax.tasks.car_racing.track import draw_track
from small_run import small_config
from tasks.car_golden import RUNS, SEEDS, drive_all, golden_lap, load, pave

pytestmark = pytest.mark.device


def on_cpu(function: Any, *arguments: Any) -> Any:
    """What a function gives on a CPU, wherever others run."""
    cpu = jax.devices("cpu")[0]
    with jax.default_device(cpu):
        return jax.jit(function)(*jax.device_put(arguments, cpu))


def test_tracks_are_a_cpus():
    """Of 64 keys all have as many tiles, and lie within a millimetre."""
    keys = jax.random.split(jax.random.key(0), 64)
    drawn, expected = jax.jit(jax.vmap(draw_track))(keys), on_cpu(jax.vmap(draw_track), keys)
    np.testing.assert_array_equal(drawn.length, expected.length)
    np.testing.assert_allclose(drawn.point, np.asarray(expected.point), rtol=0, atol=1e-3)


@pytest.mark.parametrize("seed", SEEDS)
def test_frames_are_a_cpus(seed: str):
    """99.9% of the pixels of a race's frames, to one of 255."""
    run = next(name for name in RUNS if name.startswith(seed))
    races, steps = drive_all().races, load("car_frames.npz")["steps"]
    car, is_visited = jax.tree.map(
        lambda leaf: leaf[RUNS.index(run), steps], (races.car, races.is_visited)
    )
    time = jnp.asarray(0.02 * (steps + 1), jnp.float32)
    arguments = (car, pave(golden_lap(seed)), is_visited, time)
    draw = jax.vmap(draw_frame, in_axes=(0, None, 0, 0))
    frames, expected = jax.jit(draw)(*arguments), on_cpu(draw, *arguments)
    apart = np.abs(np.asarray(frames, np.int32) - np.asarray(expected, np.int32))
    assert np.mean(np.all(apart <= 1, axis=-1)) > 0.999


@pytest.mark.parametrize("genome", [Normal(init_scale=0.1), SharedRules(num_rules=3)])
def test_a_generation_is_a_cpus(genome: Any):
    """The fitness of a population and the step of its genome, of all devices to those of one CPU.

    Thirteen rewards of at most one; a step is a fifth of a gradient over std = 0.1.
    """
    strategy = ScoreFunction(population_size=8, is_mirrored=False)
    config = small_config(genome=genome, strategy=strategy)
    cpu = jax.sharding.Mesh(
        np.asarray(jax.devices("cpu")[:1]),
        (devices.AXIS,),
        axis_types=(jax.sharding.AxisType.Auto,),
    )
    results = []
    for mesh in (cpu, devices.population_mesh(8)):
        data = (RunData.of(config), initial_state(config), jnp.zeros((), jnp.int32))
        state, metrics = compile_generation(config, mesh)(*devices.put_everywhere(data, mesh))
        results.append(jax.device_get((state.search.genome, metrics)))
        results[-1][1].pop("chunk_size")
    for one, other in zip(*map(jax.tree.leaves, results), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)
