"""Scores of the genome's mode while it evolves: `evaluate_every`."""

import dataclasses
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hebbax
from hebbax.comparison.results import collect_run, held_out_curves
from hebbax.evolution import interrupts, training
from hebbax.evolution.evaluation import score_mode
from hebbax.evolution.run_dir import read_metrics
from hebbax.evolution.training import train_together
from small_run import newest_checkpoint, small_config, without_clock


@pytest.mark.parametrize("every", [1, 2, 3])
def test_scores_come_when_they_are_due(tmp_path: Path, every: int):
    """After every so many generations, of all variations, and they change nothing else.

    Mutations: counted from the first; scores of the training variations alone; the evaluation draws
    from the training's key.
    """
    config = small_config(evaluate_every=every, evaluation_episodes=6)
    history = hebbax.train(config, tmp_path).history
    assert [i + 1 for i, metrics in enumerate(history) if "scores" in metrics] == list(
        range(every, 5, every)
    )
    for metrics in history:
        assert list(metrics.get("scores", config.task.variations)) == list(config.task.variations)
    plain = hebbax.train(small_config()).history
    assert without_clock(plain) == [
        {name: value for name, value in metrics.items() if name != "scores"}
        for metrics in without_clock(history)
    ]
    assert read_metrics(tmp_path) == history


def test_scores_are_those_of_the_mode():
    """They lie within five standard errors of what `evaluate` finds for the last genome.

    Mutation: scores of the genome before the generation's step.
    """
    config = small_config(evaluate_every=4, evaluation_episodes=64)
    result = hebbax.train(config)
    for score in hebbax.evaluate(result, 64):
        error = np.sqrt(2) * score.std / np.sqrt(64)
        assert abs(result.history[-1]["scores"][score.variation] - score.mean) < 5 * error


def test_scores_go_on_where_a_run_was_interrupted(tmp_path: Path):
    """A run in two parts has the scores of one in one part, also beside another run."""
    config = small_config(evaluate_every=2, evaluation_episodes=4)
    whole = hebbax.train(config)
    hebbax.train(dataclasses.replace(config, generations=3), tmp_path)
    resumed = hebbax.train(config, tmp_path)
    assert [metrics.get("scores") for metrics in resumed.history] == [
        metrics.get("scores") for metrics in whole.history
    ]
    other = dataclasses.replace(config, seed=1, evaluation_episodes=6)
    together = train_together([(config, None), (other, None)])
    assert "scores" in together[1].history[1]
    for i in (1, 3):
        scores = together[0].history[i]["scores"]
        assert scores == pytest.approx(whole.history[i]["scores"], rel=1e-4)


def test_nothing_is_taken_down_while_modes_are_scored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """SIGTERM in the second run's scoring leaves both runs with the generation before.

    Mutation: a run is noted before the other is scored, and its old state is kept as the new one.
    """
    configs = [small_config(seed=seed, evaluate_every=1, evaluation_episodes=4) for seed in (0, 1)]
    folders = [tmp_path / "first", tmp_path / "second"]
    runs = list(zip(configs, folders, strict=True))
    scored = []

    def score_or_end(*arguments: Any) -> dict[str, float]:
        scored.append(arguments)
        if len(scored) == 4:
            raise interrupts.Terminated(interrupts.TERMINATED)
        return score_mode(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(training, "score_mode", score_or_end)
        patch.setattr(interrupts, "end_as_heard", lambda: sys.exit(interrupts.TERMINATED))
        with pytest.raises(SystemExit):
            train_together(runs)
    assert [newest_checkpoint(folder) for folder in folders] == [1, 1]
    for result, whole in zip(
        train_together(runs), train_together([(c, None) for c in configs]), strict=True
    ):
        assert without_clock(result.history) == without_clock(whole.history)


def test_the_held_out_curve_is_read_from_a_run(tmp_path: Path):
    """It has the held-out variation's score where there is one, and NaN elsewhere."""
    config = small_config(evaluate_every=2, evaluation_episodes=4)
    history = hebbax.train(config, tmp_path).history
    [curve] = held_out_curves(collect_run(tmp_path))
    np.testing.assert_array_equal(np.isnan(curve.iqm), [True, False, True, False])
    assert curve.iqm[3] == pytest.approx(history[3]["scores"]["heavy"])
