"""What the runs of a sweep scored, as rows that any program can read, and which runs are missing.

A sweep's folder has a `sweep.json`, which lists the runs that are wanted, and a folder for each
run. Whoever evaluates a run leaves the scores there.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from hebbax.config import read_config
from hebbax.evolution.run_dir import read_metrics
from hebbax.files import local_path, read_json
from hebbax.types import checks

FORMAT = 1
NOTHING = "nothing"  # The fold of a run that holds nothing out.
KINDS: Mapping[str, str] = MappingProxyType(
    {"mode": "evaluation.json", "samples": "evaluation-samples.json"}
)


class Run(NamedTuple):
    """A run that a sweep wants.

    method: the row of the comparison that it belongs to.
    fold: the variation that it holds out.
    seed: its seed.
    path: its folder, whether it is there or not.
    """

    method: str
    fold: str
    seed: int
    path: Path


class Row(NamedTuple):
    """What one run scored in one variation.

    method, fold, seed: the run.
    kind: "mode" for the genome's mode, "samples" for individuals drawn from it.
    variation: where the episodes were.
    is_held_out: whether the run was trained without it.
    episodes: episodes.
    mean, std, low, high: of the finite returns, with the mean's 95% interval; NaN where they are
        too few.
    non_finite: how many returns are not finite.
    ended_early: share of the episodes that ended before the last step.
    generations: how many the run has behind it.
    population_size: individuals in each of them.
    """

    method: str
    fold: str
    seed: int
    kind: str
    variation: str
    is_held_out: bool
    episodes: int
    mean: float
    std: float
    low: float
    high: float
    non_finite: int
    ended_early: float
    generations: int
    population_size: int


class Missing(NamedTuple):
    """Scores that a sweep wants and does not have.

    method, fold, seed: the run.
    kind: "mode" or "samples".
    reason: why, in words.
    """

    method: str
    fold: str
    seed: int
    kind: str
    reason: str


class Results(NamedTuple):
    """All that is known of a sweep.

    runs: every run that it wants, in its order.
    rows: the scores that are there, in the order of the runs.
    missing: the scores that are not.
    """

    runs: list[Run]
    rows: list[Row]
    missing: list[Missing]

    @property
    def methods(self) -> list[str]:
        """The names of the methods, in the sweep's order."""
        return list(dict.fromkeys(run.method for run in self.runs))

    @property
    def variations(self) -> list[str]:
        """The names of the variations, in the task's order.

        Of those that were only held out, where nothing is evaluated yet.
        """
        return list(
            dict.fromkeys([row.variation for row in self.rows] or [run.fold for run in self.runs])
        )


def read_sweep(folder: str | Path) -> dict[str, Any]:
    """Reads the sweep.json of a sweep's folder: `episodes`, and the `runs` that are wanted.

    Raises:
        ValueError: if the folder holds no sweep, or one that this version cannot read.

    Examples:
        >>> import hebbax
        >>> from hebbax.comparison import results
        >>> task, policy = hebbax.tasks.Point(), hebbax.Hebbian(hidden_sizes=())
        >>> strategy = hebbax.ScoreFunction(population_size=4)
        >>> config = hebbax.Config(task, policy, hebbax.Normal(), strategy, generations=2)
        >>> runs = hebbax.sweep({"hebbian": config}, "sweep", ["mirrored"], seeds=1, episodes=4)
        >>> found = results.read_sweep("sweep")
        >>> found["episodes"], found["runs"] == runs
        (4, True)
    """
    folder = local_path(folder, "folder")
    file = folder / "sweep.json"
    try:
        plain = read_json(file, dict)
    except (FileNotFoundError, NotADirectoryError):
        raise ValueError(f"{folder} is no sweep: it has no sweep.json") from None
    try:
        if plain["format"] != FORMAT:
            raise ValueError(
                f"it has format {plain['format']}, but this version of hebbax reads format {FORMAT}"
            )
        runs = [_run_of(folder, run) for run in plain["runs"]]
        return {"episodes": plain["episodes"], "runs": runs}
    except KeyError as error:
        raise ValueError(f"{file} cannot be read: {error} is missing") from error
    except (ValueError, TypeError) as error:
        raise ValueError(f"{file} cannot be read: {error}") from error


def _run_of(folder: Path, plain: dict[str, Any]) -> Run:
    """A run, refused where its files would lie outside of the sweep's folder.

    Method and fold name files, too.
    """
    method, fold = (
        checks.file_name(f"the {name} of a run", plain[name]) for name in Run._fields[:2]
    )
    seed, path = checks.integer(at_most=2**32 - 1)("seed", plain["seed"]), plain["path"]
    if not isinstance(path, str) or Path(path).is_absolute() or ".." in Path(path).parts:
        raise ValueError(
            f"the path of a run is {path!r}, but must lead from the sweep's folder into it"
        )
    return Run(method, fold, seed, folder / path)


def newest_checkpoint(run: Run) -> float:
    """When a run's newest checkpoint was written; 0 if it has none."""
    return max(
        (path.stat().st_mtime for path in run.path.glob("checkpoints/*") if path.name.isdigit()),
        default=0.0,
    )


def collect(folder: str | Path) -> Results:
    """Reads the scores of all runs of a sweep.

    Nothing is dropped: what is not in the rows is listed as missing, with the reason.

    Raises:
        ValueError: if the folder holds no sweep, or one that this version cannot read.

    Examples:
        >>> import hebbax
        >>> from hebbax.comparison import results
        >>> task, policy = hebbax.tasks.Point(), hebbax.Hebbian(hidden_sizes=())
        >>> strategy = hebbax.ScoreFunction(population_size=4)
        >>> config = hebbax.Config(task, policy, hebbax.Normal(), strategy, generations=2)
        >>> runs = hebbax.sweep({"hebbian": config}, "sweep", ["mirrored"], seeds=1, episodes=4)
        >>> found = results.collect("sweep")
        >>> found.variations, len(found.rows), found.missing
        (['default', 'weak', 'strong', 'mirrored'], 8, [])
    """
    return _collect(read_sweep(folder)["runs"])


def collect_run(run_dir: str | Path) -> Results:
    """Reads the scores of a run by itself, as a sweep of this one run.

    Its method is the folder's name, its fold what it holds out, or "nothing".

    Raises:
        ValueError: if the folder holds no run, or one that cannot be read.

    Examples:
        >>> import hebbax
        >>> from hebbax.comparison import results
        >>> task, policy = hebbax.tasks.Point(), hebbax.Hebbian(hidden_sizes=())
        >>> strategy = hebbax.ScoreFunction(population_size=4)
        >>> config = hebbax.Config(task, policy, hebbax.Normal(), strategy, generations=2)
        >>> result = hebbax.train(config, "runs/point")
        >>> found = results.collect_run("runs/point")
        >>> found.methods, found.missing[0].reason
        (['point'], '2 of 2 generations, not evaluated')
    """
    folder = local_path(run_dir, "run_dir")
    config = read_config(folder)["config"]
    try:
        held_out = NOTHING if config["held_out"] is None else config["held_out"]
        checks.file_name("held_out", held_out)
        checks.integer(at_most=2**32 - 1)("seed", config["seed"])
        return _collect([Run(folder.resolve().name, held_out, config["seed"], folder)])
    except (KeyError, ValueError) as error:
        raise ValueError(f"{folder / 'config.json'} cannot be read: {error}") from error


def _collect(runs: list[Run]) -> Results:
    rows: list[Row] = []
    missing: list[Missing] = []
    for run in runs:
        for kind in KINDS:
            try:
                rows += _rows_of(run, kind)
            except ValueError as error:
                missing.append(Missing(*run[:3], kind, reason=str(error)))
    return Results(runs, rows, missing)


def _rows_of(run: Run, kind: str) -> list[Row]:
    """The rows of one evaluation of a run.

    Raises:
        ValueError: if there is none that can be used, with the reason.
    """
    generations, population_size, wanted = _progress(run.path)
    file = run.path / KINDS[kind]
    if not file.exists():
        raise ValueError(f"{generations} of {wanted} generations, not evaluated")
    try:
        plain = read_json(file, dict)
        if plain["is_sampled"] != (kind == "samples") or plain["is_best"]:
            what = "individuals drawn from" if plain["is_sampled"] else "the mode of"
            which = "best" if plain["is_best"] else "last"
            raise ValueError(f"{file.name} has scores of {what} the {which} genome instead")
        episodes = checks.integer()("episodes", plain["episodes"])
        return [
            Row(
                *run[:3],
                kind,
                episodes=episodes,
                generations=generations,
                population_size=population_size,
                **_figures(score),
            )
            for score in plain["scores"]
        ]
    except (KeyError, TypeError) as error:
        raise ValueError(f"{file.name} cannot be read: {error!r}") from error


def _figures(score: dict[str, Any]) -> dict[str, Any]:
    """What a row takes over from a score, NaN where it has null."""
    figures = {
        name: math.nan if score[name] is None else float(score[name])
        for name in ("mean", "std", "low", "high", "ended_early")
    }
    return figures | {
        "variation": score["variation"],
        "is_held_out": score["is_held_out"],
        "non_finite": checks.integer()("non_finite", score["non_finite"]),
    }


def _progress(path: Path) -> tuple[int, int, int]:
    """The generations behind a run, its population's size, and the generations it wants.

    The configuration is read as plain values: to rebuild it would load the task, which may need
    more memory than the machine that draws has.
    """
    if not (path / "config.json").exists():
        raise ValueError("has not begun")
    config = read_config(path)["config"]
    try:
        return (
            len(read_metrics(path)),
            checks.integer()("population_size", config["strategy"]["population_size"]),
            checks.integer()("generations", config["generations"]),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"config.json cannot be read: {error!r}") from error
