"""Scores of a genome.

Right figures, the same from memory and from disk, and an interval that covers what it should.
"""

from pathlib import Path

import numpy as np
import pytest

import hebbax
from hebbax.evolution import evaluation
from hebbax.evolution.evaluation import _score
from hebbax.evolution.result import Result
from hebbax.statistics import bootstrap_interval
from small_run import contents, small_config

SEED = 1  # Its best generation is not the last.


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, Path]:
    folder = tmp_path_factory.mktemp("runs") / "run"
    return hebbax.train(small_config(generations=6, seed=SEED), folder), folder


def test_scores_of_result_and_folder_are_equal(run: tuple[Result, Path]):
    """The newest checkpoint gives the result's scores, again and again, and writes nothing."""
    result, folder = run
    before = contents(folder)
    scores = hebbax.evaluate(result, episodes=4)
    assert hebbax.evaluate(folder, episodes=4) == scores
    assert hebbax.evaluate(str(folder), episodes=4) == scores
    assert contents(folder) == before


def test_figures_are_those_of_the_returns(run: tuple[Result, Path]):
    """Every variation has a score in the task's order.

    Mean, deviation and interval are those of its returns.

    Mutation: `ddof=0` in the deviation fails here.
    """
    scores = hebbax.evaluate(run[0], episodes=6)
    assert [(score.variation, score.is_held_out) for score in scores] == [
        ("light", False),
        ("medium", False),
        ("heavy", True),
    ]
    for score in scores:
        returns = np.asarray(score.returns)
        assert len(set(score.returns)) == 6, "every episode begins elsewhere"
        assert score.mean == pytest.approx(returns.mean())
        assert score.std == pytest.approx(np.sqrt(np.sum((returns - returns.mean()) ** 2) / 5))
        assert (score.low, score.high) == bootstrap_interval(returns)
        assert returns.min() < score.low < score.mean < score.high < returns.max()
        assert score.ended_early in (0, 1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6, 1)


def test_genome_can_be_the_last_the_best_or_sampled(run: tuple[Result, Path]):
    """The last genome, the best one and individuals drawn from it are three different things.

    Mutation: an option that is not passed on gives equal scores here.
    """
    result, folder = run
    assert result.best_generation < 5
    returns = {
        (is_sampled, is_best): hebbax.evaluate(folder, 4, is_sampled=is_sampled, is_best=is_best)[
            0
        ].returns
        for is_sampled in (False, True)
        for is_best in (False, True)
    }
    assert len(set(returns.values())) == 4


def test_lives_do_not_depend_on_how_they_are_cut(run: tuple[Result, Path]):
    """An odd number of episodes fills all devices as an even one does. Chunks change nothing.

    Mutation: a genome that is closed over instead of moved to the devices cannot be evaluated on
    others than it was trained on.
    """
    result = run[0]
    assert len(hebbax.evaluate(result, episodes=3)[0].returns) == 3
    chunked = Result(
        small_config(generations=6, seed=SEED, chunk_size=1),
        result.genome,
        result.best_genome,
        result.best_generation,
        result.wiring,
        result.history,
    )
    for one, other in zip(
        hebbax.evaluate(chunked, episodes=4), hebbax.evaluate(result, episodes=4), strict=True
    ):
        np.testing.assert_allclose(one.returns, other.returns, rtol=1e-5)


@pytest.mark.parametrize("episodes", [1, 0, -3])
def test_too_few_episodes_are_refused(run: tuple[Result, Path], episodes: int):
    """One episode has no spread."""
    with pytest.raises(ValueError, match=f"episodes is {episodes}, but must be 2 or more"):
        hebbax.evaluate(run[0], episodes)


def test_run_without_checkpoint_is_refused(run: tuple[Result, Path], tmp_path: Path):
    """A run that has only begun has nothing to evaluate, and is left as it is."""
    (tmp_path / "config.json").write_bytes((run[1] / "config.json").read_bytes())
    before = contents(tmp_path)
    with pytest.raises(ValueError, match="has no checkpoint yet"):
        hebbax.evaluate(tmp_path)
    assert contents(tmp_path) == before


def test_failed_episodes_are_counted_and_left_out():
    """Returns that are not finite do not hide the others.

    Where fewer than two are left, the spread is unknown.

    Mutation: means of all returns are NaN here.
    """
    score = _score(
        "light",
        False,
        np.asarray([1.0, np.nan, 3.0, -np.inf]),
        np.asarray([False, True, False, True]),
    )
    assert (score.non_finite, score.mean, score.std, score.ended_early) == (
        2,
        2.0,
        np.sqrt(2.0),
        0.5,
    )
    assert 1.0 <= score.low <= score.high <= 3.0
    score = _score("light", False, np.asarray([np.nan, 3.0]), np.asarray([True, False]))
    assert (score.non_finite, score.mean) == (1, 3.0)
    assert np.isnan([score.std, score.low, score.high]).all()
    assert np.isnan(_score("light", False, np.full(2, np.nan), np.ones(2, bool)).mean)


@pytest.mark.parametrize("is_sampled", [False, True])
def test_many_episodes_take_the_memory_of_some(
    run: tuple[Result, Path], is_sampled: bool, monkeypatch: pytest.MonkeyPatch
):
    """Seven episodes, three at a time, have the returns of seven at once.

    Mutations: the first three keys again; the filled-up last part counts.
    """
    whole = hebbax.evaluate(run[0], 7, is_sampled=is_sampled)
    monkeypatch.setattr(evaluation, "AT_A_TIME", 3)
    parts = hebbax.evaluate(run[0], 7, is_sampled=is_sampled)
    for one, other in zip(whole, parts, strict=True):
        assert len(other.returns) == 7
        assert one.returns == pytest.approx(other.returns, rel=1e-5, abs=1e-5)
