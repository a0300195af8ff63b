"""The training loop.

What it returns, that it repeats itself, and that it survives being stopped at any instant.
"""

import dataclasses
import json
import random
import signal
import threading
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hebbax
from hebbax.evolution.result import Result, load_result
from hebbax.evolution.run import Handle
from hebbax.evolution.run_dir import read_metrics
from hebbax.evolution.training import DivergedError, train_together
from hebbax.strategies import Schedule, ScoreFunction, Sgd
from small_run import (
    DIVERGING,
    exploding,
    is_equal,
    newest_checkpoint,
    small_config,
    start_python,
    without_clock,
)
from small_task import NEVER, Cart

LIMIT = 120  # s, for one process; it takes a few.

TRAIN = """
import sys, time
import hebbax
hebbax.use_cpu_cores(2)
from small_run import small_config

def report(metrics, handle):
    print(metrics["generation"], flush=True)
    time.sleep(0.02)

hebbax.train(small_config(generations=int(sys.argv[2])), sys.argv[1], callbacks=[report])
"""


@pytest.fixture(scope="module")
def undisturbed() -> Result:
    return hebbax.train(small_config(generations=6))


def test_result_holds_what_evolved(undisturbed: Result):
    """The history has every generation, and the best genome is of the best of them.

    Mutation: `best_genome` taken from the state after the generation fails here.
    """
    assert [metrics["generation"] for metrics in undisturbed.history] == list(range(6))
    for metrics in undisturbed.history:
        assert set(metrics) == {
            *(
                "generation",
                "fitness_mean",
                "fitness_best",
                "fitness_std",
                "returns",
                "ended_early",
                "steps",
            ),
            *("non_finite", "non_finite_genome", "chunk_size"),
            *("gradient_norm", "update_norm", "std", "seconds", "steps_per_second"),
        }
        assert set(metrics["returns"]) == {"light", "medium"}
        assert metrics["fitness_mean"] == pytest.approx(
            np.mean(list(metrics["returns"].values())), rel=1e-5
        )
        assert metrics["fitness_best"] >= metrics["fitness_mean"]
        assert 0 < metrics["steps"] <= 8 * 2 * 13
        assert metrics["non_finite"] == metrics["non_finite_genome"] == 0
        assert metrics["steps_per_second"] == pytest.approx(metrics["steps"] / metrics["seconds"])
    assert undisturbed.best_generation == np.argmax(
        [metrics["fitness_mean"] for metrics in undisturbed.history]
    )
    assert undisturbed.best_generation > 0, "the seed should make this test able to fail"
    assert is_equal(
        hebbax.train(small_config(generations=undisturbed.best_generation)).genome,
        undisturbed.best_genome,
    )


def test_penalty_lowers_fitness():
    """The penalty is taken from fitness, and nothing from the returns.

    It is its factor times the mean square of the genotypes.
    """
    free = hebbax.train(small_config(generations=1)).history[0]
    costly = hebbax.train(small_config(generations=1, penalty=100.0)).history[0]
    assert costly["returns"] == free["returns"]
    # Genotypes are means of scale 0.1 with noise of scale 0.1: a mean square of 0.02, give or take.
    assert 0.5 < free["fitness_mean"] - costly["fitness_mean"] < 4


def test_same_configuration_gives_same_numbers(undisturbed: Result):
    """A second run repeats the first bit for bit, another seed does not."""
    again = hebbax.train(small_config(generations=6))
    assert without_clock(again.history) == without_clock(undisturbed.history)
    assert is_equal(again.genome, undisturbed.genome)
    other = hebbax.train(small_config(generations=1, seed=1))
    assert without_clock(other.history) != without_clock(undisturbed.history[:1])


@pytest.mark.device
def test_run_that_ended_goes_on(undisturbed: Result, tmp_path: Path):
    """More generations in the same folder equal one longer run bit for bit.

    The same ones again change no number.

    Mutation: a fresh optimiser state, or a fresh `best_fitness`, after the restoration fails here.
    """
    hebbax.train(small_config(generations=3), tmp_path)
    seen = []
    longer = hebbax.train(
        small_config(generations=6),
        tmp_path,
        callbacks=[lambda metrics, handle: seen.append(metrics)],
    )
    assert [metrics["generation"] for metrics in seen] == [3, 4, 5]
    metrics = (tmp_path / "metrics.jsonl").read_text()
    again = hebbax.train(small_config(generations=6), tmp_path)
    assert (tmp_path / "metrics.jsonl").read_text() == metrics
    for result in (longer, again):
        assert without_clock(result.history) == without_clock(undisturbed.history)
        assert is_equal(
            (result.genome, result.best_genome), (undisturbed.genome, undisturbed.best_genome)
        )
        assert result.best_generation == undisturbed.best_generation
    assert read_metrics(tmp_path) == longer.history


def test_callbacks_hear_of_each_generation_once():
    """Every callback is called with every generation's metrics, in order."""
    heard = []
    callbacks = [lambda metrics, handle, name=name: heard.append((name, metrics)) for name in "ab"]
    result = hebbax.train(small_config(generations=3), callbacks=callbacks)
    assert heard == [(name, metrics) for metrics in result.history for name in "ab"]


def test_callbacks_may_stop_and_look(tmp_path: Path):
    """A callback sees what the run would leave behind, and ends it; the run goes on from there.

    Mutations: the state before the generation; no checkpoint at the end.
    """
    looks = []

    def look(metrics: dict[str, Any], handle: Handle) -> None:
        looks.append(handle.result())
        if metrics["generation"] == 1:
            handle.stop()

    config = small_config(generations=5, checkpoint_every=100)
    result = hebbax.train(config, tmp_path, callbacks=[look])
    assert len(result.history) == newest_checkpoint(tmp_path) == 2
    assert [len(seen.history) for seen in looks] == [1, 2]
    assert is_equal(looks[-1].genome, result.genome)
    assert not is_equal(looks[0].genome, result.genome)
    whole = hebbax.train(config, tmp_path)
    assert without_clock(whole.history) == without_clock(hebbax.train(config).history)


def test_training_begins_with_another_genome(tmp_path: Path):
    """It begins where the other ended; a run that is taken up goes on with its own.

    Mutation: the genome drawn from the seed all the same.
    """
    warm = hebbax.train(small_config(generations=3, seed=1)).genome
    still = ScoreFunction(population_size=4, optimizer=Sgd(Schedule(1e-9)))
    config = dataclasses.replace(small_config(generations=1), strategy=still)
    for initial, is_warm in ((warm, True), (None, False)):
        mean = hebbax.train(config, initial=initial).genome.mean
        leaves = zip(jax.tree.leaves(mean), jax.tree.leaves(warm.mean), strict=True)
        assert all(np.allclose(one, other, atol=1e-6) for one, other in leaves) == is_warm

    hebbax.train(small_config(generations=2), tmp_path)
    longer = hebbax.train(small_config(generations=4), tmp_path, initial=warm)
    undisturbed = hebbax.train(small_config(generations=4))
    assert without_clock(longer.history) == without_clock(undisturbed.history)


def test_shorter_run_is_gone_on_with(undisturbed: Result, tmp_path: Path):
    """A result of two generations, with or without folders, goes on to what six are at once.

    What the folder holds comes before it. Mutations: the genome alone, without the optimiser's
    momentum; no history; a checkpoint that waits for the next interval.
    """
    shorter = hebbax.train(small_config(generations=2), tmp_path / "short")
    for initial in (shorter, hebbax.load(tmp_path / "short")):
        longer = hebbax.train(small_config(generations=6), initial=initial)
        assert without_clock(longer.history) == without_clock(undisturbed.history)
        assert is_equal(longer.genome, undisturbed.genome)

    same = hebbax.train(small_config(generations=2), tmp_path / "long", initial=shorter)
    assert newest_checkpoint(tmp_path / "long") == 2
    assert read_metrics(tmp_path / "long") == same.history == shorter.history
    hebbax.train(small_config(generations=6), tmp_path / "long", initial=shorter)
    assert without_clock(read_metrics(tmp_path / "long")) == without_clock(undisturbed.history)

    for initial, words in (
        (hebbax.train(small_config(generations=1, seed=1)), "a result of another configuration"),
        (dataclasses.replace(shorter, genome=undisturbed.genome), "whose genome was replaced"),
        (undisturbed, "a result of 6 generations, but generations is 5"),
    ):
        with pytest.raises(ValueError, match=words):
            hebbax.train(small_config(generations=5), tmp_path / "third", initial=initial)
    assert not (tmp_path / "third").exists()

    kept: list[Result] = []
    diverging = exploding(generations=6)
    with pytest.raises(DivergedError):
        hebbax.train(diverging, callbacks=[lambda _, handle: kept.append(handle.result())])
    with pytest.raises(ValueError, match="the result of a run that diverged"):
        hebbax.train(diverging, initial=kept[-1])


def test_genome_that_does_not_fit_leaves_no_folder(tmp_path: Path):
    """Of another network. Mutation: the folder made before the genome is looked at."""
    config = small_config()
    other = dataclasses.replace(config, policy=hebbax.Hebbian(hidden_sizes=(7,)))
    genome = hebbax.train(dataclasses.replace(other, generations=1)).genome
    with pytest.raises(ValueError, match="initial"):
        hebbax.train(config, tmp_path / "run", initial=genome)
    assert not (tmp_path / "run").exists()


def test_one_of_several_runs_may_be_stopped():
    """The others go on without it. Mutation: all of them end."""

    def stop_first(metrics: dict[str, Any], handle: Handle) -> None:
        if metrics["generation"] == 1 and handle.result().config.seed == 0:
            handle.stop()

    runs = [(small_config(generations=4, seed=seed), None) for seed in (0, 1)]
    stopped, other = train_together(runs, callbacks=[stop_first])
    assert (len(stopped.history), len(other.history)) == (2, 4)


def test_training_needs_no_main_thread():
    """Signals belong to the main thread; a training in another one goes without."""
    results = []
    thread = threading.Thread(
        target=lambda: results.append(hebbax.train(small_config(generations=1)))
    )
    thread.start()
    thread.join()
    assert len(results[0].history) == 1


def test_non_finite_lives_are_counted_and_poison_nothing():
    """Carts still on the track at step 6 earn NaN.

    They are counted, the others teach, and the genome stays finite.

    Mutation: without `replace_non_finite` every mean of the genome is NaN after the first
    generation.
    """
    strategy = hebbax.ScoreFunction(population_size=16, std=hebbax.Schedule(2.0))
    result = hebbax.train(
        small_config(task=Cart(broken_steps=(6, NEVER, NEVER)), strategy=strategy)
    )
    counts = [metrics["non_finite"] for metrics in result.history]
    assert any(0 < count < 16 for count in counts), counts
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(result.genome))
    assert all(np.isfinite(metrics["fitness_mean"]) for metrics in result.history)


def test_generation_without_a_finite_life_teaches_nothing():
    """Where every episode is broken the means stay where they are."""
    broken = small_config(
        task=Cart(broken_steps=(1, 1, 1)),
        strategy=hebbax.ScoreFunction(population_size=8),
        generations=2,
    )
    result = hebbax.train(broken)
    assert [metrics["non_finite"] for metrics in result.history] == [8, 8]
    assert [metrics["update_norm"] for metrics in result.history] == [0, 0]
    assert [metrics["steps"] for metrics in result.history] == [16, 16]
    assert np.isnan([metrics["fitness_mean"] for metrics in result.history]).all()
    assert result.best_generation is None
    with pytest.raises(ValueError, match="is_best is True, but the run has no best generation"):
        hebbax.evaluate(result, 2, is_best=True)


def test_run_that_diverges_says_so_and_keeps_what_was_finite(tmp_path: Path):
    """The fourth generation makes infinite numbers.

    The run ends there, with that in its metrics, and the checkpoint is of the third.

    Mutations: a checkpoint of the state after the generation; the older checkpoint alone, two
    generations before it; an error that says nothing of it.
    """
    for _ in range(2):  # The same call comes to the same end, and changes nothing.
        with pytest.raises(
            DivergedError,
            match=r"seed 0 and held_out 'heavy' has \d+ numbers .* not finite after generation "
            r"4.*learning_rate",
        ):
            hebbax.train(exploding(generations=9), tmp_path)
        assert newest_checkpoint(tmp_path) == 3
        history = read_metrics(tmp_path)
        assert [metrics["non_finite_genome"] > 0 for metrics in history] == [
            False,
            False,
            False,
            True,
        ]
    finite = hebbax.train(exploding(generations=3))
    kept = load_result(tmp_path)
    assert is_equal((kept.genome, kept.best_genome), (finite.genome, finite.best_genome))
    assert len(hebbax.evaluate(tmp_path, 2)) == 3


def test_runs_beside_one_that_diverges_go_on(tmp_path: Path):
    """Of two runs together the first diverges: the other comes to its end.

    Mutation: the first to diverge ends all.
    """
    runs = [
        (exploding(bound=0.0, seed=seed, generations=5), tmp_path / str(seed)) for seed in DIVERGING
    ]
    with pytest.raises(DivergedError) as error:
        train_together(runs)
    assert [newest_checkpoint(folder) for _, folder in runs] == [3, 5]
    assert [f"the run with seed {seed} " in str(error.value) for seed in DIVERGING] == [True, False]


@dataclasses.dataclass(frozen=True)
class Misfit:
    """A cart that says with a number whether it is over."""

    cart: Cart = dataclasses.field(default_factory=Cart)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.cart, name)

    def step(self, state: Any, action: Any, variation: Any) -> Any:
        state, observation, reward, is_end = self.cart.step(state, action, variation)
        return state, observation, reward, is_end.astype(jnp.float32)


def test_task_that_does_not_fit_leaves_no_folder(tmp_path: Path):
    """Otherwise the mended task, of another configuration, would be refused there.

    Mutation: the refusal by the rollout alone.
    """
    with pytest.raises(
        ValueError, match=r"the end of the episode that task\.step returns has dtype float32"
    ):
        hebbax.train(dataclasses.replace(small_config(), task=Misfit()), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("num_kills", [1, pytest.param(10, marks=pytest.mark.slow)])
def test_killed_run_gives_the_same_numbers(tmp_path: Path, num_kills: int):
    """Killed at random instants and resumed, a run has the metrics of an undisturbed one.

    None is lost, none is there twice.

    Every process begins with the generation after the newest checkpoint. Mutations: `MetricsFile`
    that appends without cutting off what no checkpoint stands behind writes generations twice; a
    checkpoint before its metrics are written leaves some out; a `force=False`d save at an old
    number.
    """
    generations, kills = 60, random.Random(0)
    for number in range(num_kills):
        begins_with = newest_checkpoint(tmp_path)
        process = start_python(TRAIN, tmp_path, generations)
        watchdog = threading.Timer(LIMIT, process.kill)
        watchdog.start()
        # The second dies somewhere in its start, the others while they train or write.
        if number != 1:
            assert process.stdout
            first = process.stdout.readline()
            assert int(first) == begins_with, process.stderr and process.stderr.read()
        time.sleep(kills.uniform(0.0, 0.25))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        watchdog.cancel()
        assert process.returncode == -signal.SIGKILL
        lines = len(read_metrics(tmp_path))
        # One checkpoint is being written while two more generations are made.
        assert (
            begins_with <= newest_checkpoint(tmp_path) <= lines <= newest_checkpoint(tmp_path) + 4
        )
    assert newest_checkpoint(tmp_path) < generations, "every kill should have interrupted something"

    result = hebbax.train(small_config(generations=generations), tmp_path)
    undisturbed = hebbax.train(small_config(generations=generations))
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert without_clock([json.loads(line) for line in lines]) == without_clock(undisturbed.history)
    assert is_equal(result.genome, undisturbed.genome)


@pytest.mark.parametrize("seeds", [(0,), (0, 1)])
def test_generations_go_together_in_a_call(tmp_path: Path, seeds: tuple[int, ...]):
    """Seven generations in calls of up to four, cut at checkpoints and evaluations, are those of
    seven calls; so they are when they are stopped between and go on.

    Callbacks hear of each generation when its call is done, and the state is then the last one's.

    Mutations: the same index for all of a call; a call that runs over a checkpoint; generations
    beyond the end.
    """
    config = small_config(
        generations=7, checkpoint_every=5, evaluate_every=3, evaluation_episodes=2
    )
    several = dataclasses.replace(config, generations_per_call=4)
    heard: list[tuple[int, int, int]] = []

    def hear(metrics: Any, handle: Any) -> None:
        result = handle.result()
        count = len(result.history), int(result.state.search.generation)
        heard.append((metrics["generation"], *count))

    runs = [
        (dataclasses.replace(several, seed=seed), tmp_path / str(seed) if seed else None)
        for seed in seeds
    ]
    results = train_together(runs, [hear])
    calls = [(0, 3), (1, 3), (2, 3), (3, 5), (4, 5), (5, 6), (6, 7)]
    expected = [(i, count, count) for i, count in calls]
    assert sorted(heard) == sorted(expected * len(seeds))
    for (config_of_run, folder), result in zip(runs, results, strict=True):
        one_by_one = hebbax.train(dataclasses.replace(config_of_run, generations_per_call=1))
        assert ["scores" in metrics for metrics in result.history] == [False, False, True] * 2 + [
            False
        ]
        for one, other in zip(result.history, one_by_one.history, strict=True):
            assert one["generation"] == other["generation"]
            assert one["fitness_mean"] == pytest.approx(other["fitness_mean"], rel=1e-4, abs=1e-4)
        if folder:
            assert newest_checkpoint(folder) == 7
    shorter = hebbax.train(dataclasses.replace(several, generations=4), tmp_path / "stopped")
    assert len(shorter.history) == 4
    longer = hebbax.train(several, tmp_path / "stopped")
    [alone] = train_together([(several, None)])
    assert without_clock(longer.history) == without_clock(alone.history)
    assert is_equal(longer.genome, alone.genome)


def test_a_call_ends_where_its_genome_diverges(tmp_path: Path):
    """Of nine generations in a call the fourth makes infinite numbers: the third's state is kept.

    Mutation: the state before the call.
    """
    with pytest.raises(DivergedError, match="not finite after generation 4"):
        hebbax.train(exploding(generations=9, generations_per_call=9), tmp_path)
    assert newest_checkpoint(tmp_path) == 3
    assert [metrics["non_finite_genome"] > 0 for metrics in read_metrics(tmp_path)] == [
        *[False] * 3,
        True,
    ]
    finite = hebbax.train(exploding(generations=3, generations_per_call=9))
    assert is_equal(load_result(tmp_path).genome, finite.genome)


def test_runs_beside_one_that_diverges_in_a_call_go_on(tmp_path: Path):
    """Each run of a call ends for itself. Mutation: the first to diverge ends the call for all."""
    runs = [
        (
            exploding(bound=0.0, seed=seed, generations=5, generations_per_call=5),
            tmp_path / str(seed),
        )
        for seed in DIVERGING
    ]
    with pytest.raises(DivergedError):
        train_together(runs)
    assert [newest_checkpoint(folder) for _, folder in runs] == [3, 5]
