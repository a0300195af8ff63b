"""Films on the page: those in the runs' folders, and a few that the report makes itself."""

import itertools
import math
from pathlib import Path

from hebbax.comparison.results import Results, Run, summarise
from hebbax.comparison.results.methods import sharing_of
from hebbax.comparison.results.rows import newest_checkpoint
from hebbax.config import Config
from hebbax.evolution.interrupts import is_time_over
from hebbax.watching.films.film import render
from hebbax.watching.lesion import Lesion
from hebbax.watching.report.blocks import data_uri
from hebbax.watching.visualization.style import in_words

LARGEST = 30 * 2**20  # Bytes of all films on a page; more would not open well.


def make_films(results: Results, count: int) -> list[Path]:
    """Makes the first of the films worth seeing, unless they are newer than the checkpoints.

    Methods come in the order of their held-out scores, each with the run whose held-out score is in
    the middle, in the variation that it held out; behind each the same episode with a lesion, if
    it is plastic. Where the methods are fewer than the films, the other variations of the best one
    follow. Where the time of `time_limit` is over, no further one is made.

    Args:
        results: of a sweep, or of a run.
        count: of films.

    Raises:
        ValueError: if the task is none that can be drawn, or no run has a checkpoint.
    """
    takes = dict(itertools.islice(_list_takes(results).items(), count))
    if count > 0 and not takes:
        raise ValueError(
            f"films is {count}, but no run has a checkpoint yet, without which none can be filmed"
        )
    for file, (run, variation, lesion) in takes.items():
        if is_time_over():
            break
        if not file.exists() or file.stat().st_mtime < newest_checkpoint(run):
            render(run.path, variation, file, lesion=lesion)
    return [file for file in takes if file.exists()]


def find_films(results: Results) -> tuple[list[tuple[str, str]], list[str]]:
    """The films in the runs' folders, and words on those that are too large for the page."""
    films, left_out, size = [], [], 0
    for run in results.runs:
        for file in sorted(
            file for file in (run.path / "films").glob("[!.]*") if file.suffix in (".mp4", ".gif")
        ):
            caption = _caption(run, file)
            size += file.stat().st_size
            if size <= LARGEST:
                films.append((caption, data_uri(file)))
            else:
                left_out.append(
                    f"{caption}: not on this page, which would be too large; it is in the run's "
                    f"folder films/{file.name}."
                )
    return films, left_out


def _list_takes(results: Results) -> dict[Path, tuple[Run, str, Lesion | None]]:
    """The films worth seeing: whose genome is filmed, where, and with what damage."""
    takes = {}
    for run in _runs_by_merit(results):
        config = Config.load(run.path)
        names = config.task.variations
        variation = run.fold if run.fold in names else next(iter(names))
        takes[run.path / "films" / f"{variation}.mp4"] = run, variation, None
        if sharing_of(config)[0] != "none":
            lesion = Lesion(0, config.task.max_steps // 2)
            takes[run.path / "films" / f"{variation}-lesion.mp4"] = run, variation, lesion
    for best, _, _ in list(takes.values())[:1]:
        for name in Config.load(best.path).task.variations:
            takes.setdefault(best.path / "films" / f"{name}.mp4", (best, name, None))
    return takes


def _runs_by_merit(results: Results) -> list[Run]:
    """A run with a checkpoint for each method that has one: the best method first."""
    merit = {
        summary.method: summary.iqm
        for summary in summarise(results)
        if summary.is_held_out and math.isfinite(summary.iqm)
    }
    scores = {
        row[:3]: row.mean
        for row in results.rows
        if row.kind == "mode" and row.is_held_out and math.isfinite(row.mean)
    }
    chosen = []
    for method in sorted(results.methods, key=lambda method: -merit.get(method, -math.inf)):
        runs = [run for run in results.runs if run.method == method and newest_checkpoint(run) > 0]
        scored = sorted((run for run in runs if run[:3] in scores), key=lambda run: scores[run[:3]])
        chosen += [scored[len(scored) // 2]] if scored else runs[:1]
    return chosen


def _caption(run: Run, file: Path) -> str:
    name, lesion, _ = file.stem.partition("-lesion")
    where = f"{in_words(name)} ({'held out' if name == run.fold else 'trained on'})"
    damage = ", with its first plastic layer set to zero half-way" if lesion else ""
    return f"{run.method}, {in_words(run.fold)} held out, seed {run.seed}: {where}{damage}"
