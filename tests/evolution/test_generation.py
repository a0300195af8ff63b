"""The program of a generation.

Shared by runs that differ in seed, fold and numbers, and the same for several runs side by side as
for each alone.
"""

import dataclasses
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hebbax
from hebbax import devices, platforms
from hebbax.evolution import limits
from hebbax.evolution.episode import Setup
from hebbax.evolution.generation import (
    Program,
    RunData,
    compile_generation,
    count_non_finite,
    generation,
    initial_state,
    is_fit_to_be_best,
)
from hebbax.evolution.keys import random_keys
from hebbax.evolution.programs import shared
from hebbax.evolution.run_dir import read_metrics
from hebbax.evolution.training import train_together
from hebbax.genomes.joint import Joint
from hebbax.genomes.normal import NormalGenome
from hebbax.genomes.shared import FixedRules, SharedRules
from hebbax.policies.lstm import LSTM
from hebbax.strategies.evosax import Evosax
from hebbax.strategies.optimizers import EvenSteps, Natural, Sgd
from hebbax.types.arguments import take_numbers
from small_run import is_equal, newest_checkpoint, small_config, without_clock
from small_task import Cart

SMALL = {"seed": 1}, {"seed": 2, "penalty": 0.5}, {"seed": 1, "held_out": "light"}


def assert_close(first: list[dict[str, Any]], second: list[dict[str, Any]]) -> None:
    """Metrics agree within 1e-4 of their size, of one for small ones.

    What a few generations make of another order of sums.
    """
    assert len(first) == len(second)
    for one, other in zip(without_clock(first), without_clock(second), strict=True):
        assert jax.tree.structure(one) == jax.tree.structure(other)
        for value, other_value in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
            assert value == pytest.approx(other_value, rel=1e-4, abs=1e-4)


def test_numbers_seeds_and_folds_share_a_program():
    """Runs that differ in seed, held-out variation and numbers of a search only share a program.

    Mutation: a key, a variation or a rate that is closed over becomes a constant of the program,
    and fails here.
    """
    programs = set()
    first, second = (
        small_config(seed=1),
        small_config(
            seed=2,
            held_out="light",
            generations=9,
            penalty=1.0,
            genome=hebbax.Normal(init_scale=0.3),
            strategy=hebbax.ScoreFunction(
                population_size=8,
                std=hebbax.Schedule(0.3, decay=0.9, floor=0.2),
                optimizer=Sgd(hebbax.Schedule(0.01), momentum=0.9),
            ),
        ),
    )
    mesh = devices.population_mesh(first.strategy.population_size)
    for config in (first, second):
        data = (RunData.of(config), initial_state(config), jnp.zeros((), jnp.int32))
        program, _ = take_numbers(Program.of(config))
        programs.add(jax.jit(partial(generation, program, mesh)).lower(*data).as_text())
    assert len(programs) == 1
    with shared():
        assert compile_generation(first, mesh) is compile_generation(second, mesh)
        assert compile_generation(first, mesh) is not compile_generation(
            dataclasses.replace(first, common_random_numbers="population"), mesh
        )


def test_changed_code_is_heard_of(
    unshared_programs: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    """A task or policy whose code has changed between two calls has other numbers.

    As autoreload changes it; in training and in an evaluation.

    Mutation: programs that are kept by their configuration give the old numbers.
    """
    config = small_config(generations=1)
    before = hebbax.train(config, tmp_path)
    scores = hebbax.evaluate(tmp_path, 2)
    step = Cart.step

    def generous_step(self: Cart, *arguments: Any) -> Any:
        state, observation, reward, is_end = step(self, *arguments)
        return state, observation, reward + 1, is_end

    monkeypatch.setattr(Cart, "step", generous_step)
    after = hebbax.train(config)
    assert after.history[0]["steps"] == before.history[0]["steps"]
    assert after.history[0]["fitness_mean"] > before.history[0]["fitness_mean"] + 1
    assert hebbax.evaluate(tmp_path, 2)[0].mean > scores[0].mean + 1


def test_keys_of_all_purposes_differ():
    """No purpose draws the numbers of another.

    Their keys differ, and so do the first that each makes by `split` and `fold_in`.

    Mutation: films that take their keys from the evaluation's have those of its individuals and
    episodes.
    """
    keys = random_keys(0)
    made = [jax.random.clone(key) for key in keys]
    for key in keys:
        made += [jax.random.fold_in(jax.random.clone(key), number) for number in range(5)]
    data = {tuple(jax.random.key_data(key).tolist()) for key in made}
    assert len(data) == len(made)


def test_runs_without_a_fold_are_others():
    """A run on all variations shares no program with one that holds a variation out."""
    all_variations, first, second = (
        small_config(held_out=name) for name in (None, "light", "heavy")
    )
    mesh = devices.population_mesh(8)
    with shared():
        program = compile_generation(first, mesh)
        assert compile_generation(second, mesh) is program
        assert compile_generation(all_variations, mesh) is not program


def test_penalty_counts_rules_alone():
    """Of rules and evolved weights at birth the rules are penalised; of static weights all.

    Mutations: the weights at birth too; the genotype's mean square over all leaves.
    """
    for policy, leaves in (
        (PLASTIC, lambda genotype: genotype.rules),
        (hebbax.Static((3,)), lambda genotype: genotype),
    ):
        config = small_config(policy=policy, penalty=10.0, generations=1)
        state = initial_state(config)
        key = jax.random.split(jax.random.fold_in(random_keys(config.seed).generations, 0))[0]
        genotypes = config.strategy.ask(key, state.search)
        counted = jnp.concatenate(
            [leaf.reshape(8, -1) for leaf in jax.tree.leaves(leaves(genotypes))], axis=1
        )
        with_penalty, without = (
            hebbax.train(dataclasses.replace(config, penalty=penalty)).history[0]["fitness_mean"]
            for penalty in (10.0, 0.0)
        )
        np.testing.assert_allclose(
            without - with_penalty, 10 * jnp.mean(jnp.square(counted)), rtol=1e-3
        )


@pytest.mark.parametrize(("who", "groups"), [("nobody", 8), ("pairs", 4), ("population", 1)])
def test_who_shares_random_numbers(who: str, groups: int):
    """With equal genotypes there are as many different returns as groups that share numbers.

    Mutations: pairs of individuals that do not stand side by side; a key for each.
    """
    strategy = hebbax.ScoreFunction(population_size=8, std=hebbax.Schedule(1e-30))
    config = small_config(strategy=strategy, common_random_numbers=who, generations=1)
    history = hebbax.train(config).history
    assert (history[0]["fitness_std"] == 0) == (groups == 1)
    assert history[0]["fitness_best"] >= history[0]["fitness_mean"]


@pytest.mark.parametrize("chunk_size", [None, 3])
def test_together_has_the_numbers_of_each_alone(chunk_size: int | None):
    """Three runs in one program have the metrics and genomes that they have alone.

    Mutations: one key for all runs; the first run's variations for all; states that are not told
    apart.
    """
    configs = [small_config(chunk_size=chunk_size, **changes) for changes in SMALL]
    heard = []
    together = train_together(
        [(config, None) for config in configs],
        callbacks=[lambda metrics, handle: heard.append(metrics)],
    )
    assert heard == [result.history[number] for number in range(4) for result in together]
    for config, result in zip(configs, together, strict=True):
        alone = hebbax.train(config)
        assert_close(result.history, alone.history)
        assert result.best_generation == alone.best_generation
        for one, other in zip(
            jax.tree.leaves(result.genome), jax.tree.leaves(alone.genome), strict=True
        ):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


def test_runs_meet_and_part(tmp_path: Path):
    """A run that began together goes on alone, and one that began alone is joined by others.

    Each has its own folder and metrics.

    Mutation: one number of the generation for all runs gives the later one the lives of the
    earlier.
    """
    first, second = small_config(seed=1), small_config(seed=2, held_out="light")
    folders = tmp_path / "first", tmp_path / "second"
    hebbax.train(dataclasses.replace(first, generations=1), folders[0])
    sooner = [
        (dataclasses.replace(first, generations=3), folders[0]),
        (dataclasses.replace(second, generations=2), folders[1]),
    ]
    assert [len(result.history) for result in train_together(sooner)] == [3, 2]
    assert [newest_checkpoint(folder) for folder in folders] == [3, 2]
    for config, folder in zip((first, second), folders, strict=True):
        longer = hebbax.train(config, folder)
        assert_close(longer.history, hebbax.train(config).history)
        assert read_metrics(folder) == longer.history
        assert hebbax.Config.load(folder) == config


def test_single_run_is_bit_exact():
    """A single run goes through the program of `train`, not through that of many with one lane."""
    [result] = train_together([(small_config(), None)])
    assert without_clock(result.history) == without_clock(hebbax.train(small_config()).history)


def test_unequal_runs_do_not_go_together():
    """Runs that differ in more, or do not fit into the memory, are refused."""
    with pytest.raises(ValueError, match="differ in more than seed, held_out, lengths and num"):
        train_together(
            [(small_config(), None), (small_config(common_random_numbers="pairs"), None)]
        )


def test_too_many_runs_for_the_memory_are_refused(monkeypatch: pytest.MonkeyPatch):
    """Each run fits, all together do not."""
    config = small_config(chunk_size=1)
    setup = Setup.of(config)
    state, population = limits.search_bytes(setup, config.genome, config.strategy)
    # Devices of a CPU share the memory, and each runs one individual at a time.
    copies = devices.population_mesh(8).size if platforms.is_cpu() else 1
    needed = copies * (2 * state + population + limits.individual_bytes(setup, 2))
    monkeypatch.setattr(devices, "memory_bytes", lambda: 1.5 * needed)
    hebbax.check(config)
    with pytest.raises(ValueError, match=r"2 runs would take .* room for 1 of the runs"):
        train_together([(config, None), (small_config(seed=1, chunk_size=1), None)])


def broken(variations: Any, step: int) -> Any:
    """The variations with rewards that are not finite at a step."""
    return variations.replace(broken_step=jnp.full_like(variations.broken_step, step))


def test_generation_that_failed_is_never_the_best():
    """All fitness is negative, and in the second of three generations nobody's is finite.

    Its figures are NaN, it teaches nothing, and the best is another.

    Mutations: fitness of zero where nobody's is finite; a mean of NaN that becomes the best
    fitness; momentum that goes on.
    """
    config = small_config(penalty=1000.0)
    mesh = devices.population_mesh(config.strategy.population_size)
    run_generation, data = compile_generation(config, mesh), RunData.of(config)
    variations = data.variations
    states, history = [initial_state(config)], []
    for i, given in enumerate((variations, broken(variations, 1), variations)):
        arguments = (data.replace(variations=given), states[-1], jnp.asarray(i, jnp.int32))
        state, metrics = run_generation(*devices.put_everywhere(arguments, mesh))
        states.append(state)
        history.append(jax.device_get(metrics))
    assert [metrics["non_finite"] for metrics in history] == [0, 8, 0]
    assert np.isnan(
        [history[1][name] for name in ("fitness_mean", "fitness_best", "fitness_std")]
    ).all()
    assert np.isnan(history[1]["returns"]).all()
    assert history[1]["update_norm"] == 0 < history[0]["update_norm"]
    means = [float(history[number]["fitness_mean"]) for number in (0, 2)]
    assert max(means) < 0, "the test needs fitness below that of nobody"
    assert float(states[-1].best_fitness) == max(means)
    assert int(states[-1].best_generation) == (0 if means[0] > means[1] else 2)
    assert is_equal(states[2].best_genome, states[0].search.genome)


def test_returns_are_of_what_was_finite():
    """A cart without mass comes to infinity.

    The mean of the other variation is told, and that of nobody is NaN. Mutation: nanmean.
    """
    config = small_config()
    mesh = devices.population_mesh(config.strategy.population_size)
    data = RunData.of(config)
    variations = data.variations.replace(mass=data.variations.mass.at[0].set(0.0))
    data = (
        data.replace(variations=variations),
        initial_state(config),
        jnp.zeros((), jnp.int32),
    )
    _, metrics = compile_generation(config, mesh)(*devices.put_everywhere(data, mesh))
    assert np.isfinite(np.asarray(metrics["returns"])).tolist() == [False, True]
    assert np.isnan(metrics["returns"][0])


def test_few_finite_fitnesses_make_no_best():
    """With half of eight failed, or a genome that is not finite, a mean says too little.

    Mutations: `<=`; only NaN, only the mean.
    """
    genome = NormalGenome(mean={"a": jnp.zeros(3), "b": jnp.zeros((2, 2))}, std=jnp.ones(()))
    assert [bool(is_fit_to_be_best(genome, jnp.asarray(count), 8)) for count in (0, 3, 4, 8)] == [
        True,
        True,
        False,
        False,
    ]
    for bad in (
        genome.replace(std=jnp.asarray(jnp.nan)),
        genome.replace(mean=genome.mean | {"a": jnp.asarray([0.0, jnp.inf, -jnp.inf])}),
    ):
        assert not bool(is_fit_to_be_best(bad, jnp.asarray(0), 8))
    assert [int(count_non_finite(bad)) for bad in (genome, bad)] == [0, 2]


PLASTIC = hebbax.Hebbian((3,), has_evolved_weights=True)


@pytest.mark.parametrize(
    "changes",
    [
        {"strategy": hebbax.ScoreFunction(population_size=4, optimizer=hebbax.Adam())},
        *(
            {"strategy": hebbax.ScoreFunction(population_size=4, optimizer=optimizer)}
            for optimizer in (Natural(Sgd(momentum=0.9)), EvenSteps(Sgd(momentum=0.9)))
        ),
        {
            "genome": SharedRules(num_rules=2, sharpness=1.0),
            "strategy": hebbax.ScoreFunction(population_size=4, is_mirrored=False),
        },
        {
            "genome": Joint((("rules", FixedRules(rho=2)), ("weights", hebbax.Normal()))),
            "policy": PLASTIC,
        },
        {"policy": LSTM((3,))},
        {"policy": hebbax.Hebbian((3,), is_recurrent=True), "normalize_observations": True},
        *(
            {"strategy": Evosax(algorithm, population_size=4)}
            for algorithm in ("CMA_ES", "Sep_CMA_ES", "SNES", "xNES", "PGPE", "Open_ES")
        ),
    ],
)
def test_types_stay_with_x64(lenient_promotion: None, changes: dict[str, Any]):
    """Where JAX's default is float64 a genome is float32 all the same.

    No number of a state changes its type in a generation.

    Mutation: an array that is made without a type, such as a genome's scale of noise, is float64
    before the first generation and float32 after it.
    """
    config = small_config(**changes)
    with jax.enable_x64(True):
        state = initial_state(config)
        data = (RunData.of(config), state, jnp.zeros((), jnp.int32))
        program, _ = take_numbers(Program.of(config))
        after, _ = jax.eval_shape(partial(generation, program, devices.population_mesh(4)), *data)
    assert [leaf.dtype for leaf in jax.tree.leaves(after)] == [
        leaf.dtype for leaf in jax.tree.leaves(state)
    ]
    assert {leaf.dtype.name for leaf in jax.tree.leaves(state.search.genome)} <= {
        "float32",
        "int32",
    }
