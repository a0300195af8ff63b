"""A run in the making: how far it is, and what of it is on disk."""

import dataclasses
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import final

from hebbax.config import Config
from hebbax.evolution import processes
from hebbax.evolution.checkpoint import Checkpoints
from hebbax.evolution.generation import TrainingState, initial_state
from hebbax.evolution.result import Metrics, Result
from hebbax.evolution.run_dir import (
    MAY_CHANGE,
    MetricsFile,
    check_run_dir,
    note_start,
    open_run,
    read_metrics,
)
from hebbax.files import local_path
from hebbax.files.ownership import owned
from hebbax.files.plain import unreadable_parts
from hebbax.genomes.base import Genome

# Seconds for which a shared file system may hide what another host has written, or a lock outlive
# its owner; and between two looks.
VISIBLE_WITHIN, FREE_WITHIN, PAUSE = 10.0, 20.0, 0.2


@final
class Run:
    """A run in the making: how far it is, and its folder if it has one."""

    def __init__(
        self,
        config: Config,
        run_dir: str | Path | None,
        initial: Genome | Result | None,
    ) -> None:
        """Begins a run, or takes it up after its newest checkpoint.

        Of processes that work together the first one owns the folder, and the others read in it,
        once it is open.
        """
        self.config = config
        self.folder: Path | None = None
        self.history: list[Metrics] = []
        self.divergence = ""
        self.is_stopped = False
        self._files = ExitStack()
        self._checkpoints = self._metrics_file = None
        if isinstance(initial, Result):
            self.state, self.history = _shorter_run(initial, config)
        else:
            self.state = initial_state(config, initial)
        if run_dir is None:
            return
        folder = self.folder = local_path(run_dir, "run_dir")
        for reason in unreadable_parts(config):
            warnings.warn(
                f"no other process can read this run back by itself: {reason}",
                stacklevel=4,
            )
        if not processes.is_writer():
            self._follow(folder)
            return
        check_run_dir(folder, config)  # Before a lock is written into it.
        folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as files:  # Closed if what follows fails.
            files.enter_context(owned(folder))
            open_run(folder, config)
            self._resume(folder, files)
            self._files = files.pop_all()

    def _resume(self, folder: Path, files: ExitStack) -> None:
        self._checkpoints = files.enter_context(closing(Checkpoints(folder / "checkpoints")))
        found = self._checkpoints.restore_newest(self.state)
        num_generations, self.state = found or (0, self.state)
        self._metrics_file = files.enter_context(closing(MetricsFile(folder, num_generations)))
        note_start(folder, self.config)
        if found:
            self.history = read_metrics(folder)
        elif self.history:
            for metrics in self.history:
                self._metrics_file.write(metrics)
            self.save(self.state)

    def _follow(self, folder: Path) -> None:
        """Reads what the first process has opened."""
        deadline = time.monotonic() + VISIBLE_WITHIN
        while not (folder / "environment.json").exists():
            if time.monotonic() > deadline:
                raise not_shared(folder)
            time.sleep(PAUSE)
        with closing(Checkpoints(folder / "checkpoints", is_read_only=True)) as checkpoints:
            found = checkpoints.restore_newest(self.state)
        if found:
            num_generations, self.state = found
            self.history = read_metrics(folder, num_generations)

    def rescue(self, state: TrainingState) -> None:
        """Keeps a state after another process was lost, perhaps the one that owned the folder."""
        if self.folder is None or self._metrics_file is not None:
            self.save(state)
            self.close()
            return
        deadline = time.monotonic() + FREE_WITHIN
        with ExitStack() as files:
            while True:
                try:
                    files.enter_context(owned(self.folder))
                    break
                except ValueError:  # Whoever has it keeps the same, if it is not lost.
                    if time.monotonic() > deadline:
                        return
                    time.sleep(PAUSE)
            self._take_over(self.folder, state)

    def _take_over(self, folder: Path, state: TrainingState) -> None:
        """Writes what is not in the folder yet."""
        with closing(Checkpoints(folder / "checkpoints")) as self._checkpoints:
            num_kept = self._checkpoints.latest() or 0
            if num_kept >= len(self.history):
                return
            with closing(MetricsFile(folder, num_kept)) as self._metrics_file:
                for metrics in self.history[num_kept:]:
                    self._metrics_file.write(metrics)
                self.save(state)

    def close(self) -> None:
        """Closes the files."""
        self._files.close()

    @property
    def generations_left(self) -> int:
        """Generations still to come."""
        return self.config.generations - len(self.history)

    @property
    def goes_on(self) -> bool:
        """Whether generations are to come, and nothing is in their way."""
        return self.generations_left > 0 and not self.divergence and not self.is_stopped

    @property
    def generations_to_next_stop(self) -> int:
        """Generations that can be made in one call.

        Those still to come, or fewer where a checkpoint or an evaluation comes before.
        """
        config, done = self.config, len(self.history)
        intervals = [every for every in (config.checkpoint_every, config.evaluate_every) if every]
        stops = [every - done % every for every in intervals]
        return min(config.generations_per_call, self.generations_left, *stops)

    def is_due(self, every: int | None, count: int) -> bool:
        """Whether so many more generations end an interval; None has none."""
        return every is not None and (len(self.history) + count) % every == 0

    def note(self, generations: Sequence[Metrics]) -> None:
        """Takes down generations."""
        for metrics in generations:
            self.history.append(metrics)
            if self._metrics_file:
                self._metrics_file.write(metrics)

    def diverge(self, state: TrainingState, generations: Sequence[Metrics]) -> None:
        """Ends with generations of which the last spoilt the genome.

        Takes them down, and keeps the state before the last.
        """
        *sound, last = generations
        self.note(sound)
        self.save(state)
        self.note([last])
        self.divergence = (
            f"the run with seed {self.config.seed} and held_out {self.config.held_out!r} has "
            f"{last['non_finite_genome']} numbers in its genome that are "
            f"not finite after generation {len(self.history)}, and cannot go on; what its folder "
            "keeps is the state before. Begin another run in a new folder, "
            f"with a smaller strategy.optimizer.learning_rate or another strategy.std"
        )

    def save(self, state: TrainingState) -> None:
        """Keeps the state after the generations so far, unless it is kept or has diverged."""
        if self.divergence:
            return
        self.state = state
        if (
            self._metrics_file
            and self._checkpoints
            and (self._checkpoints.latest() or 0) < len(self.history)
        ):
            # The metrics first: a checkpoint must never be ahead of them.
            self._metrics_file.sync()
            self._checkpoints.save(len(self.history), state)


def not_shared(folder: Path) -> ValueError:
    """What is wrong where a process does not see what the first one does."""
    return ValueError(
        f"run_dir is {folder}, in which this process does not find the run that process 0 has "
        "opened; put it where all hosts see it"
    )


def _shorter_run(shorter: Result, config: Config) -> tuple[TrainingState, list[Metrics]]:
    """The state and the history that a run takes over from a shorter one."""
    lengths = {name: getattr(shorter.config, name) for name in MAY_CHANGE}
    if dataclasses.replace(config, **lengths) != shorter.config:
        raise ValueError(
            f"initial is a result of another configuration; only {', '.join(MAY_CHANGE)} may "
            "differ. To begin with its genome alone, give initial=result.genome"
        )
    if shorter.state is None or shorter.state.search.genome is not shorter.genome:
        raise ValueError(
            "initial is a result whose genome was replaced; to begin with that genome, give "
            "initial=result.genome"
        )
    if shorter.history and shorter.history[-1]["non_finite_genome"]:
        raise ValueError(
            "initial is the result of a run that diverged, and cannot be gone on with; give "
            "initial=result.genome to begin another run"
        )
    if len(shorter.history) > config.generations:
        raise ValueError(
            f"initial is a result of {len(shorter.history)} generations, but generations is "
            f"{config.generations}; it must be as many or more"
        )
    return shorter.state, list(shorter.history)


@final
class Handle:
    """What a callback may ask of the run that it hears of."""

    def __init__(self, run: Run, state: Callable[[], TrainingState]) -> None:
        """Of a run, with a function that makes its state after the generation."""
        self._run = run
        self._state = state

    @property
    def config(self) -> Config:
        """The run's configuration."""
        return self._run.config

    @property
    def folder(self) -> Path | None:
        """The run's folder; None if it has none."""
        return self._run.folder

    def result(self) -> Result:
        """What the run would leave behind if it ended now."""
        return Result.of(self._run.config, self._state(), list(self._run.history))

    def stop(self) -> None:
        """Ends the run after this generation, with a checkpoint; `train` can go on from it."""
        self._run.is_stopped = True
