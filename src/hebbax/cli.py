"""The command line.

`hebbax train | evaluate | sweep | render | report | presets`, and that of an experiment's script.
"""

import dataclasses
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import tyro
from rich.console import Console
from rich.table import Table

from hebbax import devices
from hebbax.config import Config
from hebbax.files.plain import trust
from hebbax.types import checks

# `--sample` alone; there is no `--no-sample`.
Flag = tyro.conf.FlagCreatePairsOff[bool]

USAGE = """usage: hebbax COMMAND ...

Evolves plastic neural networks.

commands:
  hebbax train PRESET [OPTIONS]    evolve a genome, or resume the run in the folder
  hebbax evaluate RUN [OPTIONS]    score a run's genome in every variation of its task
  hebbax render RUN [OPTIONS]      film an episode of a run's genome in one variation
  hebbax sweep PRESET... --folder FOLDER [OPTIONS]
                                   compare presets: every held-out variation, several seeds
  hebbax report FOLDER [OPTIONS]   write a page about a run or a sweep
  hebbax presets                   list the presets

`hebbax train PRESET --help` lists every setting of a preset.
"""


@dataclasses.dataclass(frozen=True)
class TrainOptions:
    """Evolves a genome; the same command resumes an interrupted run.

    Ctrl-C ends it after the generation, twice at once.

    SIGTERM ends it at once, with a checkpoint of the last whole generation.
    """

    config: Annotated[Config, tyro.conf.arg(name="")]
    run_dir: Path
    """Folder for metrics and checkpoints."""
    cores: int | None = None
    """CPU cores to use; all of them if None."""


@dataclasses.dataclass(frozen=True)
class EvaluateOptions:
    """Scores a run's genome in every variation of its task.

    Writes evaluation.json (evaluation-samples.json) into the run's folder.
    """

    run: tyro.conf.Positional[Path]
    """Folder of the run."""
    episodes: int = 100
    """Episodes in each variation."""
    sample: Flag = False
    """Draw an individual from the genome for every episode, instead of taking its mode."""
    best: Flag = False
    """Take the genome of the best generation instead of the last."""
    trust: tuple[str, ...] = ()
    """Modules, or files that end in .py, whose classes the run may be of: their code runs.

    Those of hebbax need not be named.
    """
    cores: int | None = None
    """CPU cores to use; all of them if None."""


@dataclasses.dataclass(frozen=True)
class RenderOptions:
    """Films an episode of a run's genome in one variation, in real time, until it ends."""

    run: tyro.conf.Positional[Path]
    """Folder of the run."""
    variation: str
    """The variation to film."""
    format: Literal["mp4", "gif", "html"] = "mp4"
    """A film, or for the quadruped a page with Brax's viewer.

    The viewer loads its program from the network.
    """
    steps: int | None = None
    """The most policy steps to film; the whole episode if None."""
    lesion_layer: int | None = None
    """The plastic layer, counted from 0, whose weights are set to zero at --lesion-step."""
    lesion_step: int | None = None
    """The policy step, counted from 0, from which on the layer is damaged."""
    output: Path | None = None
    """The file to write; films/VARIATION.FORMAT in the run's folder if None."""
    sample: Flag = False
    """Draw the individual from the genome, instead of taking its mode."""
    seed: int = 0
    """Which episode; the same one gives the same film."""
    trust: tuple[str, ...] = ()
    """Modules, or files that end in .py, whose classes the run may be of: their code runs.

    Those of hebbax need not be named.
    """


@dataclasses.dataclass(frozen=True)
class SweepOptions:
    """Trains and scores every method with each variation held out and several seeds.

    The same command goes on with what is missing.

    Ctrl-C ends it after the generation, twice at once; SIGTERM ends it at once, with a checkpoint
    of the last whole generation.
    """

    methods: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="METHOD ...")]
    """What to compare: presets, or some of an experiment's methods instead of all."""
    folder: Path
    """Folder for all runs."""
    folds: tuple[str, ...] = ("all",)
    """Variations to hold out, each in turn."""
    seeds: int = 2
    """Runs of each method in each fold."""
    episodes: int = 100
    """Episodes in each variation that score a run's genome."""
    generations: int | None = None
    """Generations of each run; as many as the method says if None."""
    population_size: int | None = None
    """Individuals in a generation; as many as the method says if None."""
    together: Flag = False
    """Run all folds and seeds of a method as one program, which fills an accelerator."""
    slurm: str | None = None
    """Partition of a SLURM cluster whose jobs do the work; this process does if None."""
    slurm_hours: int = 24
    """Hours that a job may take."""
    slurm_gpus: int = 1
    """Accelerators of each job."""
    cores: int | None = None
    """CPU cores to use; all of them if None."""


@dataclasses.dataclass(frozen=True)
class ReportOptions:
    """Writes report.html into the folder.

    A page with the tables, pictures, films and settings of a run or a sweep, and with what is
    missing.
    """

    folder: tyro.conf.Positional[Path]
    """Folder of a run or a sweep."""
    films: int = 0
    """Films to make first, of the best method before the others.

    Those that are there are shown in any case.
    """
    copy_to: Path | None = None
    """Folder for a copy of what is worth keeping.

    The page if it is below 3 MiB, tables and pictures, no checkpoints; none if None.
    """
    trust: tuple[str, ...] = ()
    """Modules, or files that end in .py, whose classes the run may be of: their code runs.

    Those of hebbax need not be named.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs a command and exits.

    0 if all went well, 2 after an error in what was asked for, 130 after an interrupt.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    commands: dict[str, Callable[[list[str]], None]] = {
        "train": _train,
        "evaluate": _evaluate,
        "sweep": _sweep,
        "render": _render,
        "report": _report,
        "presets": _presets,
    }
    if not arguments or arguments[0] in ("-h", "--help"):
        (sys.stdout if arguments else sys.stderr).write(USAGE)
        sys.exit(0 if arguments else 2)
    if arguments[0] not in commands:
        _refuse(f"unknown command {arguments[0]!r}; allowed are {', '.join(commands)}")
    _run(lambda: commands[arguments[0]](arguments[1:]))


def run_experiment(methods: Mapping[str, Callable[[], Config]], default: SweepOptions) -> None:
    """Runs an experiment's script.

    A sweep whose methods and defaults are given, and whose options are the command line's; then its
    report.

    Args:
        methods: what makes each method's configuration, by the name of its row.
        default: the options that are not given.
    """

    def run() -> None:
        options = tyro.cli(SweepOptions, default=default)
        _sweep_methods(methods, options)
        _write_report(ReportOptions(options.folder))

    _run(run)


def _run(command: Callable[[], None]) -> None:
    devices.use_compilation_cache()
    try:
        command()
    except (ValueError, OSError) as error:
        _refuse(str(error))
    except KeyboardInterrupt:
        # A program may still run on the devices; nobody waits for it.
        sys.stderr.write("interrupted\n")
        sys.stderr.flush()
        os._exit(130)


def _train(arguments: list[str]) -> None:
    from hebbax.evolution.progress import ProgressBar
    from hebbax.evolution.training import train
    from hebbax.presets import PRESETS

    if arguments and arguments[0] in ("-h", "--help"):
        sys.stdout.write(
            f"usage: hebbax train PRESET [OPTIONS]\n\npresets: {', '.join(PRESETS)}\n\n`hebbax "
            "train PRESET --help` lists its settings.\n"
        )
        return
    if not arguments or arguments[0] not in PRESETS:
        given = f"unknown preset {arguments[0]!r}" if arguments else "no preset given"
        _refuse(f"{given}; allowed are {', '.join(PRESETS)}")
    name = arguments[0]
    default = TrainOptions(PRESETS[name](), run_dir=Path("runs") / name)
    options = tyro.cli(
        TrainOptions, default=default, args=arguments[1:], prog=f"hebbax train {name}"
    )
    _use_cores(options.cores)
    with ProgressBar(options.config.generations) as progress:
        result = train(options.config, options.run_dir, callbacks=[progress])
    num_generations = len(result.history)
    if num_generations < options.config.generations:
        sys.stderr.write(
            f"interrupted after generation {num_generations}; the same command resumes "
            f"{options.run_dir}\n"
        )
        sys.exit(130)
    best = "in none was the fitness of more than half of the individuals finite"
    if result.best_generation is not None:
        fitness = result.history[result.best_generation]["fitness_mean"]
        best = f"best mean fitness {fitness:.2f} in generation {result.best_generation + 1}"
    Console().print(f"{num_generations} generations in {options.run_dir}; {best}")


def _evaluate(arguments: list[str]) -> None:
    options = tyro.cli(EvaluateOptions, args=arguments, prog="hebbax evaluate")
    _use_cores(options.cores)

    from hebbax.evolution.evaluation import evaluate, save_scores
    from hebbax.evolution.progress import score_table
    from hebbax.evolution.result import load_result

    trust(options.trust)
    result = load_result(options.run)
    scores = evaluate(result, options.episodes, is_sampled=options.sample, is_best=options.best)
    # Before they are written, which may fail.
    Console().print(score_table(scores))
    save_scores(options.run, result, scores, is_sampled=options.sample, is_best=options.best)


def _render(arguments: list[str]) -> None:
    options = tyro.cli(RenderOptions, args=arguments, prog="hebbax render")

    from hebbax.watching.lesion import Lesion

    try:
        from hebbax.watching.films.film import render
    except ModuleNotFoundError as error:
        _refuse(f"films need {error.name}, which is not installed: pip install 'hebbax[viz]'")

    if (options.lesion_layer is None) != (options.lesion_step is None):
        raise ValueError(
            "a lesion needs both --lesion-layer and --lesion-step, but only one is given"
        )
    lesion = None
    if options.lesion_layer is not None and options.lesion_step is not None:
        lesion = Lesion(options.lesion_layer, options.lesion_step)
    trust(options.trust)
    path = render(
        options.run,
        options.variation,
        options.output,
        format=options.format,
        num_steps=options.steps,
        lesion=lesion,
        is_sampled=options.sample,
        seed=options.seed,
    )
    Console(soft_wrap=True).print(f"filmed {options.variation} in {path}")


def _sweep(arguments: list[str]) -> None:
    from hebbax.presets import PRESETS

    options = tyro.cli(SweepOptions, args=arguments, prog="hebbax sweep")
    if not options.methods:
        raise ValueError(f"no preset given; allowed are {', '.join(PRESETS)}")
    _sweep_methods(PRESETS, options)


def _sweep_methods(methods: Mapping[str, Callable[[], Config]], options: SweepOptions) -> None:
    for name in options.methods:
        if name not in methods:
            raise ValueError(f"unknown method {name!r}; allowed are {', '.join(methods)}")
    _use_cores(options.cores)

    from hebbax.comparison.cluster import slurm_executor
    from hebbax.comparison.sweeps import sweep

    executor = None
    if options.slurm is not None:
        executor = slurm_executor(
            options.folder / "jobs",
            options.slurm,
            hours=options.slurm_hours,
            gpus=options.slurm_gpus,
        )
    sweep(
        {name: _resize(methods[name](), options) for name in options.methods or methods},
        options.folder,
        "all" if options.folds == ("all",) else options.folds,
        options.seeds,
        options.episodes,
        together=options.together,
        executor=executor,
    )


def _report(arguments: list[str]) -> None:
    _write_report(tyro.cli(ReportOptions, args=arguments, prog="hebbax report"))


def _write_report(options: ReportOptions) -> None:
    try:
        from hebbax.watching.report import copy_report, write_report
    except ModuleNotFoundError as error:
        _refuse(f"reports need {error.name}, which is not installed: pip install 'hebbax[viz]'")

    trust(options.trust)
    console = Console(soft_wrap=True)
    console.print(f"report in {write_report(options.folder, options.films)}", highlight=False)
    if options.copy_to is not None:
        copies = copy_report(options.folder, options.copy_to)
        page = (
            ""
            if any(copy.name == "report.html" for copy in copies)
            else ", without the page, which is too large"
        )
        console.print(f"copied {len(copies)} files to {options.copy_to}{page}", highlight=False)


def _resize(config: Config, options: SweepOptions) -> Config:
    """The configuration with as many generations and individuals as the options say."""
    strategy = config.strategy
    if options.population_size is not None:
        sized: Any = strategy
        strategy = dataclasses.replace(sized, population_size=options.population_size)
    return dataclasses.replace(
        config,
        strategy=strategy,
        generations=config.generations if options.generations is None else options.generations,
    )


def _presets(arguments: list[str]) -> None:
    if arguments:
        _refuse(f"`hebbax presets` takes no options, but was given {' '.join(arguments)}")

    from hebbax.presets import PRESETS

    table = Table("preset", "what it is")
    for name, make in PRESETS.items():
        table.add_row(name, (make.__doc__ or "").strip())
    Console().print(table)


def _use_cores(count: int | None) -> None:
    devices.use_cpu_cores(checks.optional(checks.integer(at_least=1))("cores", count))


def _refuse(reason: str) -> NoReturn:
    sys.stderr.write(f"hebbax: error: {reason}\n")
    sys.exit(2)
