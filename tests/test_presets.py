"""The presets: complete, readable, and the paper's where they say so."""

import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable

import pytest

import hebbax
from hebbax import presets
from hebbax.evolution import limits
from hebbax.evolution.episode import Setup
from hebbax.strategies.optimizers import Sgd


@pytest.fixture(params=presets.PRESETS.values(), ids=presets.PRESETS.keys())
def make(request: pytest.FixtureRequest) -> Callable[[], hebbax.Config]:
    return request.param


def test_presets_survive_json(make: Callable[[], hebbax.Config]):
    """A preset can be written into a run's folder and read back."""
    config = make()
    assert hebbax.Config.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    assert hash(config) == hash(make())


def test_presets_say_what_they_are(make: Callable[[], hebbax.Config]):
    """Each has a line for `hebbax presets`."""
    assert make.__doc__
    assert len(make.__doc__.splitlines()) == 1


def test_presets_hold_a_body_out(make: Callable[[], hebbax.Config]):
    """Every preset trains on four bodies and leaves one for the evaluation."""
    config = make()
    assert len(config.task.variations) == 5
    assert len(config.training_variations) == 4


def test_paper_settings():
    """The settings of section 4 of Palm et al. 2021, field by field."""
    hebbian, static = presets.quadruped_hebbian(), presets.quadruped_static()
    for config in (hebbian, static):
        assert config.task == hebbax.Quadruped(
            body="bullet",
            variation_set="paper",
            episode_steps=1000,
            burn_in_steps=40,
        )
        assert config.policy.hidden_sizes == (128, 64)
        assert config.strategy == hebbax.ScoreFunction(
            population_size=500,
            is_mirrored=True,
            std=hebbax.Schedule(0.1, decay=0.999, floor=0.01),
            optimizer=Sgd(hebbax.Schedule(0.2, decay=0.995, floor=0.001)),
        )
        assert (config.generations, config.common_random_numbers) == (500, "nobody")
    assert hebbian.policy == hebbax.Hebbian(
        initial_range=0.1, has_evolved_weights=False, bound="none"
    )
    assert static.policy == hebbax.Static()


def test_paper_settings_of_the_car():
    """Where the car differs from the quadruped.

    Population, generations, bounded weights, filters, the held-out variation.
    """
    hebbian, static, shared = presets.car_hebbian(), presets.car_static(), presets.car_shared(128)()
    for config in (hebbian, static, shared):
        assert config.task == hebbax.CarRacing(
            view="pixels", view_size=84, variation_set="paper", episode_steps=1000, patience=20
        )
        assert (config.strategy.population_size, config.generations, config.held_out) == (
            200,
            300,
            "force_east",
        )
        assert (config.strategy.std, config.strategy.optimizer) == (
            presets.quadruped_hebbian().strategy.std,
            Sgd(hebbax.Schedule(0.2, decay=0.995, floor=0.001)),
        )
    assert hebbian.policy.head == hebbax.Hebbian(
        hidden_sizes=(128, 64), bound="largest", is_output_linear=True
    )
    assert (hebbian.penalty, static.penalty, shared.penalty) == (0.01, 0.0, 0.01)
    assert dict(shared.genome.parts) == {
        "filters": hebbax.Normal(),
        "head": hebbax.SharedRules(rho=128),
    }


def test_tied_presets_share_rules_alone():
    """96 rules for the quadruped at rho = 128, 5,708 for the racer at 16, and its filters."""
    quadruped, car = presets.quadruped_tied(128)(), presets.car_tied(16)()
    shape = quadruped.encoding.genotype_shape(quadruped.policy.parameters(quadruped.task))
    assert {name: leaf.shape for name, leaf in shape.items()} == {"rule": (5, 96)}
    shape = car.encoding.genotype_shape(car.policy.parameters(car.task))
    assert shape.head["rule"].shape == (5, 5708)
    assert [leaf.shape for leaf in shape.filters] == [(3, 3, 3, 6), (5, 5, 6, 8)]
    assert dataclasses.replace(car, encoding=hebbax.Direct()) == presets.car_hebbian()


def test_papers_networks_stay_in_the_cache():
    """A core runs four of the quadruped's plastic networks at a time, and two of the car's.

    They have 442 kB and 3.3 MB in four variations.

    Mutation: forgetting the variations' memories makes it three of the car's.
    """
    sizes = [
        limits.chunk_size(Setup.of(config), num_variations=4)
        for config in (presets.quadruped_hebbian(), presets.car_hebbian(), presets.car_demo())
    ]
    assert sizes == [4, 2, 4]


def test_building_presets_starts_nothing():
    """Every preset is built, its variations are named, and JAX has no backend, Brax is not loaded.

    Mutations: a variation that is an array; a check of the memory in `Config`.
    """
    script = (
        "import sys\n"
        "from jax._src import xla_bridge\n"
        "from hebbax.presets import PRESETS\n"
        "for make in PRESETS.values():\n"
        "    assert make().held_out in list(make().task.variations)\n"
        "assert not xla_bridge.backends_are_initialized(), 'JAX was started'\n"
        "assert not {'brax', 'mujoco', 'evosax', 'orbax'} & set(sys.modules), 'libraries'\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
