import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hebbax import devices
from hebbax.config import Config
from hebbax.evolution import generation as evolution
from hebbax.evolution import limits, rollout, training
from hebbax.genomes.normal import Normal
from hebbax.genomes.shared import SharedRules
from hebbax.policies.hebbian import Hebbian
from hebbax.strategies.optimizers import Sgd
from hebbax.strategies.schedule import Schedule
from hebbax.strategies.score_function import ScoreFunction
from small_task import Cart


class TracedCart:
    """A cart that counts how often its step is traced."""

    def __init__(self):
        self.cart = Cart()
        self.num_traces = 0

    def __getattr__(self, name):
        return getattr(self.cart, name)

    def step(self, state, action, variation):
        self.num_traces += 1
        return self.cart.step(state, action, variation)


def config(task, common_random_numbers="nobody", **strategy):
    return Config(
        task=task,
        policy=Hebbian(hidden_sizes=(3,)),
        genome=Normal(init_scale=0.1),
        strategy=ScoreFunction(optimizer=Sgd(Schedule(0.05)), **strategy),
        generations=3,
        penalty=0.01,
        common_random_numbers=common_random_numbers,
        seed=4,
        chunk_size=2,
    )


def evolve(config, mesh, generations=3):
    """The state and the metrics after a few generations on a mesh."""
    data, state = devices.put_everywhere(
        (evolution.RunData.of(config), evolution.initial_state(config)), mesh
    )
    run_generation = evolution.compile_generation(config, mesh)
    for i in range(generations):
        state, metrics = run_generation(
            data, state, devices.put_everywhere(jnp.asarray(i, jnp.int32), mesh)
        )
    return state, metrics


def one_device():
    return jax.sharding.Mesh(
        np.asarray(jax.local_devices()[:1]),
        (devices.AXIS,),
        axis_types=(jax.sharding.AxisType.Auto,),
    )


@pytest.fixture(autouse=True)
def two_devices():
    """Without two devices, which any CPU has here, the tests of this file would show nothing."""
    if jax.local_device_count() < 2:
        pytest.skip("there is one device")


@pytest.mark.parametrize("population_size", [1, 2, 5, 6])
def test_meshes_have_all_devices(population_size):
    """A mesh has all devices, and none without an individual.

    Mutation: as many as divide the population.
    """
    mesh = devices.population_mesh(population_size)
    assert mesh.size == min(population_size, jax.local_device_count())
    assert mesh.axis_names == (devices.AXIS,)


@pytest.mark.parametrize(
    ("num_bytes", "count"), [(0, 4), (1_750_000, 4), (1_751_000, 3), (3_500_000, 2), (10**9, 1)]
)
def test_chunks_fit_the_cache(num_bytes: int, count: int):
    """As many individuals as 7 MB hold, at most 4, at least 1.

    Mutation: without the least of them large individuals divide by zero.
    """
    assert limits._suitable_chunk(num_bytes) == count


@pytest.mark.parametrize(
    ("num_individuals", "sizes"),
    [(1, [1]), (3, [1, 1, 1]), (4, [1, 1, 1, 1]), (5, [2, 2, 1]), (100, [25, 25, 25, 25])],
)
def test_slices_are_few_and_leave_nobody_out(num_individuals: int, sizes: list[int]):
    """Each alone if there are at most 4; in their order.

    Mutation: round the size of a slice down.
    """
    individuals = np.arange(num_individuals)
    groups = [individuals[group] for group in rollout._slices(num_individuals)]
    assert [len(group) for group in groups] == sizes
    np.testing.assert_array_equal(np.concatenate(groups), individuals)


def test_each_device_has_its_share():
    """Either device sees its half, and results stand in the order of the arguments.

    Mutation: replicate the arguments.
    """
    seen = []

    def double(values, tree):
        seen.append(values.shape)
        return 2 * values, tree["a"] + 1

    function = jax.jit(devices.over_population(double, devices.population_mesh(6)))
    doubled, added = function(jnp.arange(6.0), {"a": jnp.ones((6, 2))})
    np.testing.assert_array_equal(doubled, 2 * np.arange(6.0))
    np.testing.assert_array_equal(added, np.full((6, 2), 2.0))
    assert set(seen) == {(3,)}
    assert len(doubled.sharding.device_set) == 2


def test_the_last_share_is_filled_up():
    """Of five two devices have three each; the sixth is a copy, of which nothing remains.

    Mutations: zeros in its place, whose logarithm would be infinite; results of six.
    """
    mesh = devices.population_mesh(5)
    function = jax.jit(
        devices.over_population(lambda whole, part: whole + jnp.log(part), mesh, num_whole=1)
    )
    np.testing.assert_allclose(
        function(jnp.ones(()), jnp.arange(1.0, 6.0)), 1 + np.log(np.arange(1.0, 6.0)), rtol=1e-6
    )
    filled = devices.fill_up((jnp.arange(5), jax.random.split(jax.random.key(0), 5)), mesh)
    assert filled[0].tolist() == [0, 1, 2, 3, 4, 4]
    assert filled[1].shape == (6,)
    assert bool(filled[1][5] == filled[1][4])


def test_everywhere_is_on_every_device():
    """Each device holds a whole copy."""
    tree = devices.put_everywhere(
        {"a": jnp.arange(3.0), "key": jax.random.key(0)}, devices.population_mesh(2)
    )
    assert tree["a"].is_fully_replicated
    assert len(tree["a"].sharding.device_set) == 2


@pytest.mark.parametrize("who", ["nobody", "pairs"])
def test_two_devices_give_the_numbers_of_one(who):
    """Three generations agree but for the order of sums, and trace the task once.

    Mutations: keys by an individual's place on its device; retracing in every generation.
    """
    results = []
    for mesh in (one_device(), devices.population_mesh(6)):
        task = TracedCart()
        results.append(evolve(config(task, population_size=6, common_random_numbers=who), mesh))
        assert task.num_traces == 1
    assert int(results[0][1]["steps"]) == int(results[1][1]["steps"])
    for one, other in zip(*map(jax.tree.leaves, results), strict=True):
        # Fitness is a sum of 13 rewards, a step one of six individuals divided by sigma = 0.1: some
        # ten roundings of numbers of order one to ten.
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


def test_two_devices_share_the_work_of_the_gradient():
    """Each of two devices works on its half of the population; the numbers are those of one.

    Mutation: the gradient of the whole population on either device.
    """
    shared = dataclasses.replace(
        config(Cart(), population_size=8, is_mirrored=False),
        policy=Hebbian(hidden_sizes=(4,)),
        genome=SharedRules(num_rules=7),
        penalty=0.0,
    )
    results = []
    for mesh, size in ((one_device(), 8), (devices.population_mesh(8), 4)):
        data = (
            evolution.RunData.of(shared),
            evolution.initial_state(shared),
            jnp.zeros((), jnp.int32),
        )
        program = evolution.compile_generation(shared, mesh)
        # 2 x 4 + 4 x 1 = 12 synapses of five coefficients.
        assert f"f32[{size},5,12]" in program.as_text()
        assert f"f32[{12 - size},5,12]" not in program.as_text()
        results.append(program(*devices.put_everywhere(data, mesh))[0].search.genome)
    for one, other in zip(*map(jax.tree.leaves, results), strict=True):
        # A gradient is a sum over twelve synapses of eight individuals, divided by sigma = 0.1, and
        # a step a fifth of it.
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("genome", [Normal(init_scale=0.1), SharedRules(num_rules=7)])
def test_an_odd_population_has_the_numbers_of_one_device(genome):
    """Five individuals on two devices, with and without a gradient that is shared.

    Mutations: the copy that fills up the last share counts, in the steps or in the gradient; a mean
    over six.
    """
    odd = dataclasses.replace(config(Cart(), population_size=5, is_mirrored=False), genome=genome)
    results = [evolve(odd, mesh) for mesh in (one_device(), devices.population_mesh(5))]
    assert int(results[0][1]["steps"]) == int(results[1][1]["steps"])
    assert [int(metrics.pop("chunk_size")) for _, metrics in results] == [2, 2]
    for one, other in zip(*map(jax.tree.leaves, results), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


CONTAINER = {
    "unified": ("0::/pod/box\n", "pod/box/memory.max", "pod/cpu.max", "150000 100000"),
    "by controller": (
        "5:cpu,cpuacct:/box\n4:memory:/pod/box\n1:name=systemd:/\n",
        "memory/pod/memory.limit_in_bytes",
        "cpu,cpuacct/box/cpu.cfs_quota_us",
        "150000",
    ),
}


@pytest.mark.parametrize("version", CONTAINER)
def test_limits_of_a_container_count(version, tmp_path, monkeypatch):
    """A quota of one and a half cores is two of them, and memory is what the group may have.

    Of the process's group and those that it is in the least counts; no limit is none. Where there
    are no groups, cores and memory are the machine's.

    Mutations: the innermost group alone; rounded down; "max" read as a number.
    """
    membership, memory, quota, words = CONTAINER[version]
    monkeypatch.setattr(devices, "MEMBERSHIP", tmp_path / "cgroup")
    monkeypatch.setattr(devices, "GROUPS", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)))
    without = devices.num_cores(), devices.memory_bytes()
    assert without[0] == 64
    (tmp_path / "cgroup").write_text(membership)
    for file, content in ((memory, "123456789\n"), (quota, words)):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(content)
    if version == "unified":
        (tmp_path / "pod/box/cpu.max").write_text("max 100000\n")
        (tmp_path / "pod/memory.max").write_text("max\n")
    else:
        (tmp_path / "cpu,cpuacct/box/cpu.cfs_period_us").write_text("100000\n")
        (tmp_path / "memory/pod/box").mkdir(parents=True)
        (tmp_path / "memory/pod/box/memory.limit_in_bytes").write_text("9223372036854771712\n")
    assert (devices.num_cores(), devices.memory_bytes()) == (2, 123456789)


def test_a_training_traces_its_task_once():
    """A run traces its task's step to see that it fits, and once for all generations.

    Mutation: compile inside of the loop.
    """
    task = TracedCart()
    result = training.train(config(task, population_size=2))
    assert len(result.history) == 3
    assert task.num_traces == 2


def test_a_task_may_compute_its_constants_while_it_is_traced():
    """As the quadruped does, whose bodies are built when they are first needed.

    Mutation: trace under the concrete mesh.
    """

    class LateCart(TracedCart):
        def step(self, state, action, variation):
            with jax.ensure_compile_time_eval():
                push = jnp.asarray(np.float64(0.5)).astype(jnp.float32) + jax.jit(jnp.sum)(
                    jnp.arange(3.0)
                )
            return self.cart.step(state, action * push, variation)

    assert len(training.train(config(LateCart(), population_size=4)).history) == 3


def test_the_number_of_the_generation_decides_its_random_numbers():
    """The same state lives another life in another generation, and the same in the same.

    Mutation: fold_in left out.
    """
    small = dataclasses.replace(config(Cart(), population_size=2), chunk_size=None)
    data = evolution.RunData.of(small), evolution.initial_state(small)
    run_generation = evolution.compile_generation(small, one_device())
    data = devices.put_everywhere(data, one_device())
    first, again, second = (
        run_generation(*data, jnp.asarray(i, jnp.int32))[1]["fitness_mean"] for i in (0, 0, 1)
    )
    assert float(first) == float(again)
    assert float(first) != float(second)


@pytest.mark.parametrize(
    ("world", "genome", "counts"),
    [
        ("small", "SharedRules", (1, 8)),
        *(
            pytest.param("small", genome, (1, 2, 4, 8), marks=pytest.mark.slow)
            for genome in ("Normal", "SharedRules", "FixedRules", "SharedNoise")
        ),
        *(
            pytest.param(world, genome, (1, 2, 4), marks=pytest.mark.slow)
            for world in ("quadruped", "car")
            for genome in ("Normal", "SharedRules")
        ),
    ],
)
def test_any_number_of_devices_has_the_same_numbers(world, genome, counts):
    """Ten individuals on one, two, four and eight devices: fitness and genome agree.

    Mutations: a random number for a device; the copies that fill up the last share count.
    """
    process = subprocess.run(
        [sys.executable, "spread_population.py", world, genome, *map(str, counts)],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    first, *others = [json.loads(line) for line in process.stdout.splitlines()]
    assert len(others) == len(counts) - 1
    for other in others:
        np.testing.assert_allclose(other["fitness"], first["fitness"], rtol=1e-5, atol=1e-5)
        # A step of five: sums over ten individuals in another order, divided by std = 0.1.
        np.testing.assert_allclose(other["genome"], first["genome"], rtol=1e-4, atol=1e-4)
