"""`check` asks all that can be asked before anything is computed, and so does `train`."""

import dataclasses
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import optax
import pytest

import hebbax
from hebbax import devices, platforms
from hebbax.encodings import LowRank, Tied
from hebbax.evolution import limits
from hebbax.evolution.episode import Setup
from small_run import small_config
from small_task import Cart


@dataclasses.dataclass(frozen=True)
class Half:
    """An encoding that forgets the biases: its phenotypes are halves of the parameters."""

    reads_each_step: bool = False

    def wire(self, key: Any, parameters: Any) -> Any:
        del key, parameters
        return ()

    def genotype_shape(self, parameters: Any) -> Any:
        return parameters

    def express(self, parameters: Any, wiring: Any, genotype: Any) -> Any:
        del parameters, wiring
        return genotype

    def read(self, parameters: Any, wiring: Any, kept: Any) -> Any:
        del parameters, wiring
        return jax.tree.map(lambda leaf: leaf[:2], kept)


@dataclasses.dataclass(frozen=True)
class Stairs:
    """An optimiser that asks its rate in Python, which a program's argument cannot answer."""

    rate: hebbax.Schedule

    def build(self) -> optax.GradientTransformation:
        return optax.sgd(self.rate.initial if self.rate.decay < 1 else 0.5)


@dataclasses.dataclass(frozen=True)
class Nameless(hebbax.Static):
    """A policy that returns shapes in place of parameters."""

    def parameters(self, task: Any) -> Any:
        return tuple(
            jax.ShapeDtypeStruct(leaf.shape, jnp.float32) for leaf in super().parameters(task)
        )


@dataclasses.dataclass(frozen=True)
class Copying(hebbax.Hebbian):
    """A policy whose plastic weights are no leaves of its memory."""

    def plastic_weights(self, memory: Any) -> Any:
        return tuple(2 * weights for weights in super().plastic_weights(memory))


@dataclasses.dataclass(frozen=True)
class LateCart(Cart):
    """A task that ends with a number."""

    def step(self, state: Any, action: Any, variation: Any) -> Any:
        state, observation, reward, is_end = super().step(state, action, variation)
        return state, observation, reward, is_end.astype(jnp.float32)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"encoding": Half()}, r"the phenotype that encoding\.read returns has"),
        ({"policy": Nameless(hidden_sizes=())}, r"must have hebbax\.types\.Parameter alone"),
        ({"policy": Copying(hidden_sizes=())}, r"no leaf of the memory"),
        ({"task": LateCart()}, r"the end of the episode that task.step returns has dtype float32"),
        ({"genome": hebbax.SharedRules(num_rules=100)}, r"genome\.num_rules is 100"),
    ],
)
def test_misfits_are_refused(tmp_path: Path, changes: dict[str, Any], words: str):
    """By `check`, and by `train` before there is a folder."""
    strategy = hebbax.ScoreFunction(population_size=4, is_mirrored=False)
    config = small_config(strategy=strategy, **changes)
    with pytest.raises(ValueError, match=words):
        hebbax.check(config)
    with pytest.raises(ValueError, match=words):
        hebbax.train(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_configuration_asks_nothing():
    """What does not fit can be written down. Mutation: `Config` traces `ask`."""
    assert small_config(genome=hebbax.SharedRules(num_rules=100)).encoding == hebbax.Direct()


def copies() -> int:
    """How many devices share a memory: those of a CPU."""
    return devices.population_mesh(8).size if platforms.is_cpu() else 1


def test_memory_is_that_of_all_that_is_there(monkeypatch: pytest.MonkeyPatch):
    """Two states of the search, the population, and an expressed chunk with its memories.

    Mutations: one state; episodes left out; all individuals' episodes.
    """
    config = small_config(chunk_size=2)
    setup = Setup.of(config)
    # 2-3-1: nine synapses of five coefficients. A state has the mean, its momentum, the best mean
    # is the generation's own; std, count of the generation.
    state, population = limits.search_bytes(setup, config.genome, config.strategy)
    assert population == 8 * 45 * 4
    assert state >= 2 * 45 * 4
    # An individual keeps 45 numbers, and remembers nine weights in each of two variations.
    assert limits.individual_bytes(setup, 2) == 4 * (45 + 2 * 9)
    needed = copies() * (2 * state + population + 2 * limits.individual_bytes(setup, 2))
    monkeypatch.setattr(devices, "memory_bytes", lambda: needed)
    hebbax.check(config)
    monkeypatch.setattr(devices, "memory_bytes", lambda: needed - 1)
    with pytest.raises(ValueError, match=r"would take .* room for a population of 7"):
        hebbax.check(config)


def test_what_must_shrink_is_named_with_its_size(monkeypatch: pytest.MonkeyPatch):
    """Each dimension that can be cut alone, to as much as fits; else network or genome.

    Mutations: what fits beside nothing; a dimension that cannot shrink.
    """
    config = small_config(chunk_size=2)
    state, population = limits.search_bytes(Setup.of(config), config.genome, config.strategy)
    episodes = 2 * limits.individual_bytes(Setup.of(config), 2)
    for runs, available, words in (
        (5, 3.5 * (2 * state + population + episodes), "room for 3 of the runs or"),
        (1, 2 * state + population // 8 * 5 + episodes, "room for a population of 5$"),
        (1, 2 * state + population + episodes // 2, "or a chunk_size of 1$"),
        (1, 2 * state, "room for a smaller network or genome, or an algorithm of less state$"),
    ):
        monkeypatch.setattr(devices, "memory_bytes", partial(float, copies() * available))
        with pytest.raises(ValueError, match=words):
            hebbax.check(config, runs)


def test_an_encoding_that_is_larger_than_the_network_is_told():
    """Mutation: a count of arrays instead of numbers."""
    with pytest.warns(
        UserWarning, match=r"LowRank\(rank=9\), which writes \d+ numbers for the \d+"
    ):
        hebbax.check(small_config(encoding=LowRank(9)))
    hebbax.check(small_config(encoding=Tied(num_rules=2)))


def test_numbers_are_traced_as_in_a_program():
    """A strategy that looks at a number that is an argument is refused before anything is compiled.

    Mutation: `tell` traced with Python's numbers.
    """
    strategy = hebbax.ScoreFunction(population_size=4, optimizer=Stairs(hebbax.Schedule(0.1)))
    with pytest.raises(
        ValueError,
        match=r"strategy\.tell cannot be run, at .*test_check.py:\d+: TracerBoolConversion",
    ):
        hebbax.check(small_config(strategy=strategy))
