"""The one training loop."""

import functools
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import PyTree

from hebbax import devices
from hebbax.config import Config
from hebbax.evolution import interrupts, joining, processes, programs
from hebbax.evolution.check import check
from hebbax.evolution.evaluation import score_mode
from hebbax.evolution.generation import (
    RunData,
    compile_generation,
    compile_generations,
    program_key,
)
from hebbax.evolution.result import Metrics, Result
from hebbax.evolution.run import Handle, Run, not_shared
from hebbax.evolution.run_dir import read_starts
from hebbax.files.plain import by_path
from hebbax.genomes.base import Genome
from hebbax.types import checks

Callback = Callable[[Metrics, Handle], None]


class DivergedError(ValueError):
    """A run's genome has numbers that are not finite, so that it cannot go on."""


def train(
    config: Config,
    run_dir: str | Path | None = None,
    callbacks: Sequence[Callback] = (),
    initial: Genome | Result | None = None,
    *,
    distributed: bool = False,
) -> Result:
    """Evolves a genome; the same call goes on where an interrupted one was.

    The first interrupt (Ctrl-C) ends the training after its generation, with a checkpoint and a
    result; a second one at once, and so does the first while the program is compiled. SIGTERM ends
    the process at once, with a checkpoint of the last whole generation. In a thread that is not the
    main one, and where these signals are ignored or have other handlers than Python's own, they are
    left alone. `time_limit` ends it as the first interrupt does.

    Args:
        config: what to evolve, and how.
        run_dir: the folder for metrics and checkpoints; nothing is written if None.
        callbacks: called with the metrics of each generation and a `Handle` on the run. One that
            has a function `close`, as loggers do, is closed at the end, also by an error.
        initial: the genome to begin with, such as another result's, or a `Result` of the same
            configuration with fewer generations, after which training continues as in one run.
            Drawn from the seed if None. What the folder holds comes before either.
        distributed: whether many processes make the same call and train together, each with its
            share of the population; see `join_processes` for how they find one another. The first
            one alone writes and calls the callbacks. All must see the folder. If one is lost, what
            was done is kept, and the others end with the exit code 75.

    Returns:
        The genome, the best so far, and the history from the first generation on.

    Raises:
        ValueError: if the folder holds something else than this run, a checkpoint is damaged,
            the initial genome or result does not fit the configuration, or processes do not agree.
        DivergedError: if the genome is not finite after a generation; what the folder keeps is the
            state before it.

    Examples:
        >>> import hebbax
        >>> task, policy = hebbax.tasks.Point(), hebbax.Hebbian(hidden_sizes=())
        >>> strategy = hebbax.ScoreFunction(population_size=4)
        >>> config = hebbax.Config(task, policy, hebbax.Normal(), strategy, generations=2)
        >>> result = hebbax.train(config, "runs/point")
        >>> len(result.history), list(result.history[-1]["returns"])
        (2, ['default', 'weak', 'strong', 'mirrored'])
    """
    return train_together([(config, run_dir)], callbacks, initial, distributed=distributed)[0]


def train_together(
    runs: Sequence[tuple[Config, str | Path | None]],
    callbacks: Sequence[Callback] = (),
    initial: Genome | Result | None = None,
    *,
    distributed: bool = False,
) -> list[Result]:
    """Evolves genomes side by side in one program, which fills an accelerator better.

    Each run has its own folder and the numbers it has alone, but for the order of sums: it may
    begin together with others and go on alone, or the other way round. Their time is common, so
    that each has its share of the steps per second.

    Args:
        runs: configurations, each with its folder. They share a program, so that they may differ
            in seed, held-out variation, lengths, and in numbers of fields that are marked
            `hebbax.types.arguments.ARGUMENT`, such as schedules and initial scales.
        callbacks: called with the metrics of each generation of each run and a `Handle` on it.
        initial: what all begin with, as `train` has it.
        distributed: whether many processes share each run, as `train` has it.

    Returns:
        A result for each run, as `train` returns it.

    Raises:
        ValueError: as `train` does, or if the runs are no equals or too many for the memory.
        DivergedError: as `train` does, when the other runs are done.

    Examples:
        >>> import dataclasses
        >>> import hebbax
        >>> task, policy = hebbax.tasks.Point(), hebbax.Hebbian(hidden_sizes=())
        >>> strategy = hebbax.ScoreFunction(population_size=4)
        >>> config = hebbax.Config(task, policy, hebbax.Normal(), strategy, generations=2)
        >>> runs = [(dataclasses.replace(config, seed=seed), None) for seed in (0, 1)]
        >>> [len(result.history) for result in hebbax.evolution.train_together(runs)]
        [2, 2]
    """
    _check_arguments(runs, callbacks)
    configs = [config for config, _ in runs]
    with joining.together(checks.flag("distributed", distributed)), programs.shared():
        with processes.all_or_none():
            _check_together(configs)
            check(configs[0], len(configs))
        _agree(runs)
        mesh = devices.population_mesh(configs[0].strategy.population_size)
        with ExitStack() as files:
            with processes.first_before_others():
                opened = [
                    files.enter_context(closing(Run(config, run_dir, initial)))
                    for config, run_dir in runs
                ]
            _check_same_folders(opened)
            # The first process's alone, and closed before the folders are given up.
            callbacks = callbacks if processes.is_writer() else ()
            for callback in callbacks:
                if close := getattr(callback, "close", None):
                    files.callback(close)
            is_interrupted = False
            while not is_interrupted and (unfinished := [run for run in opened if run.goes_on]):
                is_interrupted = _evolve(unfinished, mesh, callbacks)
            if divergences := [run.divergence for run in opened if run.divergence]:
                raise DivergedError("; ".join(divergences))
    return [Result.of(run.config, run.state, run.history) for run in opened]


def _evolve(runs: Sequence[Run], mesh: Mesh, callbacks: Sequence[Callback]) -> bool:
    """Evolves runs until the first of them has all its generations or diverges.

    Returns:
        Whether it was interrupted before.
    """
    # So far everything is on disk, and signals do what they do by default.
    with processes.all_or_none():
        make_generations = _compile(runs, mesh)
    data = _stack([RunData.of(run.config) for run in runs], mesh)
    kept = _gathered([run.state for run in runs])
    states = devices.put_everywhere(kept, mesh)
    with interrupts.listen() as heard:
        try:
            while True:
                count = min(run.generations_to_next_stop for run in runs)
                numbers = [
                    (jnp.int32(len(run.history)), jnp.asarray(count, jnp.int32)) for run in runs
                ]
                indices, counts = _stack(numbers, mesh)
                started = time.perf_counter()
                with heard.at_once():
                    before, after, metrics = interrupts.in_thread(
                        make_generations, data, states, indices, counts
                    )
                    seconds = (time.perf_counter() - started) / count
                    metrics = jax.device_get(metrics)
                    here_before, here_after = devices.here((before, after))
                    logged = [
                        _to_log(run, _pick(metrics, i, len(runs)), count, seconds)
                        for i, run in enumerate(runs)
                    ]
                    for i, run in enumerate(runs):
                        if run.is_due(run.config.evaluate_every, count):
                            logged[i][-1]["scores"] = score_mode(
                                run.config, _pick(here_after, i, len(runs))
                            )
                # From here on nothing is heard until all runs have taken the generations down.
                is_last = (
                    any(run.generations_left == count for run in runs)
                    or heard.is_interrupted
                    or bool(metrics["non_finite_genome"].any())
                )
                for i, run in enumerate(runs):
                    if logged[i][-1]["non_finite_genome"]:
                        run.diverge(_pick(here_before, i, len(runs)), logged[i])
                        continue
                    is_checkpoint_due = is_last or run.is_due(run.config.checkpoint_every, count)
                    run.note(logged[i])
                    if is_checkpoint_due:
                        run.save(_pick(here_after, i, len(runs)))
                states, kept = after, here_after
                with heard.at_once():
                    _call_back(callbacks, runs, logged, here_before, kept)
                    is_interrupted = _agree_on_end(runs, heard.is_interrupted)
                if is_interrupted or not all(run.goes_on for run in runs):
                    break
            _save(runs, kept)
        except interrupts.Terminated:
            # From the host: the devices may be busy with the next generation for long.
            _save(runs, jax.device_get(kept))
            for run in runs:
                run.close()
            interrupts.say(f"terminated after generation {_lengths(runs)}")
            interrupts.end_as_heard()
        except processes.LostProcessError as error:
            kept = jax.device_get(kept)
            for i, run in enumerate(runs):
                run.rescue(_pick(kept, i, len(runs)))
            raise processes.LostProcessError(
                f"{error} after generation {_lengths(runs)}"
            ) from error
    return is_interrupted


def _call_back(
    callbacks: Sequence[Callback],
    runs: Sequence[Run],
    logged: Sequence[Sequence[Metrics]],
    before: PyTree,
    after: PyTree,
) -> None:
    """Tells callbacks of generations; other processes take no part in what they do."""
    with devices.spread(is_spread=False):
        for i, run in enumerate(runs):
            # A run that has diverged leaves the state before it did.
            state = before if run.divergence else after
            handle = Handle(run, functools.partial(_pick, state, i, len(runs)))
            for made in logged[i]:
                for callback in callbacks:
                    callback(made, handle)


def _agree_on_end(runs: Sequence[Run], is_interrupted: bool) -> bool:
    """Whether a process was interrupted. All learn which runs the first one's callbacks stopped."""
    flags = processes.gather([is_interrupted, *(run.is_stopped for run in runs)])
    for run, is_stopped in zip(runs, flags[0][1:], strict=True):
        run.is_stopped = is_stopped
    return any(is_interrupted for is_interrupted, *_ in flags)


def _compile(runs: Sequence[Run], mesh: Mesh) -> Callable[..., tuple[PyTree, PyTree, PyTree]]:
    """The program of a call: of data, states, indices and counts.

    Returns:
        A function that returns the states before the last generation and after it, and metrics
        with an axis of generations, behind that of the runs if there are several.
    """
    config, num_runs = runs[0].config, len(runs)
    if config.generations_per_call > 1:
        return compile_generations(config, mesh, num_runs)
    make_one = compile_generation(config, mesh, num_runs)

    def make(
        data: PyTree, states: PyTree, indices: PyTree, _: PyTree
    ) -> tuple[PyTree, PyTree, PyTree]:
        after, metrics = make_one(data, states, indices)
        axis = int(num_runs > 1)
        return states, after, jax.tree.map(lambda leaf: np.expand_dims(leaf, axis), metrics)

    return make


def _save(runs: Sequence[Run], states: PyTree) -> None:
    """Keeps the stacked states of runs."""
    for i, run in enumerate(runs):
        run.save(_pick(states, i, len(runs)))


def _stack(trees: Sequence[PyTree], mesh: Mesh) -> PyTree:
    """Puts runs along a leading axis, on every device."""
    return devices.put_everywhere(_gathered(trees), mesh)


def _gathered(trees: Sequence[PyTree]) -> PyTree:
    """Puts runs along a leading axis, a single one as it is.

    Alone it keeps its program and its numbers bit for bit.
    """
    if len(trees) == 1:
        return trees[0]
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


def _pick(tree: PyTree, i: int, num_runs: int) -> PyTree:
    """What `_gathered` put at an index."""
    return tree if num_runs == 1 else jax.tree.map(lambda leaf: leaf[i, ...], tree)


def _lengths(runs: Sequence[Run]) -> str:
    """How many generations runs have, in words."""
    return ", ".join(str(len(run.history)) for run in runs)


def _check_arguments(runs: Any, callbacks: Any) -> None:
    """Refuses arguments of other types."""
    for config, run_dir in runs:
        if not isinstance(config, Config):
            raise ValueError(f"config is {config!r}, but must be a Config")
        if run_dir is not None and not isinstance(run_dir, str | Path):
            raise ValueError(f"run_dir is {run_dir!r}, but must be a path or None")
    if not isinstance(callbacks, Sequence) or not all(map(callable, callbacks)):
        raise ValueError(
            f"callbacks is {callbacks!r}, but must be a list of functions of a generation's metrics"
        )


def _agree(runs: Sequence[tuple[Config, str | Path | None]]) -> None:
    """Refuses processes that would make other runs than the first one."""
    if not devices.are_spread():
        return
    processes.agree({"the number of runs": len(runs)})
    for config, run_dir in runs:
        has_folder = {"whether there is a run_dir": run_dir is not None}
        processes.agree(has_folder | by_path(config.to_dict()["config"]))
        population_size, num_devices = config.strategy.population_size, jax.device_count()
        if population_size < num_devices:
            raise ValueError(
                f"strategy.population_size is {population_size}, but the processes have "
                f"{num_devices} devices, of which some would have nobody; start fewer processes"
            )


def _check_same_folders(runs: Sequence[Run]) -> None:
    """Refuses processes that do not see the same folder as the first one."""
    for run in runs:
        if run.folder is not None and devices.are_spread():
            started = read_starts(run.folder)[-1]
            with processes.all_or_none():
                if processes.share(started) != started:
                    raise not_shared(run.folder)
            processes.agree({"generations in the newest checkpoint": len(run.history)})


def _check_together(configs: Sequence[Config]) -> None:
    """Refuses runs that cannot share a program."""
    if len({program_key(config) for config in configs}) > 1:
        raise ValueError(
            "runs have configurations that differ in more than seed, held_out, lengths and numbers "
            "of schedules, penalty, initial scales and an algorithm's parameters; runs that go "
            "together share a program, and may differ in these alone"
        )


def _to_log(run: Run, metrics: PyTree, count: int, seconds: float) -> list[Metrics]:
    """Makes plain numbers of the metrics of some generations, up to one that diverged."""
    logged: list[Metrics] = []
    for i in range(count):
        plain = jax.tree.map(lambda leaf, i=i: leaf[i].tolist(), metrics)
        plain["returns"] = dict(zip(run.config.training_names, plain["returns"], strict=True))
        logged.append(
            {
                "generation": len(run.history) + i,
                **plain,
                "seconds": seconds,
                "steps_per_second": plain["steps"] / seconds,
            }
        )
        if plain["non_finite_genome"]:
            break
    return logged
