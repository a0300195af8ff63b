"""What a person sees of a training and of an evaluation."""

import io

import pytest
from rich.console import Console

from hebbax.evolution.evaluation import Score
from hebbax.evolution.progress import ProgressBar, describe, score_table


def metrics_of(generation: int, non_finite: int = 0) -> dict:
    return {
        "generation": generation,
        "fitness_mean": 1.234,
        "fitness_best": 5.678,
        "returns": {"light": 1.0, "medium": float("nan")},
        "ended_early": 0.25,
        "non_finite": non_finite,
        "steps_per_second": 12345.6,
    }


def test_description_has_the_figures():
    """Mean and best fitness, every variation, the share that ended early and the speed.

    Broken lives only where there are some.
    """
    assert (
        describe(metrics_of(0))
        == "fitness 1.23  best 5.68  |  light 1.0  medium nan  |  ended early 25%  12,346 steps/s"
    )
    assert "not finite 3" in describe(metrics_of(0, non_finite=3))


def test_lines_come_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    """Without a terminal the first and the last generation have a line on stderr.

    And one each ten seconds between them.

    Mutation: a line for every generation fails here.
    """
    now = 1000.0
    monkeypatch.setattr("hebbax.evolution.progress.time.monotonic", lambda: now)
    with ProgressBar(30) as progress:
        for generation in range(30):
            progress(metrics_of(generation))
            now += 1.0
    out, err = capsys.readouterr()
    assert out == ""
    # Due after more than ten seconds: generations 1, 12 and 23, and the last.
    assert [line.partition(":")[0] for line in err.splitlines()] == [
        f"generation {number}/30" for number in (1, 12, 23, 30)
    ]


def test_bar_on_a_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    """On a terminal there is a bar that counts generations, with the figures under it."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "200")
    with ProgressBar(3) as progress:
        progress(metrics_of(1))
    said = capsys.readouterr().err
    assert "2/3" in said
    assert "fitness 1.23" in said


def test_table_marks_the_held_out_variation():
    """Every variation has its row; the held-out one says so."""
    scores = [
        Score(
            "light",
            is_held_out=False,
            returns=(1.0, 3.0),
            non_finite=0,
            mean=2.0,
            std=1.41,
            low=1.0,
            high=3.0,
            ended_early=0.5,
        ),
        Score(
            "heavy",
            is_held_out=True,
            returns=(0.0, 0.0),
            non_finite=0,
            mean=-4.0,
            std=0.0,
            low=0.0,
            high=0.0,
            ended_early=0.0,
        ),
    ]
    out = io.StringIO()
    Console(file=out, width=120).print(score_table(scores))
    title, *rows = [
        " ".join(line.replace("│", " ").split()) for line in out.getvalue().splitlines()
    ]
    assert title == "2 episodes in each variation"
    assert "light trained on 2.0 1.0 to 3.0 1.4 50%" in rows
    assert "heavy held out -4.0 0.0 to 0.0 0.0 0%" in rows
