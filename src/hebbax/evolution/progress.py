"""What a person sees of a training while it runs.

A logger is a callback: it is called with the metrics of each generation and a handle on the run.
"""

import contextlib
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column, Table

from hebbax.evolution import processes
from hebbax.evolution.evaluation import Score
from hebbax.evolution.sizes import GenomeBits
from hebbax.evolution.training import Metrics

PLAIN_SECONDS = 10  # Between two lines where the output is no terminal.
NOT_FINITE = "Episodes whose return is not finite are counted, but left out of the other figures."


class ProgressBar:
    """A progress bar with the figures of the last generation.

    Where the output is no terminal, a line now and then.
    """

    def __init__(self, generations: int) -> None:
        """Prepares the bar; it appears with the first generation."""
        self._generations = generations
        self._console = Console(stderr=True)
        self._last_line = -float("inf")
        self._progress = Progress(
            TextColumn("generation"),
            MofNCompleteColumn(),
            BarColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("\n{task.description}"),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._progress.add_task("compiling", total=generations)

    def __enter__(self) -> Self:
        """Shows the bar."""
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leaves the bar as it is."""
        self._progress.stop()

    def __call__(self, metrics: Metrics, handle: Any = None) -> None:
        """Shows a generation."""
        done = metrics["generation"] + 1
        self._progress.update(self._task, completed=done, description=describe(metrics))
        is_due = time.monotonic() - self._last_line > PLAIN_SECONDS or done == self._generations
        if not self._console.is_terminal and is_due:
            self._last_line = time.monotonic()
            self._console.print(
                f"generation {done}/{self._generations}: {describe(metrics)}",
                soft_wrap=True,
                highlight=False,
            )


@contextlib.contextmanager
def progress_bar(generations: int) -> Iterator[list[ProgressBar]]:
    """The callbacks that show a run here: none where another process does."""
    if not processes.is_first():
        yield []
        return
    with ProgressBar(generations) as progress:
        yield [progress]


def describe(metrics: Metrics) -> str:
    """The figures of a generation in a line."""
    returns = "  ".join(f"{name} {value:.1f}" for name, value in metrics["returns"].items())
    bad = f"  not finite {metrics['non_finite']}" if metrics["non_finite"] else ""
    return (
        f"fitness {metrics['fitness_mean']:.2f}  best {metrics['fitness_best']:.2f}  |  {returns}  "
        "|  "
        f"ended early {metrics['ended_early']:.0%}{bad}  {metrics['steps_per_second']:,.0f} steps/s"
    )


def score_table(scores: list[Score]) -> Table:
    """A table of the scores of all variations, the held-out one marked."""
    has_failures = any(score.non_finite for score in scores)
    headings = ["mean", "95% interval", "std", "ended early", *["not finite"] * has_failures]
    table = Table(
        Column("variation", overflow="fold"),
        "",
        *(Column(heading, justify="right") for heading in headings),
        title=f"{len(scores[0].returns)} episodes in each variation",
        caption=NOT_FINITE if has_failures else None,
    )
    for score in scores:
        table.add_row(
            score.variation,
            "held out" if score.is_held_out else "trained on",
            f"{score.mean:.1f}",
            f"{score.low:.1f} to {score.high:.1f}",
            f"{score.std:.1f}",
            f"{score.ended_early:.0%}",
            *([str(score.non_finite)] if has_failures else []),
            style="bold" if score.is_held_out else "",
        )
    return table


def bits_table(found: GenomeBits) -> Table:
    """A table of what a genome's mode scores with a few bits a number."""
    columns = [Column(where, justify="right") for where in found.exact]
    fewest = [
        f"{where}: {'more' if found.fewest(where) is None else found.fewest(where)} bits a number"
        for where in found.exact
    ]
    assignment = f" and {found.assignment_bits:,.0f} bits of who has which"
    table = Table(
        Column("bits a number", justify="right"),
        *columns,
        title=f"{found.numbers:,} numbers{assignment if found.assignment_bits else ''}",
        caption=f"within 5%: {', '.join(fewest)}",
    )
    for width, scores in [("exact", found.exact), *found.by_width.items()]:
        table.add_row(str(width), *(f"{score:.1f}" for score in scores.values()))
    return table
