"""Which films a report makes, and which it makes again."""

import os
import shutil
from pathlib import Path

import pytest

import hebbax
from fake_sweep import make_sweep
from hebbax.comparison.results import collect
from hebbax.watching.lesion import Lesion
from hebbax.watching.report import films
from small_run import small_config

CONFIGS = {
    "static": small_config(policy=hebbax.Static(hidden_sizes=(3,))),
    "individual": small_config(),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sweep whose second method is better; of each, the runs in two folds have a checkpoint."""
    folder = make_sweep(
        tmp_path, CONFIGS, range(1), {"static": (10.0, 5.0), "individual": (10.0, 9.0)}
    )
    for run in ("static/light", "static/heavy", "individual/light", "individual/heavy"):
        (folder / "runs" / run / "seed-0" / "checkpoints" / "4").mkdir(parents=True)
    return folder


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, Lesion | None]]:
    """What is filmed, in the place of films."""
    asked = []

    def render(run: Path, variation: str, output: Path, *, lesion: Lesion | None) -> None:
        asked.append((run.parents[1].name, variation, lesion))
        output.parent.mkdir(exist_ok=True)
        output.write_bytes(b"")

    monkeypatch.setattr(films, "render", render)
    return asked


def test_best_method_is_filmed_first(folder: Path, asked: list[tuple[str, str, Lesion | None]]):
    """In the variation that its run held out.

    Then with a lesion, then the next method, then the other variations. Mutation: methods in the
    sweep's order.
    """
    results = collect(folder)
    assert films.make_films(results, 0) == []
    made = films.make_films(results, 99)
    held_out = asked[0][1]
    assert held_out in ("light", "heavy")
    assert asked[:2] == [("individual", held_out, None), ("individual", held_out, Lesion(0, 6))]
    assert asked[2][0] == "static"
    assert asked[2][2] is None
    others = [name for name in ("light", "medium", "heavy") if name != held_out]
    assert asked[3:] == [("individual", name, None) for name in others]
    assert [file.name for file in made[:2]] == [f"{held_out}.mp4", f"{held_out}-lesion.mp4"]

    found, left_out = films.find_films(results)
    assert left_out == []
    assert len(found) == 5
    assert (
        sum(
            caption.endswith("(held out), with its first plastic layer set to zero half-way")
            for caption, _ in found
        )
        == 1
    )


def test_film_is_made_again_when_the_run_has_gone_on(
    folder: Path, asked: list[tuple[str, str, Lesion | None]]
):
    [file] = films.make_films(collect(folder), 1)
    films.make_films(collect(folder), 1)
    assert len(asked) == 1
    os.utime(file, (0, 0))
    films.make_films(collect(folder), 1)
    assert len(asked) == 2


def test_films_beyond_the_page_are_named(
    folder: Path, asked: list[tuple[str, str, Lesion | None]], monkeypatch: pytest.MonkeyPatch
):
    [file] = films.make_films(collect(folder), 1)
    file.write_bytes(b"longer")
    monkeypatch.setattr(films, "LARGEST", 5)
    found, [words] = films.find_films(collect(folder))
    assert found == []
    assert file.name in words


def test_without_checkpoints_nothing_can_be_filmed(folder: Path):
    for checkpoints in folder.rglob("checkpoints"):
        shutil.rmtree(checkpoints)
    with pytest.raises(ValueError, match="no run has a checkpoint yet"):
        films.make_films(collect(folder), 1)


def test_films_end_with_the_time(
    folder: Path, asked: list[tuple[str, str, Lesion | None]], monkeypatch: pytest.MonkeyPatch
):
    """Two are made, then the time is over; the next call makes the rest. Mutation: none made."""
    monkeypatch.setattr(films, "is_time_over", lambda: len(asked) >= 2)
    made = films.make_films(collect(folder), 3)
    assert len(made) == len(asked) == 2
    monkeypatch.setattr(films, "is_time_over", lambda: False)
    assert len(films.make_films(collect(folder), 3)) == len(asked) == 3
