"""The command line.

`hebbax train | evaluate | sweep | tune | render | report | export | doctor | presets`, and that of
an experiment's script.
"""

import argparse
import dataclasses
import functools
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import tyro
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hebbax import devices
from hebbax.config import Config
from hebbax.evolution import interrupts
from hebbax.evolution.endings import end_process
from hebbax.evolution.joining import join_processes
from hebbax.evolution.processes import is_first, is_joined
from hebbax.types import checks

# `--sample` alone; there is no `--no-sample`.
Flag = tyro.conf.FlagCreatePairsOff[bool]
Trust = Annotated[
    tuple[str, ...],
    tyro.conf.arg(
        help="Modules, or files that end in .py, whose classes the run may be of: their code runs. "
        "Those of hebbax need not be named."
    ),
]

# Exit codes: as shells have it after Ctrl-C, and as `timeout` has it.
INTERRUPTED, OUT_OF_TIME = 130, 124

USAGE = """usage: hebbax COMMAND ...

Evolves plastic neural networks.

commands:
  hebbax train PRESET [OPTIONS]    evolve a genome, or resume the run in the folder
  hebbax train --task gymnax:NAME [--policy hebbian|static|lstm]
               [--vary NAME:FIELD=NUMBER...] [OPTIONS]
                                   the same on one of gymnax's environments, without a preset;
                                   brax:NAME and playground:NAME are environments of those
  hebbax evaluate RUN [OPTIONS]    score a run's genome in every variation of its task
  hebbax render RUN [OPTIONS]      film an episode of a run's genome in one variation
  hebbax sweep PRESET... --folder FOLDER [OPTIONS]
                                   compare presets: every held-out variation, several seeds
  hebbax tune PRESET --space FIELD=CHOICES... --budget GENERATIONS --folder FOLDER [OPTIONS]
                                   search for noise, rates and other numbers that learn well
  hebbax report FOLDER [OPTIONS]   write a page about a run or a sweep
  hebbax export RUN [OPTIONS]      write a run's network for programs with NumPy alone
  hebbax doctor                    say what is here, and what does not go together
  hebbax presets                   list the presets

`hebbax train PRESET --help` lists every setting of a preset.
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs a command and exits.

    0 if all went well, 1 if the doctor finds something wrong, 2 after an error in what was asked
    for, 124 out of time, 130 after an interrupt.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    commands: dict[str, Callable[..., None]] = {
        "train": _train,
        "evaluate": functools.partial(tyro.cli, _evaluate, prog="hebbax evaluate"),
        "sweep": _sweep,
        "tune": functools.partial(tyro.cli, _tune, prog="hebbax tune"),
        "render": functools.partial(tyro.cli, _render, prog="hebbax render"),
        "report": functools.partial(tyro.cli, _report, prog="hebbax report"),
        "export": functools.partial(tyro.cli, _export, prog="hebbax export"),
        "doctor": functools.partial(tyro.cli, _doctor, prog="hebbax doctor"),
        "presets": functools.partial(tyro.cli, _presets, prog="hebbax presets"),
    }
    if not arguments or arguments[0] in ("-h", "--help"):
        (sys.stdout if arguments else sys.stderr).write(USAGE)
        sys.exit(0 if arguments else 2)
    name, *options = arguments
    if name not in commands:
        _refuse(f"unknown command {name!r}; allowed are {', '.join(commands)}")
    _run(lambda: commands[name](args=options))


def run_experiment(
    methods: Mapping[str, Callable[[], Config]], folder: str, **defaults: Any
) -> None:
    """Runs an experiment's script.

    A sweep whose methods and defaults are given, and whose options are the command line's; then its
    report.

    Args:
        methods: what makes each method's configuration, by the name of its row.
        folder: for all runs, unless the command line names another.
        defaults: what other options of `hebbax sweep` are if they are not given, such as `folds`.
    """
    sweep_some = functools.partial(
        _sweep_some, methods, methods=tuple(methods), folder=Path(folder), **defaults
    )

    def work() -> None:
        made = tyro.cli(sweep_some)
        if is_first():
            _report(made)

    _run(work)


def _run(command: Callable[[], None]) -> None:
    devices.use_compilation_cache()
    try:
        command()
    except BrokenPipeError:  # Whoever read has seen enough, as `head` has.
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
        sys.exit(1)
    except (ValueError, OSError) as error:
        _refuse(str(error))
    except KeyboardInterrupt:
        # A program may still run on the devices; nobody waits for it.
        sys.stderr.write("interrupted\n")
        sys.stderr.flush()
        os._exit(INTERRUPTED)
    except interrupts.TimeLimitError as error:
        sys.stderr.write(f"{error}; the same command goes on\n")
        sys.exit(OUT_OF_TIME)


def _train(args: list[str]) -> None:
    from hebbax.presets import PRESETS

    if args and args[0] in ("-h", "--help"):
        sys.stdout.write(
            "usage: hebbax train PRESET [OPTIONS]\n"
            "       hebbax train --task LIBRARY:NAME [--policy hebbian|static|lstm] "
            "[--vary NAME:FIELD=NUMBER...] [OPTIONS]\n\n"
            f"presets: {', '.join(PRESETS)}\n\nlibraries: gymnax, brax, playground\n\n`hebbax "
            "train PRESET --help` lists its settings.\n"
        )
        return
    if args and args[0].startswith("--task"):
        run_name, config, options = _config_of_task(args)
        train_task = functools.partial(
            _train_config, config=config, run_dir=Path("runs") / run_name
        )
        tyro.cli(train_task, args=options, prog="hebbax train --task")
        return
    if not args or args[0] not in PRESETS:
        given = f"unknown preset {args[0]!r}" if args else "no preset given"
        _refuse(f"{given}; allowed are {', '.join(PRESETS)}, or --task LIBRARY:NAME")
    name, *options = args
    train_preset = functools.partial(
        _train_config, config=PRESETS[name](), run_dir=Path("runs") / name
    )
    tyro.cli(train_preset, args=options, prog=f"hebbax train {name}")


def _config_of_task(args: list[str]) -> tuple[str, Config, list[str]]:
    """What `--task`, `--policy` and `--vary` say: a name, a configuration, and other options."""
    from hebbax.presets import for_task

    parser = argparse.ArgumentParser(prog="hebbax train", add_help=False, allow_abbrev=False)
    parser.add_argument("--task", required=True)
    parser.add_argument("--policy", default="hebbian")
    parser.add_argument("--vary", action="append", default=[])
    known, options = parser.parse_known_args(args)
    config = for_task(known.task, known.policy, dict(map(_variation, known.vary)))
    return known.task.rpartition(":")[2], config, options


def _variation(text: str) -> tuple[str, dict[str, float]]:
    """A variation as it is written: `heavy:masspole=0.5,length=1`."""
    name, _, changes = text.partition(":")
    try:
        pairs = [change.split("=") for change in changes.split(",")]
        return name, {field: float(value) for field, value in pairs}
    except ValueError:
        raise ValueError(
            f"--vary is {text!r}, but must be NAME:FIELD=NUMBER, with more fields behind commas, "
            "such as heavy:masspole=0.5"
        ) from None


def _train_config(
    config: Annotated[Config, tyro.conf.arg(name="")],
    run_dir: Path,
    log: Literal["tensorboard", "wandb"] | None = None,
    time_limit: float | None = None,
    cores: int | None = None,
    distributed: Flag = False,
    coordinator: str | None = None,
    processes: int | None = None,
    process: int | None = None,
) -> None:
    """Evolves a genome; the same command resumes an interrupted run.

    Ctrl-C ends it after the generation, twice at once.

    SIGTERM ends it at once, with a checkpoint of the last whole generation.

    Args:
        config: What is evolved, and how.
        run_dir: Folder for metrics and checkpoints.
        log: Where else metrics go: to a folder of this name in the run's. Nothing is sent; `wandb
            sync` sends the latter later.
        time_limit: Minutes after which it ends as after Ctrl-C, with exit code 124; none if None.
        cores: CPU cores to use; all of them if None.
        distributed: Train together with other processes, which get the same command. A cluster
            says who they are (SLURM, Open MPI, Cloud TPU, Kubernetes), or the next three do.
        coordinator: HOST:PORT of process 0, as all others reach it.
        processes: How many processes there are.
        process: Which one this is, counted from 0.
    """
    _use_cores(cores)
    distributed = _join(distributed, coordinator, processes, process)

    from hebbax.evolution.progress import progress_bar
    from hebbax.evolution.training import train

    with interrupts.time_limit(time_limit), progress_bar(config.generations) as shown:
        loggers = [] if log is None or not shown else [_make_logger(log, run_dir)]
        result = train(config, run_dir, callbacks=[*shown, *loggers], distributed=distributed)
        is_time_over = interrupts.is_time_over()
    num_generations = len(result.history)
    if num_generations < config.generations:
        why = "the time is over" if is_time_over else "interrupted"
        if is_first():
            sys.stderr.write(
                f"{why} after generation {num_generations}; the same command resumes {run_dir}\n"
            )
        sys.exit(OUT_OF_TIME if is_time_over else INTERRUPTED)
    if not is_first():
        return
    best = "in none was the fitness of more than half of the individuals finite"
    if result.best_generation is not None:
        fitness = result.history[result.best_generation]["fitness_mean"]
        best = f"best mean fitness {fitness:.2f} in generation {result.best_generation + 1}"
    Console().print(f"{num_generations} generations in {run_dir}; {best}")


def _make_logger(kind: Literal["tensorboard", "wandb"], run_dir: Path) -> Any:
    from hebbax.evolution import loggers

    try:
        if kind == "tensorboard":
            return loggers.TensorBoard(run_dir / "tensorboard")
        return loggers.WeightsAndBiases()
    except ModuleNotFoundError as error:
        _refuse(str(error))


def _evaluate(
    run: tyro.conf.Positional[Path],
    episodes: int = 100,
    sample: Flag = False,
    best: Flag = False,
    bits: Flag = False,
    trust: Trust = (),
    cores: int | None = None,
    distributed: Flag = False,
    coordinator: str | None = None,
    processes: int | None = None,
    process: int | None = None,
) -> None:
    """Scores a run's genome in every variation of its task.

    Writes evaluation.json (evaluation-samples.json, evaluation-bits.json) into the run's folder.

    Args:
        run: Folder of the run.
        episodes: Episodes in each variation.
        sample: Draw an individual from the genome for every episode, instead of taking its mode.
        best: Take the genome of the best generation instead of the last.
        bits: Round the mode's numbers to a few bits each instead, and say how few will do.
        trust: Whose classes the run may be of.
        cores: CPU cores to use; all of them if None.
        distributed: Share the episodes with other processes, as `hebbax train` has it.
        coordinator: HOST:PORT of process 0, as all others reach it.
        processes: How many processes there are.
        process: Which one this is, counted from 0.
    """
    if bits and (sample or best):
        raise ValueError("--bits rounds the mode of the last genome; leave out --sample and --best")
    _use_cores(cores)
    distributed = _join(distributed, coordinator, processes, process)
    if bits and distributed:
        raise ValueError("--bits works in one process; leave out --distributed")

    from hebbax.evolution.evaluation import evaluate, save_scores
    from hebbax.evolution.progress import bits_table, score_table
    from hebbax.evolution.result import load_result
    from hebbax.evolution.sizes import measure_bits, save_bits

    result = load_result(run, trust)
    if bits:
        found = measure_bits(result, episodes)
        Console().print(bits_table(found))
        save_bits(run, found)
        return
    scores = evaluate(result, episodes, is_sampled=sample, is_best=best, distributed=distributed)
    if not is_first():
        return
    # Before they are written, which may fail.
    Console().print(score_table(scores))
    save_scores(run, result, scores, is_sampled=sample, is_best=best)


def _render(
    run: tyro.conf.Positional[Path],
    variation: str,
    format: Literal["mp4", "gif", "html"] = "mp4",
    steps: int | None = None,
    lesion_layer: int | None = None,
    lesion_step: int | None = None,
    output: Path | None = None,
    sample: Flag = False,
    seed: int = 0,
    trust: Trust = (),
) -> None:
    """Films an episode of a run's genome in one variation, in real time, until it ends.

    Args:
        run: Folder of the run.
        variation: The variation to film.
        format: A film, or for the quadruped a page that loads Brax's viewer from the network.
        steps: The most policy steps to film; the whole episode if None.
        lesion_layer: The plastic layer, counted from 0, that is set to zero at --lesion-step.
        lesion_step: The policy step, counted from 0, from which on the layer is damaged.
        output: The file to write; films/VARIATION.FORMAT in the run's folder if None.
        sample: Draw the individual from the genome, instead of taking its mode.
        seed: Which episode; the same one gives the same film.
        trust: Whose classes the run may be of.
    """
    from hebbax.watching.lesion import Lesion

    try:
        from hebbax.watching.films.film import render
    except ModuleNotFoundError as error:
        _refuse(f"films need {error.name}, which is not installed: pip install 'hebbax[viz]'")

    if (lesion_layer is None) != (lesion_step is None):
        raise ValueError(
            "a lesion needs both --lesion-layer and --lesion-step, but only one is given"
        )
    lesion = None
    if lesion_layer is not None and lesion_step is not None:
        lesion = Lesion(lesion_layer, lesion_step)
    path = render(
        run,
        variation,
        output,
        format=format,
        num_steps=steps,
        lesion=lesion,
        is_sampled=sample,
        seed=seed,
        trust=trust,
    )
    Console(soft_wrap=True).print(f"filmed {variation} in {path}")


def _sweep(args: list[str]) -> None:
    from hebbax.presets import PRESETS

    tyro.cli(functools.partial(_sweep_some, PRESETS), args=args, prog="hebbax sweep")


def _sweep_some(
    table: Mapping[str, Callable[[], Config]],
    methods: Annotated[
        tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="METHOD ...")
    ] = (),
    *,
    folder: Path,
    folds: tuple[str, ...] = ("all",),
    seeds: int = 2,
    episodes: int = 100,
    generations: int | None = None,
    population_size: int | None = None,
    archive: Path | None = None,
    together: Flag = False,
    slurm: str | None = None,
    slurm_hours: int = 24,
    slurm_gpus: int = 1,
    nodes: int = 1,
    time_limit: float | None = None,
    cores: int | None = None,
    distributed: Flag = False,
    coordinator: str | None = None,
    processes: int | None = None,
    process: int | None = None,
) -> Path:
    """Trains and scores every method with each variation held out and several seeds.

    The same command goes on with what is missing.

    Ctrl-C ends it after the generation, twice at once; SIGTERM ends it at once, with a checkpoint
    of the last whole generation.

    Args:
        table: What makes each method's configuration.
        methods: What to compare: presets, or some of an experiment's methods instead of all.
        folder: Folder for all runs.
        folds: Variations to hold out, each in turn; `none` trains on all of them.
        seeds: Runs of each method in each fold.
        episodes: Episodes in each variation that score a run's genome.
        generations: Generations of each run; as many as the method says if None.
        population_size: Individuals in a generation; as many as the method says if None.
        archive: File that keeps what runs scored; those that it holds are not made again.
        together: Run all that can share a program side by side in it, which fills an accelerator.
        slurm: Partition of a SLURM cluster whose jobs do the work; this process does if None.
        slurm_hours: Hours that a job may take.
        slurm_gpus: Accelerators of each job on each of its nodes.
        nodes: Machines of each job, whose processes train together.
        time_limit: Minutes after which it ends as after Ctrl-C, with exit code 124; none if None.
        cores: CPU cores to use; all of them if None.
        distributed: Share each run with other processes, as `hebbax train` has it.
        coordinator: HOST:PORT of process 0, as all others reach it.
        processes: How many processes there are.
        process: Which one this is, counted from 0.

    Returns:
        The folder.
    """
    if not methods:
        raise ValueError(f"no preset given; allowed are {', '.join(table)}")
    for name in methods:
        if name not in table:
            raise ValueError(f"unknown method {name!r}; allowed are {', '.join(table)}")
    if nodes != 1 and slurm is None:
        raise ValueError(f"nodes is {nodes}, but says how many a job of --slurm has; give it, too")
    _use_cores(cores)
    distributed = _join(distributed, coordinator, processes, process)

    from hebbax.comparison.cluster import slurm_executor
    from hebbax.comparison.sweeps import sweep

    executor = None
    if slurm is not None and time_limit is not None:
        raise ValueError(
            f"time_limit is {time_limit}, but it does not reach the jobs of a cluster; give "
            "--slurm-hours instead"
        )
    if slurm is not None:
        executor = slurm_executor(
            folder / "jobs", slurm, hours=slurm_hours, gpus=slurm_gpus, nodes=nodes
        )
    with interrupts.time_limit(time_limit):
        sweep(
            {name: _resize(table[name](), generations, population_size) for name in methods},
            folder,
            folds[0] if folds in (("all",), ("none",)) else folds,
            seeds,
            episodes,
            archive=archive,
            together=together,
            executor=executor,
            distributed=distributed,
        )
    return folder


def _tune(
    preset: tyro.conf.Positional[str],
    *,
    space: tuple[str, ...],
    budget: int,
    folder: Path,
    generations: int | None = None,
    population_size: int | None = None,
    seeds: tuple[int, ...] = (100, 101),
    rungs: int = 1,
    episodes: int = 32,
    archive: Path | None = None,
    together: Flag = False,
    time_limit: float | None = None,
    cores: int | None = None,
) -> None:
    """Searches for numbers with which a preset learns well; the same command goes on.

    Writes tuning.json into the folder, and prints the trials and the options of the best.

    Args:
        preset: What to tune.
        space: Fields and their choices, FIELD=0.03,0.1, or a range, FIELD=0.01..0.3; fields that
            have one value in common are joined by +.
        budget: Generations to spend, over all trials and seeds.
        folder: Folder for the runs of all trials.
        generations: Generations of a whole trial; as many as the preset says if None.
        population_size: Individuals in a generation; as many as the preset says if None.
        seeds: Seeds of each trial's runs.
        rungs: How often trials are compared; the best third of them goes on.
        episodes: Episodes in each variation that score a genome.
        archive: File that keeps what runs scored; those that it holds are not made again.
        together: Run trials side by side in one program, which fills an accelerator.
        time_limit: Minutes after which it ends as after Ctrl-C, with exit code 124; none if None.
        cores: CPU cores to use; all of them if None.
    """
    from hebbax.presets import PRESETS

    if preset not in PRESETS:
        _refuse(f"unknown preset {preset!r}; allowed are {', '.join(PRESETS)}")
    _use_cores(cores)

    from hebbax.comparison.tuning import tune

    with interrupts.time_limit(time_limit):
        found = tune(
            _resize(PRESETS[preset](), generations, population_size),
            dict(map(_field_and_choices, space)),
            budget,
            folder,
            seeds=seeds,
            rungs=rungs,
            episodes=episodes,
            archive=archive,
            together=together,
        )
    table = Table(*found.space, "generations", "mean return trained on")
    for trial in found.trials:
        table.add_row(*map(str, trial.values), str(trial.generations), f"{trial.mean:.2f}")
    console = Console(soft_wrap=True)
    console.print(table)
    sizes = {"generations": generations, "strategy.population-size": population_size}
    options = [f"--{name} {size}" for name, size in sizes.items() if size is not None]
    options += [
        f"--{name.strip().replace('_', '-')} {value}"
        for names, value in zip(found.space, found.best.values, strict=True)
        for name in names.split("+")
    ]
    console.print(f"hebbax train {preset} {' '.join(options)}", highlight=False)


def _field_and_choices(text: str) -> tuple[str, Any]:
    """What an option of `hebbax tune --space` says."""
    from hebbax.comparison.tuning import Between

    field, _, values = text.partition("=")
    try:
        if ".." in values:
            low, high = map(float, values.split(".."))
            return field, Between(low, high)
        return field, [json.loads(value) for value in values.split(",")]
    except ValueError as error:
        raise ValueError(
            f"space is {text!r}, but must be FIELD=CHOICE,... or FIELD=LOW..HIGH: {error}"
        ) from error


def _resize(config: Config, generations: int | None, population_size: int | None) -> Config:
    """The configuration with other numbers of generations and individuals, where they are given."""
    strategy: Any = config.strategy
    if population_size is not None:
        strategy = dataclasses.replace(strategy, population_size=population_size)
    return dataclasses.replace(
        config,
        strategy=strategy,
        generations=config.generations if generations is None else generations,
    )


def _report(
    folder: tyro.conf.Positional[Path],
    films: int = 0,
    copy_to: Path | None = None,
    trust: Trust = (),
    time_limit: float | None = None,
) -> None:
    """Writes report.html into the folder.

    A page with the tables, pictures, films and settings of a run or a sweep, and with what is
    missing.

    Args:
        folder: Folder of a run or a sweep.
        films: Films to make first, beside those that are there; of the best method first.
        copy_to: Folder for a copy without checkpoints, of a page below 3 MiB; none if None.
        trust: Whose classes the runs may be of.
        time_limit: Minutes after which no further film is made; none if None.
    """
    try:
        from hebbax.watching.report import copy_report, write_report
    except ModuleNotFoundError as error:
        _refuse(f"reports need {error.name}, which is not installed: pip install 'hebbax[viz]'")

    console = Console(soft_wrap=True)
    with interrupts.time_limit(time_limit):
        console.print(f"report in {write_report(folder, films, trust)}", highlight=False)
    if copy_to is not None:
        copies = copy_report(folder, copy_to)
        page = (
            ""
            if any(copy.name == "report.html" for copy in copies)
            else ", without the page, which is too large"
        )
        console.print(f"copied {len(copies)} files to {copy_to}{page}", highlight=False)


def _export(run: tyro.conf.Positional[Path], folder: Path | None = None, trust: Trust = ()) -> None:
    """Writes the network of a run's genome, and what it needs to act in NumPy alone.

    Args:
        run: Folder of the run.
        folder: Where to; `exported` in the run's folder if None.
        trust: Whose classes the run may be of.
    """
    from hebbax.evolution import export

    numbers, code = export(run, folder or run / "exported", trust)
    Console(soft_wrap=True).print(f"numbers in {numbers}, read by {code}")


def _doctor() -> None:
    """Says what hebbax finds here, and what of it is wrong or does not go together.

    Versions, devices, memory, the cache of compiled programs, films. Exit code 1 if something is
    wrong.
    """
    _use_cores(None)

    from hebbax.evolution.doctor import examine

    facts, faults = examine()
    try:
        from hebbax.watching.films.encode import FORMATS, find_faults
    except ModuleNotFoundError as error:
        facts["films"] = f"none, {error.name} is not installed: pip install 'hebbax[viz]'"
    else:
        in_films = find_faults()
        facts["films"] = "not all can be written" if in_films else " and ".join(FORMATS)
        faults = [*faults, *in_films]
    table = Table("what", "here")
    for name, fact in facts.items():
        table.add_row(name, escape(fact))
    console = Console(soft_wrap=True)
    console.print(table)
    for fault in faults:
        console.print(f"- {fault}", style="red", markup=False, highlight=False)
    if faults:
        sys.exit(1)
    console.print("Nothing is wrong.")


def _presets() -> None:
    """Lists the presets."""
    from hebbax.presets import PRESETS

    table = Table("preset", "what it is")
    for name, make in PRESETS.items():
        table.add_row(name, (make.__doc__ or "").strip())
    Console().print(table)


def _use_cores(count: int | None) -> None:
    devices.use_cpu_cores(checks.optional(checks.integer(at_least=1))("cores", count))


def _join(
    distributed: bool, coordinator: str | None, processes: int | None, process: int | None
) -> bool:
    """Joins other processes if the command line says so, and says whether it does."""
    is_asked = distributed or (coordinator, processes, process) != (None, None, None)
    if is_asked:
        join_processes(coordinator, processes, process)
    return is_asked


def _refuse(reason: str) -> NoReturn:
    sys.stderr.write(f"hebbax: error: {reason}\n")
    _exit(2)


def _exit(code: int) -> NoReturn:
    """Ends the process; one of many does not wait for the others, who are told."""
    if is_joined():
        end_process(code)
    sys.exit(code)
