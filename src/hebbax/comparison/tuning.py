"""A small search over the numbers of a configuration, such as noise, rate and initial scale.

Each set of numbers is a trial, and each trial a method of a sweep: what stops a search costs no
trial, and trials that differ in numbers alone share a program.

Source: successive halving, Jamieson and Talwalkar 2016, https://arxiv.org/abs/1502.07943.
"""

import contextlib
import dataclasses
import itertools
import math
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias, final

from hebbax.comparison.results.rows import NOTHING
from hebbax.comparison.sweeps import settle_seeds, sweep
from hebbax.config import Config
from hebbax.evolution.run_dir import read_metrics
from hebbax.evolution.training import DivergedError
from hebbax.files import local_path, write_json
from hebbax.files.plain import to_plain
from hebbax.types import checks

SEEDS = (100, 101)  # Those of sweeps begin at 0.
REDUCTION = 3  # Each rung keeps one trial in so many, and runs it that many times longer.

Values: TypeAlias = tuple[float, ...]


@final
@dataclasses.dataclass(frozen=True)
class Between:
    """Numbers between two, drawn evenly on a logarithmic scale."""

    low: float
    """The smallest, above 0."""
    high: float
    """The largest."""

    def __post_init__(self) -> None:
        """Refuses bounds that hold nothing."""
        checks.settle(self, "Between.", low=checks.positive)
        above = checks.number(f"above low, {self.low}", lambda value: value > self.low)
        checks.settle(self, "Between.", high=above)


@final
@dataclasses.dataclass(frozen=True)
class Trial:
    """A set of numbers, and what came of it.

    values: the numbers, in the order of the space.
    generations: how many its runs have behind them.
    scores: of each seed, the mean return of the mode in the variations that it was trained on; NaN
        where the genome diverged.
    fitness: of each seed, the population's mean fitness in each generation.
    """

    values: Values
    generations: int
    scores: tuple[float, ...]
    fitness: tuple[tuple[float, ...], ...]

    @property
    def mean(self) -> float:
        """The mean of the scores; minus infinity where a genome diverged."""
        mean = sum(self.scores) / len(self.scores)
        return mean if math.isfinite(mean) else -math.inf


@final
@dataclasses.dataclass(frozen=True)
class Tuning:
    """What a search found.

    config: the configuration with the best numbers.
    space: the fields that were searched.
    trials: all trials: those that went on longest first, and of these the best.
    """

    config: Config
    space: tuple[str, ...]
    trials: tuple[Trial, ...]

    @property
    def best(self) -> Trial:
        """The best of the trials that went on longest."""
        return self.trials[0]


def tune(
    config: Config,
    space: Mapping[str, Sequence[float] | Between],
    budget: int,
    folder: str | Path,
    *,
    name: str = "trial",
    seeds: int | Sequence[int] = SEEDS,
    rungs: int = 1,
    episodes: int = 32,
    draw_seed: int = 0,
    archive: str | Path | None = None,
    together: bool = False,
) -> Tuning:
    """Searches for numbers with which a configuration learns well; the same call goes on.

    A trial is as good as the mode of its genome in the training variations, over all seeds. What is
    held out has no say. Where the space has choices alone, and the budget affords every combination
    of them, all are tried; else trials are drawn at random. With more than one rung trials begin
    short, and the best third goes on, three times as long (successive halving, by thirds).

    Args:
        config: what is tuned; its `generations` are those of a whole trial, its seed does not
            count.
        space: choices, or a range, for each field by its dotted name, such as
            "strategy.std.initial". Fields that have one value in common are joined by "+".
        budget: generations to spend, over all trials and seeds.
        folder: for the runs of all trials, and `tuning.json` with their whole curves.
        name: of the trials, before their values.
        seeds: of each trial's runs, kept for this purpose: how many, from 0 on, or which.
        rungs: how often trials are compared; with 1, all of them run to the end.
        episodes: episodes in each variation that score a genome.
        draw_seed: the seed of trials that are drawn.
        archive: as `sweep` has it.
        together: as `sweep` has it.

    Returns:
        The configuration with the best numbers, and all trials.

    Raises:
        ValueError: if a field is not there or cannot have a value, the budget affords no trial, or
            the generations cannot be divided into the rungs.
        DivergedError: if no trial kept its genome finite.
        TimeLimitError: as `sweep` does.

    Examples:
        >>> import hebbax
        >>> task, policy = hebbax.tasks.Point(), hebbax.Hebbian(hidden_sizes=())
        >>> strategy = hebbax.ScoreFunction(population_size=4)
        >>> config = hebbax.Config(task, policy, hebbax.Normal(), strategy, generations=2)
        >>> space = {"strategy.std.initial + genome.init_scale": [0.02, 0.1]}
        >>> found = hebbax.tune(config, space, budget=8, folder="tuning", episodes=4)
        >>> len(found.trials), found.config.genome.init_scale == found.best.values[0]
        (2, True)
    """
    folder = local_path(folder, "folder")
    checks.file_name("name", name)
    seeds = settle_seeds(seeds)
    if not seeds:
        raise ValueError(f"seeds is {seeds}, but must be one or more")
    lengths = _lengths(config.generations, checks.integer(at_least=1)("rungs", rungs))
    drawn = _draw(space, _affordable(budget, lengths, len(seeds)), draw_seed)
    configs = {
        values: dataclasses.replace(
            with_values(config, dict(zip(space, values, strict=True))),
            evaluate_every=lengths[0],
            evaluation_episodes=episodes,
        )
        for values in drawn
    }
    trials: dict[Values, Trial] = {}
    going = list(drawn)
    for rung, length in enumerate(lengths):
        if rung:
            going.sort(key=lambda values: -trials[values].mean)
            going = going[: math.ceil(len(drawn) / REDUCTION**rung)]
        methods = {
            _label(name, values): dataclasses.replace(configs[values], generations=length)
            for values in going
        }
        folds = "none" if config.held_out is None else [config.held_out]
        with contextlib.suppress(DivergedError):  # The others are done.
            sweep(methods, folder, folds, seeds, episodes, archive=archive, together=together)
        for values, method in zip(going, methods, strict=True):
            runs = folder / "runs" / method / (config.held_out or NOTHING)
            paths = [runs / f"seed-{seed}" for seed in seeds]
            trials[values] = _trial(config, values, paths, length)
    ranked = sorted(trials.values(), key=lambda trial: (-trial.generations, -trial.mean))
    best = dict(zip(space, ranked[0].values, strict=True))
    found = Tuning(with_values(config, best), tuple(space), tuple(ranked))
    _write(folder / "tuning.json", found, seeds)
    if not math.isfinite(found.best.mean):
        raise DivergedError(f"no trial in {folder} kept its genome finite; search smaller numbers")
    return found


def with_values(config: Config, values: Mapping[str, float]) -> Config:
    """A configuration with other numbers in some fields, by their dotted names.

    Names that are joined by "+" have the same number.

    Raises:
        ValueError: if a field is not there, or cannot have the value.
    """
    for names, value in values.items():
        for name in names.split("+"):
            config = _with_value(config, name.strip().split("."), value, name.strip())
    return config


def _with_value(specification: Any, path: Sequence[str], value: float, name: str) -> Any:
    is_open = dataclasses.is_dataclass(specification)
    fields = [field.name for field in dataclasses.fields(specification)] if is_open else []
    first, *rest = path
    if first not in fields:
        raise ValueError(
            f"space names {name!r}, but {type(specification).__name__} has no {first!r}; it has "
            f"{', '.join(fields) or 'no fields'}"
        )
    inner = _with_value(getattr(specification, first), rest, value, name) if rest else value
    changed: Any = specification
    return dataclasses.replace(changed, **{first: inner})


def _lengths(generations: int, rungs: int) -> list[int]:
    """The generations at the end of each rung; all are multiples of the first."""
    divisor = REDUCTION ** (rungs - 1)
    if generations % divisor:
        raise ValueError(
            f"config.generations is {generations}, but must be a multiple of {divisor}, because "
            f"rungs is {rungs}"
        )
    return [generations // divisor * REDUCTION**rung for rung in range(rungs)]


def _affordable(budget: int, lengths: Sequence[int], num_seeds: int) -> int:
    """How many trials a budget affords."""
    budget = checks.integer(at_least=1)("budget", budget)

    def cost(num_trials: int) -> int:
        """The generations of so many trials, each rung beginning where the last has ended."""
        stretches = [end - begin for begin, end in itertools.pairwise([0, *lengths])]
        return num_seeds * sum(
            math.ceil(num_trials / REDUCTION**rung) * stretch
            for rung, stretch in enumerate(stretches)
        )

    if cost(1) > budget:
        raise ValueError(
            f"budget is {budget}, but one trial takes {cost(1)} generations; allowed are these, or "
            "more"
        )
    return next(number for number in itertools.count(1) if cost(number + 1) > budget)


def _draw(
    space: Mapping[str, Sequence[float] | Between], num_trials: int, seed: int
) -> list[Values]:
    """The numbers of each trial, all different."""
    if not isinstance(space, Mapping) or not space:
        raise ValueError(
            f"space is {space!r}, but must be a mapping from fields to choices, such as "
            '{"strategy.std.initial": [0.03, 0.1]}'
        )
    choices: dict[str, Any] = {
        name: values
        if isinstance(values, Between)
        else checks.several(
            checks.number("finite", math.isfinite), "numbers, or Between(low, high)"
        )(f"space[{name!r}]", values)
        for name, values in space.items()
    }
    source = random.Random(seed)
    if not any(isinstance(values, Between) for values in choices.values()):
        every: list[Values] = list(itertools.product(*map(dict.fromkeys, choices.values())))
        return every if len(every) <= num_trials else source.sample(every, num_trials)

    def draw(values: Any) -> float:
        if isinstance(values, Between):
            exact = math.exp(source.uniform(math.log(values.low), math.log(values.high)))
            return float(f"{exact:.4g}")
        return source.choice(values)

    drawn = [tuple(map(draw, choices.values())) for _ in range(num_trials)]
    return list(dict.fromkeys(drawn))


def _label(name: str, values: Values) -> str:
    """The name of a trial's method: the same numbers have the same folder."""
    return f"{name}@{','.join(map(str, values))}"


def _trial(config: Config, values: Values, paths: Sequence[Path], length: int) -> Trial:
    """What came of a trial."""
    histories = [read_metrics(path, length) for path in paths]

    def score(history: list[dict[str, Any]]) -> float:
        if len(history) < length or history[-1]["non_finite_genome"]:
            return math.nan
        if "scores" not in history[-1]:
            raise ValueError(
                f"a run of the trial {values} has no scores of generation {length}, for it was "
                "made with other rungs; choose another folder and archive, or these rungs"
            )
        scores = history[-1]["scores"]
        return sum(scores[name] for name in config.training_names) / len(config.training_names)

    return Trial(
        values,
        length,
        tuple(map(score, histories)),
        tuple(tuple(metrics["fitness_mean"] for metrics in history) for history in histories),
    )


def _write(file: Path, found: Tuning, seeds: Sequence[int]) -> None:
    """Writes down the whole search."""
    trials = [dataclasses.asdict(trial) | {"mean": trial.mean} for trial in found.trials]
    plain = {
        "space": list(found.space),
        "seeds": list(seeds),
        "trials": trials,
        "config": to_plain(found.config),
    }
    write_json(file, plain)
