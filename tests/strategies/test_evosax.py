"""evosax's algorithms behind our interface: they maximise, and resume exactly."""

import dataclasses
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hebbax
from hebbax.encodings import Tied
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


# What an algorithm of evosax 0.3 cannot do, by its name and whether numbers are float64.
REFUSED = {("EvoTF_ES", True): "lax.select requires arguments to have the same dtypes"}


@pytest.mark.slow
@pytest.mark.parametrize("is_x64", [False, True], ids=["float32", "float64"])
@pytest.mark.parametrize("algorithm", known_algorithms())
def test_every_algorithm_searches_a_tied_genome(
    algorithm: str, is_x64: bool, lenient_promotion: None, tmp_path: Path
):
    """Three generations, and two with one more, end in the same state, bit for bit."""
    tied = dataclasses.replace(
        config(Evosax(algorithm, population_size=16), 3),
        policy=hebbax.Hebbian(hidden_sizes=(3,)),
        encoding=Tied(num_rules=4),
        checkpoint_every=1,
    )
    with jax.enable_x64(is_x64):
        if words := REFUSED.get((algorithm, is_x64)):
            with pytest.raises(ValueError, match=words):
                hebbax.train(tied)
            return
        whole = hebbax.train(tied)
        hebbax.train(dataclasses.replace(tied, generations=2), tmp_path)
        resumed = hebbax.train(tied, tmp_path)
    assert all(np.isfinite(metrics["fitness_mean"]) for metrics in whole.history)
    for one, two in zip(jax.tree.leaves(whole.state), jax.tree.leaves(resumed.state), strict=True):
        assert np.asarray(one).tobytes() == np.asarray(two).tobytes()


def test_most_algorithms_are_known():
    """All of evosax's algorithms with one mean, but for those of many means, which have none."""
    assert len(known_algorithms()) == 26


@pytest.mark.slow
def test_cma_es_searches_the_rules_of_the_quadruped():
    """96 rules of five coefficients for the paper's network: 480 numbers, and their covariance."""
    tied = hebbax.Config(
        hebbax.Quadruped(body="brax", episode_steps=5, burn_in_steps=0),
        hebbax.Hebbian(),
        hebbax.Normal(init_scale=0.1),
        Evosax("CMA_ES", population_size=8, parameters=(("std_init", 0.1),)),
        encoding=Tied(rho=128),
        held_out="long_front_legs",
        generations=2,
    )
    result = hebbax.train(tied)
    state: Any = result.state
    assert state.search.algorithm.C.shape == (480, 480)
    assert len(result.history) == 2
    assert np.isfinite(result.history[-1]["fitness_mean"])


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
