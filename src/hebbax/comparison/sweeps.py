"""A comparison.

Every method, held-out variation and seed as runs in one folder, of which those that are missing are
made.

FOLDER/sweep.json lists the runs that are wanted, done or not; each has a run's folder,
FOLDER/runs/METHOD/FOLD/seed-SEED. How a comparison that was killed goes on follows from what the
folders hold: a run that was evaluated is done, any other is taken up at its newest checkpoint.
"""

import contextlib
import dataclasses
import sys
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, final

import numpy as np

from hebbax import devices
from hebbax.comparison.archive import add_line, find_line, restore_run
from hebbax.comparison.archive import read as read_archive
from hebbax.comparison.cluster import again, has_many_processes, keep_before_requeue
from hebbax.comparison.results.rows import FORMAT, NOTHING, Run, newest_checkpoint, read_sweep
from hebbax.config import Config
from hebbax.evolution import interrupts, joining, processes, programs
from hebbax.evolution.check import check
from hebbax.evolution.evaluation import Score, evaluate, save_scores, scores_file
from hebbax.evolution.generation import program_key
from hebbax.evolution.progress import progress_bar
from hebbax.evolution.run_dir import check_same_run
from hebbax.evolution.training import DivergedError, train_together
from hebbax.files import local_path, read_json, write_json
from hebbax.files.ownership import owned
from hebbax.types import checks


class Job(Protocol):
    """What an executor makes of a call."""

    def result(self) -> Any:
        """Waits for the call, and raises what it raised."""
        ...


class Executor(Protocol):
    """Who runs calls elsewhere: an executor of submitit, or of `concurrent.futures`."""

    def submit(self, function: Any, /, *arguments: Any) -> Job:
        """Takes a call, to be run soon."""
        ...


@final
@dataclasses.dataclass(frozen=True)
class _Wanted:
    """A run that is wanted.

    run: which.
    config: its configuration.
    episodes: how many score it.
    archive: the file that keeps what it scored, if there is one.
    """

    run: Run
    config: Config
    episodes: int
    archive: Path | None

    @property
    def is_done(self) -> bool:
        """Whether the run has all its generations, and scores made after them.

        Of the mode and of samples.
        """
        return all(self._is_scored(is_sampled=is_sampled) for is_sampled in (False, True))

    def _is_scored(self, *, is_sampled: bool) -> bool:
        file = scores_file(self.run.path, is_sampled=is_sampled)
        try:
            found = read_json(file, dict)
        except FileNotFoundError:
            return False
        asked = {"episodes": self.episodes, "is_sampled": is_sampled, "is_best": False}
        return (
            asked.items() <= found.items()
            and found.get("generations", 0) >= self.config.generations
        )

    def add_to_archive(self) -> None:
        """Writes into the archive, if there is one, what the run scored."""
        if self.archive:
            add_line(self.archive, self.run, self.config, self.episodes)

    def __str__(self) -> str:
        """The run in words."""
        fold = "nothing" if self.config.held_out is None else self.config.held_out
        return f"{self.run.method}, {fold} held out, seed {self.run.seed}"


def sweep(
    methods: Mapping[str, Config],
    folder: str | Path,
    folds: Literal["all", "none"] | Sequence[str] = "all",
    seeds: int | Sequence[int] | np.ndarray = 2,
    episodes: int = 100,
    *,
    archive: str | Path | None = None,
    together: bool = False,
    executor: Executor | None = None,
    distributed: bool = False,
) -> list[Run]:
    """Trains and scores every method in every fold with every seed that is not done yet.

    The same call goes on where an interrupted one was; more methods, folds, seeds or generations
    may be asked for than before. An interrupt (Ctrl-C) is raised once the run at work has a
    checkpoint.

    Args:
        methods: configurations by the name of their row; what they say of `held_out` and `seed`
            does not count.
        folder: for everything that the sweep writes.
        folds: names of the variations to hold out, each in turn; "all" for every variation of the
            methods' tasks, "none" for runs that train on all of them.
        seeds: how many seeds, from 0 on, or which.
        episodes: episodes in each variation that score the genome's mode, and as many individuals
            drawn from it.
        archive: a file that keeps what each run scored and how it learned, and can be committed
            where folders cannot: a run that it holds, with the same configuration, generations and
            episodes, is not made again, and gets its folder from there.
        together: whether runs that can share a program run side by side in it, which fills an
            accelerator: all folds and seeds of a method, and methods that differ in numbers alone.
        executor: who runs each run, or with `together` each such group, as a job of its own; this
            process does if None.
        distributed: whether many processes make the same call and share the individuals of each
            run, as `hebbax.train` has it.

    Returns:
        The runs that were asked for.

    Raises:
        ValueError: if something is asked for that cannot be, or the folder holds another sweep or
            runs of other settings.
        ChildProcessError: if jobs failed; the others are done.
        DivergedError: if runs came to genomes that are not finite; the others are done.
        TimeLimitError: if the time of `time_limit` is over; what was done until then is kept.

    Examples:
        >>> import hebbax
        >>> task, policy = hebbax.tasks.Point(), hebbax.Hebbian(hidden_sizes=())
        >>> strategy = hebbax.ScoreFunction(population_size=4)
        >>> config = hebbax.Config(task, policy, hebbax.Normal(), strategy, generations=2)
        >>> runs = hebbax.sweep({"hebbian": config}, "sweep", ["mirrored"], seeds=1, episodes=4)
        >>> [run.path.as_posix() for run in runs]
        ['sweep/runs/hebbian/mirrored/seed-0']
    """
    folder = local_path(folder, "folder")
    together, distributed, episodes = (
        checks.flag("together", together),
        checks.flag("distributed", distributed),
        checks.integer(at_least=2)("episodes", episodes),
    )
    if not isinstance(methods, Mapping):
        raise ValueError(
            f"methods is {methods!r}, but must be a mapping from names to configurations"
        )
    if distributed and executor is not None:
        raise ValueError(
            "distributed is True, but the work is the executor's; give its jobs more nodes instead"
        )
    file = None if archive is None else local_path(archive, "archive")
    wanted = _list_runs(methods, folder, folds, seeds, episodes, file)
    with joining.together(distributed), programs.shared():
        with processes.first_before_others():
            if processes.is_writer():
                _open_sweep(folder, methods, [one.run for one in wanted], episodes)
                if file is not None:
                    _sync_archive(wanted, file)
        processes.agree({"runs": [str(one) for one in wanted], "together": together})
        missing = [wanted[i] for i in processes.share(_missing(wanted))]
        _say(f"{len(wanted)} runs in {folder}, {len(wanted) - len(missing)} of them done")
        groups = _groups(missing, together=together)
        if executor is None:
            _work_here(groups)
        else:
            _submit(executor, groups)
    return [one.run for one in wanted]


def _missing(wanted: Sequence[_Wanted]) -> list[int]:
    """Where in the list those are that are not done."""
    return [i for i, one in enumerate(wanted) if not one.is_done]


def _sync_archive(wanted: Sequence[_Wanted], file: Path) -> None:
    """Restores folders of runs from the archive, and adds the runs to it that are done.

    A run with a checkpoint goes on from there, whatever the archive has.
    """
    lines = read_archive(file)
    for one in wanted:
        line = find_line(lines, one.config, one.episodes)
        if line is None and one.is_done:
            one.add_to_archive()
        elif line is not None and not one.is_done and not newest_checkpoint(one.run):
            restore_run(line, one.run, one.config)


def _groups(runs: Sequence[_Wanted], *, together: bool) -> list[list[_Wanted]]:
    """The runs that go together, or each by itself; those that can share a program in a row."""
    groups: dict[Hashable, list[_Wanted]] = {}
    for one in runs:
        groups.setdefault(program_key(one.config), []).append(one)
    return [
        part
        for group in groups.values()
        for part in (_fitting(group) if together else [[one] for one in group])
    ]


def _fitting(group: list[_Wanted]) -> list[list[_Wanted]]:
    """Runs that can share a program, method by method where they are too many for the memory."""
    methods: dict[str, list[_Wanted]] = {}
    for one in group:
        methods.setdefault(one.run.method, []).append(one)
    if len(methods) > 1:
        try:
            check(group[0].config, len(group))
        except ValueError:
            return list(methods.values())
    return [group]


def _list_runs(
    methods: Mapping[str, Any],
    folder: Path,
    folds: Any,
    seeds: Any,
    episodes: int,
    file: Path | None,
) -> list[_Wanted]:
    """Every run that is asked for, method by method."""
    for method, config in methods.items():
        checks.file_name("the name of a method", method)
        if not isinstance(config, Config):
            raise ValueError(f"methods has {config!r} as {method!r}, but must have a Config")
    numbers = settle_seeds(seeds)
    runs = [
        Run(method, fold, seed, folder / "runs" / method / fold / f"seed-{seed}")
        for method, config in methods.items()
        for fold in _folds(folds, config)
        for seed in numbers
    ]
    if not runs:
        raise ValueError(
            f"methods are {list(methods)}, folds {folds!r} and seeds {seeds!r}, but there must be "
            "one of each or more"
        )
    return [_Wanted(run, _config_of(run, methods), episodes, file) for run in runs]


def _config_of(run: Run, methods: Mapping[str, Config]) -> Config:
    config = methods[run.method]
    is_variation = run.fold in config.task.variations  # It may be called "nothing".
    return dataclasses.replace(config, held_out=run.fold if is_variation else None, seed=run.seed)


def settle_seeds(seeds: Any) -> tuple[int, ...]:
    """The seeds that are asked for, each once: how many, from 0 on, or which."""
    allowed = "0 or more: how many, or a list of which, each between 0 and 2^32 - 1"
    if np.ndim(seeds) == 0 and not isinstance(seeds, str):
        return tuple(range(checks.integer(allowed=allowed)("seeds", seeds)))
    return tuple(
        dict.fromkeys(checks.several(checks.integer(at_most=2**32 - 1), allowed)("seeds", seeds))
    )


def _folds(folds: Any, config: Config) -> tuple[str, ...]:
    """The variations that are held out, each once."""
    names = tuple(config.task.variations)
    if isinstance(folds, str) and folds == "all":
        return names
    if isinstance(folds, str) and folds == "none":
        if NOTHING in names:
            raise ValueError(
                f"folds is 'none', whose runs are called {NOTHING!r}, but the task has a variation "
                "of this name; rename it"
            )
        return (NOTHING,)
    allowed = f"'all', 'none' or some of {', '.join(names)}"
    return tuple(dict.fromkeys(checks.several(checks.choice(*names), allowed)("folds", folds)))


def _open_sweep(
    folder: Path, methods: Mapping[str, Config], runs: Sequence[Run], episodes: int
) -> None:
    """Writes sweep.json, with the runs of an earlier call before those that are new.

    A folder that cannot be gone on with is left as it is.
    """
    if set(runs) <= set(_earlier_runs(folder, methods, episodes)):
        return
    folder.mkdir(parents=True, exist_ok=True)
    with owned(folder):
        # Again, for somebody else may have owned it in between.
        listed = dict.fromkeys([*_earlier_runs(folder, methods, episodes), *runs])
        plain = [
            run._asdict() | {"path": run.path.relative_to(folder).as_posix()} for run in listed
        ]
        write_json(folder / "sweep.json", {"format": FORMAT, "episodes": episodes, "runs": plain})


def _earlier_runs(folder: Path, methods: Mapping[str, Config], episodes: int) -> list[Run]:
    """The runs of the folder's list. Refuses a folder that cannot be gone on with."""
    if not (folder / "sweep.json").exists():
        if folder.exists() and any(not path.name.startswith(".") for path in folder.iterdir()):
            raise ValueError(
                f"folder is {folder}, which holds something but no sweep; choose a new or empty "
                "folder"
            )
        return []
    found = read_sweep(folder)
    if found["episodes"] != episodes:
        raise ValueError(
            f"episodes is {episodes}, but the sweep in {folder} has {found['episodes']}; give "
            "these, or choose another folder"
        )
    for run in found["runs"]:
        if run.method in methods and (run.path / "config.json").exists():
            check_same_run(run.path, _config_of(run, methods))
    return found["runs"]


def _work_here(groups: Sequence[Sequence[_Wanted]]) -> None:
    """Does the work group by group.

    One that diverges would diverge again, so that the others must not wait for it.
    """
    divergences = []
    for i, group in enumerate(groups, 1):
        if any(processes.gather(interrupts.is_time_over())):
            left = len(groups) - i + 1
            raise interrupts.TimeLimitError(
                f"the time is over, and {left} of {len(groups)} trainings have not begun"
            )
        _say(f"[{i}/{len(groups)}] {_describe(group)}")
        try:
            _work(group)
        except DivergedError as error:
            divergences.append(str(error))
            _say(f"[{i}/{len(groups)}] {_describe(group)}: {error}")
    if divergences:
        raise DivergedError("; ".join(divergences))


def _submit(executor: Executor, groups: Sequence[Sequence[_Wanted]]) -> None:
    """Has jobs do the work, and waits for them."""
    jobs = [(group, executor.submit(_Job(), group)) for group in groups]
    failures = []
    for i, (group, job) in enumerate(jobs, 1):
        try:
            # A job of many processes has as many results.
            getattr(job, "results", job.result)()
            _say(f"[{i}/{len(jobs)}] {_describe(group)}: done")
        except Exception as error:  # Whatever ended a job, the others go on.
            failures.append(f"{_describe(group)}: {error}")
            _say(f"[{i}/{len(jobs)}] {_describe(group)}: failed")
    if failures:
        raise ChildProcessError(
            f"{len(failures)} of {len(jobs)} jobs failed; the same call tries them again. The "
            f"first was {failures[0]}"
        )


@final
class _Job:
    """The work of a job's process, which may be one of many."""

    def __call__(self, group: Sequence[_Wanted]) -> None:
        """Does the work."""
        # Where the executor is this very process, JAX has been started.
        with contextlib.suppress(RuntimeError):
            devices.use_cpu_cores()
        devices.use_compilation_cache()
        keep_before_requeue()
        with joining.together(has_many_processes()):
            _work(group)

    def checkpoint(self, group: Sequence[_Wanted]) -> Any:
        """What submitit asks for before it has the job requeued: the same call, which goes on."""
        return again(self, group)


def _work(group: Sequence[_Wanted]) -> None:
    """Trains runs, and scores them.

    Where some diverge, each by itself, so that the others are scored.
    """
    try:
        _train_and_score(group)
    except DivergedError:
        if len(group) == 1:
            raise
        _work_here([[one] for one in group])


def _train_and_score(group: Sequence[_Wanted]) -> None:
    with progress_bar(group[0].config.generations) as shown:
        results = train_together([(one.config, one.run.path) for one in group], callbacks=shown)
    if any(
        len(result.history) < one.config.generations
        for one, result in zip(group, results, strict=True)
    ):
        if interrupts.is_time_over():
            raise interrupts.TimeLimitError(f"the time is over in {_describe(group)}")
        raise KeyboardInterrupt
    for one, result in zip(group, results, strict=True):
        scores = [
            evaluate(result, one.episodes, is_sampled=is_sampled) for is_sampled in (False, True)
        ]
        if not processes.is_writer():
            continue
        _say(f"{one}: {_summary(scores[0])}")
        for each, is_sampled in zip(scores, (False, True), strict=True):
            save_scores(one.run.path, result, each, is_sampled=is_sampled)
        one.add_to_archive()


def _summary(scores: Sequence[Score]) -> str:
    """Mean returns in a line."""
    trained = [score.mean for score in scores if not score.is_held_out]
    held_out = "".join(f", held out {score.mean:.1f}" for score in scores if score.is_held_out)
    return f"mean return trained on {sum(trained) / len(trained):.1f}{held_out}"


def _describe(group: Sequence[_Wanted]) -> str:
    if len(group) == 1:
        return str(group[0])
    methods = dict.fromkeys(one.run.method for one in group)
    return f"{', '.join(methods)}, {len(group)} runs together"


def _say(line: str) -> None:
    if processes.is_writer():
        print(line, file=sys.stderr, flush=True)
