"""evosax's algorithms behind our interface: they maximise, and resume exactly."""

import dataclasses
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hebbax
from hebbax.evolution.result import load_result
from hebbax.policies.static import Static
from hebbax.strategies.evosax import Evosax, known_algorithms
from hebbax.strategies.optimizers import Adam
from hebbax.strategies.schedule import Schedule
from small_run import contents
from small_task import Cart

STRATEGIES = [
    Evosax("CMA_ES", population_size=32, parameters=(("std_init", 0.2),)),
    Evosax("SNES", population_size=32, parameters=(("std_init", 0.2),)),
    Evosax(
        "PGPE", population_size=32, parameters=(("std_init", 0.2),), optimizer=Adam(Schedule(0.05))
    ),
    Evosax("Open_ES", population_size=32, optimizer=Adam(Schedule(0.05)), std=Schedule(0.2)),
]


def config(strategy: Evosax, generations: int = 30) -> hebbax.Config:
    return hebbax.Config(
        task=Cart(),
        policy=Static(hidden_sizes=(3,)),
        genome=hebbax.Normal(init_scale=0.1),
        strategy=strategy,
        common_random_numbers="population",
        generations=generations,
        held_out="heavy",
        checkpoint_every=3,
    )


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda strategy: strategy.algorithm)
def test_algorithms_improve_a_small_task(strategy: Evosax):
    """The last five of 30 generations are better than the first five by four standard errors.

    Mutation: fitness not negated.
    """
    fitness = np.asarray(
        [metrics["fitness_mean"] for metrics in hebbax.train(config(strategy)).history]
    )
    first, last = fitness[:5], fitness[-5:]
    error = np.sqrt((np.var(first, ddof=1) + np.var(last, ddof=1)) / 5)
    assert np.mean(last) - np.mean(first) > 4 * error


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda strategy: strategy.algorithm)
def test_algorithms_resume_exactly(strategy: Evosax, tmp_path: Path):
    """Five generations, then three more, are the eight of one go, bit for bit.

    Mutation: the key kept out of the state's checkpoint.
    """
    whole = hebbax.train(config(strategy, 8))
    hebbax.train(config(strategy, 5), tmp_path / "run")
    resumed = hebbax.train(config(strategy, 8), tmp_path / "run")
    for one, two in zip(whole.history, resumed.history, strict=True):
        assert one["fitness_mean"] == two["fitness_mean"]
    for one, two in zip(
        jax.tree.leaves(whole.genome),
        jax.tree.leaves(load_result(tmp_path / "run").genome),
        strict=True,
    ):
        np.testing.assert_array_equal(one, two)
    assert "config.json" in contents(tmp_path / "run")


def test_the_genome_is_the_algorithms():
    """Its mean is the algorithm's, its std the last population's spread about it."""
    strategy = Evosax("SNES", population_size=1000, parameters=(("std_init", 0.3),))
    genome = hebbax.Normal(init_scale=1.0).init(
        jax.random.key(0), jax.ShapeDtypeStruct((20,), jnp.float32)
    )
    state = strategy.init(jax.random.key(1), genome)
    np.testing.assert_array_equal(state.genome.mode(), genome.mode())
    population = strategy.ask(jax.random.key(2), state)
    after, info = strategy.tell(state, population, jnp.arange(1000.0))
    np.testing.assert_array_equal(after.genome.mode(), after.algorithm.mean)
    # 20,000 draws: the standard error of their deviation is half a percent.
    np.testing.assert_allclose(info["std"], 0.3, rtol=0.025)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"algorithm": "CMAES"}, "strategy.algorithm is 'CMAES', but must be one of .*CMA_ES"),
        (
            {"algorithm": "DifferentialEvolution"},
            "strategy.algorithm is 'DifferentialEvolution', but must be one of",
        ),
        (
            {"parameters": (("sigma", 0.1),)},
            "strategy.parameters has 'sigma', but SNES has std_init",
        ),
        ({"std": Schedule(0.1)}, "strategy.algorithm is 'SNES', which takes no std_schedule"),
        (
            {"algorithm": "Open_ES", "population_size": 7},
            "strategy.population_size is 7, but Open_ES says",
        ),
        ({"population_size": 1}, "strategy.population_size is 1, but must be 2 or more"),
    ],
)
def test_what_evosax_does_not_have_is_refused(arguments: dict[str, Any], words: str):
    with pytest.raises(ValueError, match=words):
        hebbax.check(config(Evosax(**arguments)))


def test_states_beyond_memory_are_refused():
    """CMA-ES on the individual rules of the paper's quadruped is refused.

    It would have two matrices of 61,440 x 61,440 numbers; here they are 317,740 wide, 807 GB, of
    which there are two states on each of two devices of a CPU.
    """
    assert "CMA_ES" in known_algorithms()
    large = dataclasses.replace(
        config(Evosax("CMA_ES")), policy=hebbax.Hebbian(hidden_sizes=(1024, 60))
    )
    with pytest.raises(ValueError, match=r"'CMA_ES'.* two states of the search have 3230\.\d"):
        hebbax.check(large)


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda strategy: strategy.algorithm)
def test_equal_fitness_moves_nothing(strategy: Evosax):
    """A generation of equals leaves the algorithm as it is, and the next population is another.

    Mutation: CMA_ES goes to those who come first.
    """
    genome = hebbax.Normal(init_scale=1.0).init(
        jax.random.key(0), jax.ShapeDtypeStruct((20,), jnp.float32)
    )
    state = strategy.init(jax.random.key(1), genome)
    population = strategy.ask(jax.random.key(2), state)
    after, _ = strategy.tell(state, population, jnp.zeros(strategy.population_size))
    for one, other in zip(
        jax.tree.leaves((after.genome.mode(), after.algorithm)),
        jax.tree.leaves((state.genome.mode(), state.algorithm)),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)
    assert not np.array_equal(strategy.ask(jax.random.key(2), after), population)
