"""A search over numbers: which trials there are, which goes on, and that nothing is lost."""

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import pytest

import hebbax
from hebbax.comparison import Between, tuning
from hebbax.evolution import generation
from hebbax.tasks import Point
from small_run import exploding, small_config

RATE = "strategy.optimizer.learning_rate.initial"
TIED = "strategy.std.initial + genome.init_scale"


def point(**changes: Any) -> hebbax.Config:
    """Points that learn where to go within a few generations."""
    config = hebbax.Config(
        Point(),
        hebbax.Static(hidden_sizes=()),
        hebbax.Normal(init_scale=0.1),
        hebbax.ScoreFunction(16, optimizer=hebbax.Adam(hebbax.Schedule(0.1))),
        held_out="mirrored",
        generations=3,
    )
    return dataclasses.replace(config, **changes)


@pytest.fixture
def compilations(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The configurations whose generation is compiled."""
    compiled: list[Any] = []
    compile_one = generation._compile_anew
    monkeypatch.setattr(
        generation,
        "_compile_anew",
        lambda *arguments: compiled.append(arguments[2]) or compile_one(*arguments),
    )
    return compiled


def test_every_combination_is_tried_in_one_program(tmp_path: Path, compilations: list[Any]):
    """Six trials of two seeds compile once, and the best is that of the best mode.

    A rate of nearly nothing learns nothing. The same call again trains nothing. Mutations: a
    program for each rate; the worst; the held-out variation counted.
    """
    space = {TIED: [0.03, 0.1, 0.3], RATE: [1e-6, 0.1]}
    found = hebbax.tune(point(), space, 36, tmp_path, episodes=8)
    assert len(compilations) == 1
    assert sorted(trial.values for trial in found.trials) == [
        (noise, rate) for noise in (0.03, 0.1, 0.3) for rate in (1e-6, 0.1)
    ]
    assert found.best.values[1] == 0.1
    assert found.best.mean == max(trial.mean for trial in found.trials)
    noise, rate = found.best.values
    strategy: Any = found.config.strategy
    assert (strategy.std.initial, strategy.optimizer.learning_rate.initial) == (noise, rate)
    genome: Any = found.config.genome
    assert genome.init_scale == noise
    assert dataclasses.replace(found.config, strategy=point().strategy, genome=point().genome) == (
        point()
    )

    # By hand: the mode's mean return in the three training variations, over both seeds.
    seeds = [
        hebbax.train(
            dataclasses.replace(found.config, seed=seed, evaluate_every=3, evaluation_episodes=8)
        ).history
        for seed in (100, 101)
    ]
    by_hand = [
        sum(history[-1]["scores"][name] for name in point().training_names) / 3 for history in seeds
    ]
    assert found.best.scores == pytest.approx(by_hand)
    assert found.best.fitness[1] == pytest.approx([one["fitness_mean"] for one in seeds[1]])

    written = json.loads((tmp_path / "tuning.json").read_text())
    assert written["space"] == [TIED, RATE]
    assert [len(trial["fitness"][0]) for trial in written["trials"]] == [3] * 6
    assert hebbax.tune(point(), space, 36, tmp_path, episodes=8) == found
    assert len(compilations) == 1


@pytest.mark.slow
def test_the_best_third_goes_on(tmp_path: Path):
    """Nine trials of one generation, three of three, one of nine.

    A second call in the same folder comes to the same, although runs are longer now. Mutations: the
    worst third; a rung's score taken from longer runs.
    """
    config = point(generations=9)
    search = {RATE: Between(1e-6, 1.0)}
    found = hebbax.tune(config, search, 9 + 6 + 6, tmp_path, seeds=[100], rungs=3, episodes=4)
    assert [trial.generations for trial in found.trials] == [9, 3, 3, *[1] * 6]
    short = [
        hebbax.train(
            dataclasses.replace(
                tuning.with_values(config, {RATE: trial.values[0]}),
                generations=1,
                seed=100,
                evaluate_every=1,
                evaluation_episodes=4,
            )
        ).history[0]["scores"]
        for trial in found.trials
    ]
    means = [sum(scores[name] for name in config.training_names) / 3 for scores in short]
    assert min(means[:3]) >= max(means[3:])
    assert all(1e-6 <= trial.values[0] <= 1 for trial in found.trials)
    again = hebbax.tune(config, search, 21, tmp_path, seeds=[100], rungs=3, episodes=4)
    assert again == found
    assert len({trial.values for trial in found.trials}) == 9


def test_trial_that_was_dropped_stays_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Where scores fall as runs get longer, short ones do not come back to the next rung.

    Mutation: the best third of all trials at each rung.
    """

    def trial(config: Any, values: Any, paths: Any, length: int) -> tuning.Trial:
        return tuning.Trial(values, length, (values[0] - 10.0 * length,), ((),))

    monkeypatch.setattr(tuning, "_trial", trial)
    monkeypatch.setattr(tuning, "sweep", lambda *_, **__: None)
    rates = {RATE: [float(rate) for rate in range(1, 10)]}
    found = hebbax.tune(point(generations=9), rates, 1000, tmp_path, seeds=[100], rungs=3)
    assert [(trial.generations, trial.values[0]) for trial in found.trials[:3]] == [
        *((9, 9.0), (3, 8.0), (3, 7.0))
    ]
    assert [trial.generations for trial in found.trials[3:]] == [1] * 6


def test_other_rungs_are_refused(tmp_path: Path):
    """Runs without scores on the way cannot be compared there."""
    short = point(generations=3)
    hebbax.tune(short, {RATE: [0.1]}, 3, tmp_path, seeds=[100], episodes=2)
    with pytest.raises(ValueError, match="has no scores of generation 1, for it was made with oth"):
        hebbax.tune(short, {RATE: [0.1]}, 3, tmp_path, seeds=[100], episodes=2, rungs=2)


@pytest.mark.slow
def test_trials_that_diverge_are_the_worst(tmp_path: Path):
    """One of two has an infinite step; where all have, there is nothing to return."""
    bound, always, never = "strategy.optimizer.bound", 3e38, -3e38
    found = hebbax.tune(
        exploding(), {bound: [always, never]}, 8, tmp_path / "a", seeds=[100], episodes=2
    )
    assert [trial.values for trial in found.trials] == [(never,), (always,)]
    assert math.isnan(found.trials[1].scores[0])
    with pytest.raises(hebbax.evolution.DivergedError, match=r"no trial in .* kept its genome"):
        hebbax.tune(exploding(), {bound: [always]}, 8, tmp_path / "b", seeds=[100], episodes=2)


def test_archive_spares_a_tuning_its_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """In another folder, with the same archive."""
    arguments: Any = {"seeds": [100], "episodes": 2, "archive": tmp_path / "scores.jsonl"}
    found = hebbax.tune(point(), {RATE: [0.1, 0.2]}, 6, tmp_path / "a", **arguments)
    monkeypatch.setattr(hebbax.comparison.sweeps, "train_together", None)
    again = hebbax.tune(point(), {RATE: [0.1, 0.2]}, 6, tmp_path / "b", **arguments)
    assert [trial.values for trial in again.trials] == [trial.values for trial in found.trials]
    assert again.best.scores == pytest.approx(found.best.scores, rel=1e-6)


def test_folds_have_trials_of_their_own(tmp_path: Path):
    """Another variation held out in the same folder. Mutation: the runs of whichever fold."""
    both = [
        hebbax.tune(
            point(held_out=name, generations=1), {RATE: [0.1]}, 1, tmp_path, seeds=[7], episodes=4
        )
        for name in ("mirrored", "weak", "mirrored")
    ]
    assert both[0] == both[2]
    assert both[0].best.scores != both[1].best.scores


def test_task_of_one_variation_is_tuned(tmp_path: Path):
    """Nothing is held out."""
    found = hebbax.tune(
        small_config(held_out=None, generations=1), {RATE: [0.1]}, 1, tmp_path, seeds=[7]
    )
    assert (tmp_path / "runs/trial@0.1/nothing/seed-7").is_dir()
    assert len(found.best.scores) == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"budget": 5}, "budget is 5, but one trial takes 6 generations"),
        ({"space": {}}, "space is {}, but must be a mapping from fields to choices"),
        (
            {"space": {"strategy.sdt.initial": [0.1]}},
            "space names 'strategy.sdt.initial', but ScoreFunction has no 'sdt'; it has population",
        ),
        ({"space": {RATE: [-1.0]}}, "initial is -1.0, but must be above 0"),
        ({"rungs": 0}, "rungs is 0, but must be 1 or more"),
        ({"seeds": ()}, "seeds is \\(\\), but must be one or more"),
        ({"rungs": 3}, "config.generations is 3, but must be a multiple of 9, because rungs is 3"),
        ({"name": "a/b"}, "name is 'a/b', but must be a text that can name a folder"),
    ],
)
def test_mistakes_are_refused(tmp_path: Path, change: dict[str, Any], words: str):
    """Before anything is written."""
    call: Any = {"space": {RATE: [0.1]}, "budget": 6, "folder": tmp_path} | change
    with pytest.raises(ValueError, match=words):
        hebbax.tune(point(), **call)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match=r"Between.high is 1.0, but must be above low, 2.0"):
        Between(2.0, 1.0)
