"""The one training loop."""

import dataclasses
import functools
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Self, final

import jax
import jax.numpy as jnp
from jax.sharding import Mesh
from jaxtyping import PyTree

from hebbax import devices, interfaces, interrupts, rollout
from hebbax.checkpoint import Checkpoints
from hebbax.config import Config
from hebbax.evolution import TrainingState, alike, compile_generation, initial_state, random_keys
from hebbax.files import local_path
from hebbax.genomes.base import Genome
from hebbax.ownership import owned
from hebbax.plain import unreadable_parts
from hebbax.run_dir import MetricsFile, check_run_dir, note_start, open_run, read_metrics
from hebbax.tasks.base import Task

Metrics = dict[str, Any]


@final
@dataclasses.dataclass(frozen=True)
class Result:
    """What a training leaves behind.

    config: its configuration.
    genome: the genome after the last generation.
    best_genome: the genome whose population had the highest mean fitness, as
        `evolution.is_fit_to_be_best` admits it; the first while there is none.
    best_generation: the generation in which it had it, counted from 0; None while there is none.
    history: the metrics of every generation.
    """

    config: Config
    genome: Genome
    best_genome: Genome
    best_generation: int | None
    history: list[Metrics]

    @classmethod
    def of(cls, config: Config, state: TrainingState, history: list[Metrics]) -> Self:
        """What a state tells."""
        best_generation = int(state.best_generation) if jnp.isfinite(state.best_fitness) else None
        return cls(config, state.search.genome, state.best_genome, best_generation, history)


@final
class Handle:
    """What a callback may ask of the run that it hears of."""

    def __init__(self, run: "_Run", state: Callable[[], TrainingState]) -> None:
        """Of a run, with a function that makes its state after the generation."""
        self._run = run
        self._state = state

    def result(self) -> Result:
        """What the run would leave behind if it ended now."""
        return Result.of(self._run.config, self._state(), list(self._run.history))

    def stop(self) -> None:
        """Ends the run after this generation, with a checkpoint; `train` can go on from it."""
        self._run.is_stopped = True


Callback = Callable[[Metrics, Handle], None]


class DivergedError(ValueError):
    """A run's genome has numbers that are not finite, so that it cannot go on."""


def train(
    config: Config,
    run_dir: str | Path | None = None,
    callbacks: Sequence[Callback] = (),
    initial: Genome | None = None,
) -> Result:
    """Evolves a genome; the same call goes on where an interrupted one was.

    The first interrupt (Ctrl-C) ends the training after its generation, with a checkpoint and a
    result; a second one at once, and so does the first while the program is compiled. SIGTERM ends
    the process at once, with a checkpoint of the last whole generation. In a thread that is not the
    main one, and where these signals are ignored or have other handlers than Python's own, they are
    left alone.

    Args:
        config: what to evolve, and how.
        run_dir: the folder for metrics and checkpoints; nothing is written if None.
        callbacks: called with the metrics of each generation and a `Handle` on the run.
        initial: the genome to begin with, such as another result's; drawn from the seed if None. A
            run that is taken up goes on with its own.

    Returns:
        The genome, the best so far, and the history from the first generation on.

    Raises:
        ValueError: if the folder holds something else than this run, a checkpoint is damaged, or
            the initial genome does not fit the configuration.
        DivergedError: if the genome is not finite after a generation; what the folder keeps is the
            state before it.
    """
    return train_together([(config, run_dir)], callbacks, initial)[0]


def train_together(
    runs: Sequence[tuple[Config, str | Path | None]],
    callbacks: Sequence[Callback] = (),
    initial: Genome | None = None,
) -> list[Result]:
    """Evolves genomes side by side in one program, which fills an accelerator better.

    Each run has its own folder and the numbers it has alone, but for the order of sums: it may
    begin together with others and go on alone, or the other way round. Their time is common, so
    that each has its share of the steps per second.

    Args:
        runs: configurations, which differ in seed and held-out variation alone, each with its
            folder.
        callbacks: called with the metrics of each generation of each run and a `Handle` on it.
        initial: the genome that all begin with, as `train` has it.

    Returns:
        A result for each run, as `train` returns it.

    Raises:
        ValueError: as `train` does, or if the runs are no equals or too many for the memory.
        DivergedError: as `train` does, when the other runs are done.
    """
    configs = [config for config, _ in runs]
    _check_arguments(runs, callbacks)
    _check_together(configs)
    _check_task(configs[0].task)
    mesh = devices.population_mesh(configs[0].strategy.population_size)
    with ExitStack() as stack:
        making = [
            stack.enter_context(_Run(config, run_dir, mesh, initial)) for config, run_dir in runs
        ]
        is_interrupted = False
        while not is_interrupted and (unfinished := [run for run in making if run.goes_on]):
            is_interrupted = _evolve(unfinished, mesh, callbacks)
        if divergences := [run.divergence for run in making if run.divergence]:
            raise DivergedError("; ".join(divergences))
    return [Result.of(run.config, run.state, run.history) for run in making]


def load_result(run_dir: str | Path, trust: Sequence[str] = ()) -> Result:
    """Reads the newest checkpoint of a run, also while the run goes on.

    Args:
        run_dir: the folder of the run.
        trust: modules, or files that end in `.py`, whose classes the run may be of; see
            `Config.from_dict`.

    Raises:
        ValueError: if the folder holds no run, or one without a readable checkpoint.
    """
    folder = local_path(run_dir, "run_dir")
    config = Config.load(folder, trust)
    with closing(Checkpoints(folder / "checkpoints", is_read_only=True)) as checkpoints:
        found = checkpoints.restore_newest(initial_state(config))
    if found is None:
        raise ValueError(f"{run_dir} has no checkpoint yet")
    done, state = found
    return Result.of(config, state, read_metrics(folder, done))


class _Run:
    """A run in the making: how far it is, and its folder if it has one."""

    def __init__(
        self, config: Config, run_dir: str | Path | None, mesh: Mesh, initial: Genome | None
    ) -> None:
        """Begins a run, or takes it up after its newest checkpoint."""
        self.config = config
        self.history: list[Metrics] = []
        self.divergence = ""
        self.is_stopped = False
        self._files = ExitStack()
        self._checkpoints = self._metrics_file = None
        self.state = devices.put_everywhere(initial_state(config, initial), mesh)
        if run_dir is None:
            return
        folder = local_path(run_dir, "run_dir")
        for reason in unreadable_parts(config):
            warnings.warn(
                f"run_dir is {folder}, but no other process can read it back by itself: {reason}",
                stacklevel=4,
            )
        check_run_dir(folder, config)  # Before a lock is written into it.
        folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as files:  # Closed if what follows fails.
            files.enter_context(owned(folder))
            open_run(folder, config)
            self._resume(folder, files)
            self._files = files.pop_all()

    def _resume(self, folder: Path, files: ExitStack) -> None:
        self._checkpoints = files.enter_context(closing(Checkpoints(folder / "checkpoints")))
        done, self.state = self._checkpoints.restore_newest(self.state) or (0, self.state)
        self._metrics_file = files.enter_context(closing(MetricsFile(folder, done)))
        note_start(folder, self.config)
        self.history = read_metrics(folder)

    def __enter__(self) -> Self:
        """The run, whose files are closed in the end."""
        return self

    def __exit__(self, *error: object) -> None:
        """Closes the files."""
        self._files.close()

    @property
    def missing(self) -> int:
        """Generations still to come."""
        return self.config.generations - len(self.history)

    @property
    def goes_on(self) -> bool:
        """Whether generations are to come, and nothing is in their way."""
        return self.missing > 0 and not self.divergence and not self.is_stopped

    @property
    def is_checkpoint_due(self) -> bool:
        """Whether the generations so far end an interval between two checkpoints."""
        return len(self.history) % self.config.checkpoint_every == 0

    def note(self, metrics: Metrics) -> None:
        """Takes down a generation."""
        self.history.append(metrics)
        if self._metrics_file:
            self._metrics_file.write(metrics)

    def diverge(self, state: TrainingState, metrics: Metrics) -> None:
        """Ends with a generation that spoilt the genome.

        Takes it down, and keeps the state before it.
        """
        self.save(state)
        self.note(metrics)
        self.divergence = (
            f"the run with seed {self.config.seed} and held_out {self.config.held_out!r} has "
            f"{metrics['non_finite_genome']} numbers in its genome that are "
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


def _evolve(runs: Sequence[_Run], mesh: Mesh, callbacks: Sequence[Callback]) -> bool:
    """Evolves runs until the first of them has all its generations or diverges.

    Whether it was interrupted before.
    """
    num_generations = min(run.missing for run in runs)
    # So far everything is on disk, and signals do what they do by default.
    run_generation = compile_generation(runs[0].config, mesh, len(runs))
    keys = _stack([random_keys(run.config).generations for run in runs], mesh)
    variations = _stack([rollout.stack(run.config.training_variations) for run in runs], mesh)
    states = _stack([run.state for run in runs], mesh)
    with interrupts.listen() as heard:
        try:
            for done in range(1, num_generations + 1):
                numbers = _stack([jnp.asarray(len(run.history), jnp.int32) for run in runs], mesh)
                started = time.perf_counter()
                with heard.at_once():
                    after, metrics = interrupts.in_thread(
                        run_generation, keys, variations, states, numbers
                    )
                seconds = time.perf_counter() - started
                metrics = jax.device_get(metrics)
                has_diverged = bool(metrics["non_finite_genome"].any())
                for place, run in enumerate(runs):
                    logged = _to_log(run, _pick(metrics, place, len(runs)), seconds)
                    if logged["non_finite_genome"]:
                        run.diverge(_pick(states, place, len(runs)), logged)
                        continue
                    run.note(logged)
                    if (
                        done == num_generations
                        or has_diverged
                        or heard.is_interrupted
                        or run.is_checkpoint_due
                    ):
                        run.save(_pick(after, place, len(runs)))
                states_before, states = states, after
                with heard.at_once():
                    for place, run in enumerate(runs):
                        # A run that has diverged leaves the state before it did.
                        state = states_before if run.divergence else after
                        handle = Handle(run, functools.partial(_pick, state, place, len(runs)))
                        for callback in callbacks:
                            callback(run.history[-1], handle)
                if heard.is_interrupted or not all(run.goes_on for run in runs):
                    break
            _save(runs, states)
        except interrupts.Terminated:
            # From the host: the devices may be busy with the next generation for long.
            _save(runs, jax.device_get(states))
            interrupts.say(
                f"terminated after generation {', '.join(str(len(run.history)) for run in runs)}"
            )
            interrupts.end_process()
    return heard.is_interrupted


def _save(runs: Sequence[_Run], states: PyTree) -> None:
    """Keeps the stacked states of runs."""
    for place, run in enumerate(runs):
        run.save(_pick(states, place, len(runs)))


def _stack(trees: Sequence[PyTree], mesh: Mesh) -> PyTree:
    """Puts runs along a leading axis, a single one as it is.

    Alone it keeps its program and its numbers bit for bit.
    """
    stacked = (
        trees[0] if len(trees) == 1 else jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)
    )
    return devices.put_everywhere(stacked, mesh)


def _pick(tree: PyTree, place: int, num_runs: int) -> PyTree:
    """What `_stack` put at a place."""
    return tree if num_runs == 1 else jax.tree.map(lambda leaf: leaf[place, ...], tree)


def _check_arguments(runs: Any, callbacks: Any) -> None:
    """Refuses arguments of other types."""
    for config, run_dir in runs:
        if not isinstance(config, Config):
            raise ValueError(f"config is {config!r}, but must be a Config")
        if run_dir is not None and not isinstance(run_dir, str | Path):
            raise ValueError(f"run_dir is {run_dir!r}, but must be a path or None")
    for callback in callbacks if isinstance(callbacks, Sequence) else [callbacks]:
        if not isinstance(callbacks, Sequence) or not callable(callback):
            raise ValueError(
                f"callbacks is {callbacks!r}, but must be a list of functions of a generation's "
                "metrics"
            )


def _check_task(task: Task) -> None:
    """Refuses a task whose functions return what no rollout can use, before a folder is made.

    Our own are tested, and take seconds to trace.
    """
    if not type(task).__module__.startswith("hebbax."):
        interfaces.fit_task(task)


def _check_together(configs: Sequence[Config]) -> None:
    """Refuses runs that cannot share a program, or do not fit into the memory side by side."""
    if len({alike(config) for config in configs}) > 1:
        raise ValueError(
            "runs have configurations that differ in more than seed and held_out; only those may "
            "differ in runs that go together"
        )
    needed, available = len(configs) * sum(configs[0].search_bytes()), devices.memory_bytes()
    if needed > available:
        raise ValueError(
            f"{len(configs)} runs together take {needed / 1e9:.1f} GB for their searches and "
            f"populations, but a device here has {available / 1e9:.1f} GB; "
            f"let fewer go together"
        )


def _to_log(run: _Run, metrics: PyTree, seconds: float) -> Metrics:
    """Makes plain numbers of a generation's metrics."""
    plain = jax.tree.map(lambda leaf: leaf.tolist(), metrics)
    plain["returns"] = dict(zip(run.config.training_variations, plain["returns"], strict=True))
    return {
        "generation": len(run.history),
        **plain,
        "seconds": seconds,
        "steps_per_second": plain["steps"] / seconds,
    }
