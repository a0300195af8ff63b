"""Signals that end a training: what they leave behind, and how soon."""

import dataclasses
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import hebbax
from hebbax.evolution import TimeLimitError, interrupts, time_limit
from hebbax.evolution.checkpoint import Checkpoints
from hebbax.evolution.interrupts import is_time_over
from hebbax.evolution.result import load_result
from hebbax.evolution.run_dir import read_metrics
from hebbax.evolution.training import train_together
from small_run import contents, newest_checkpoint, small_config, start_python, without_clock

LIMIT = 120  # s, for one process; it takes a few.
RARELY = 100_000  # Generations between two checkpoints: those that a test finds are a signal's.

COMMAND_LINE = """
import hashlib, sys, types
import jax
import jax.numpy as jnp
from small_run import small_config
import small_task
from hebbax.cli import main

class Endless(small_task.Cart):
    def reset(self, key, variation):
        jax.debug.callback(lambda: print("born", flush=True))
        return super().reset(key, variation)

    # The track has no end, and nobody lives to see the last step.
    def step(self, state, action, variation):
        state, observation, reward, _ = super().step(state, action, variation)
        # Not reward * 0: weights that grow for seconds end in no number.
        return state, observation, jnp.zeros_like(reward), state.step < 0

def small():
    return small_config(generations=100_000, checkpoint_every=100_000)

def endless():
    return small_config(task=Endless(max_steps=2_000_000_000))

def uncompiled():
    def compile(self):
        print("compiling", flush=True)
        hashlib.pbkdf2_hmac("sha256", b"", b"", 2_000_000_000)  # Deaf, as the compiler is.

    jax.stages.Lowered.compile = compile
    return small()

small_task.Endless, Endless.__module__ = Endless, "small_task"
presets = types.ModuleType("hebbax.presets")
presets.PRESETS = {"small": small, "endless": endless, "uncompiled": uncompiled}
sys.modules["hebbax.presets"] = presets
main(sys.argv[1:])
"""

# Runs side by side whose fourth generation has no end.
STUCK = """
import sys
import hebbax
hebbax.use_cpu_cores(2)
import jax
from hebbax.evolution import training
from small_run import small_config

compile_generation = training.compile_generation

def compile_stuck_generation(config, mesh, num_runs):
    run_generation = compile_generation(config, mesh, num_runs)

    @jax.jit
    def get_stuck(numbers):
        jax.debug.callback(lambda: print("stuck", flush=True))
        return jax.lax.while_loop(lambda n: n >= 0, lambda n: n // 2, numbers.max())

    def run(data, states, indices):
        if indices.max() < 3:
            return run_generation(data, states, indices)
        return get_stuck(indices), None

    return run

training.compile_generation = compile_stuck_generation
seeds = range(len(sys.argv) - 1)
configs = [small_config(generations=6, checkpoint_every=100_000, seed=seed) for seed in seeds]
training.train_together(list(zip(configs, sys.argv[1:], strict=True)))
"""

EVALUATE = """
import os
import hebbax
hebbax.use_cpu_cores(2)
import jax
from hebbax.evolution import evaluation
from small_run import small_config

def forever(keys, genotypes, wiring, variations):
    jax.debug.callback(lambda: print("born", flush=True))
    return jax.lax.while_loop(lambda number: number >= 0, lambda number: number // 2, keys.shape[0])

evaluation._compile = lambda *arguments, is_shared: jax.jit(forever)
result = hebbax.train(small_config(generations=1))
try:
    hebbax.evaluate(result, 2)
except KeyboardInterrupt:
    os._exit(3)
"""


class Ended(BaseException):
    """Instead of the end of the process."""


@pytest.fixture
def signals(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Signals do what they do by default, but end no process.

    Whatever they do where the tests were started.
    """

    def end() -> None:
        raise Ended

    monkeypatch.setattr(interrupts, "end_as_heard", end)
    defaults = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
    before = {number: signal.signal(number, handler) for number, handler in defaults.items()}
    yield
    after = {number: signal.signal(number, handler) for number, handler in before.items()}
    assert after == defaults, "the training should have left the handlers as they were"


def wait_for(stream: Any, words: str) -> str:
    """Reads lines until one begins with some words."""
    while (line := stream.readline()) and not line.startswith(words):
        pass
    assert line, f"it ended before it said {words!r}"
    return line


def end_of(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Exit code of a process that shall end within ten seconds, and what it said on stderr."""
    try:
        _, said = process.communicate(timeout=10)
    finally:
        process.kill()  # It may live for ever, and disturb whatever comes next.
        process.communicate()
    assert "Traceback" not in said
    return process.returncode, said


def test_first_interrupt_ends_after_the_generation(tmp_path: Path):
    """Ctrl-C ends the command with exit code 130 and a checkpoint to go on from.

    Mutation: no checkpoint at the interrupt leaves none at all, since the next one is due in
    generation 100,000.
    """
    process = start_python(COMMAND_LINE, "train", "small", "--run-dir", tmp_path)
    assert process.stderr
    said = process.stderr.readline()
    assert said.startswith("generation 1/100000: fitness"), said
    process.send_signal(signal.SIGINT)
    _, rest = process.communicate(timeout=LIMIT)
    assert process.returncode == 130, rest
    done = newest_checkpoint(tmp_path)
    assert f"interrupted after generation {done}; the same command resumes {tmp_path}" in rest
    assert "Traceback" not in rest
    assert done == len(read_metrics(tmp_path)) > 0

    longer = small_config(generations=done + 2, checkpoint_every=RARELY)
    assert without_clock(hebbax.train(longer, tmp_path).history) == without_clock(
        hebbax.train(longer).history
    )


def test_second_interrupt_ends_at_once(tmp_path: Path):
    """In an endless generation the first Ctrl-C is patient, and the second is not.

    What was on disk stays.

    Mutation: waiting for the generation in the main thread hears neither.
    """
    process = start_python(COMMAND_LINE, "train", "endless", "--run-dir", tmp_path)
    try:
        # Not before it lives: two interrupts that wait together are one.
        wait_for(process.stdout, "born")
        process.send_signal(signal.SIGINT)
        said = process.stderr.readline()
        assert (
            said == "interrupted: the training ends after this generation; "
            "interrupt it again to end it at once\n"
        )
        assert process.poll() is None
        before = contents(tmp_path)
        process.send_signal(signal.SIGINT)
    finally:
        code, rest = end_of(process)
    assert code == 130
    assert rest == "interrupted\n"
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM)]
)
def test_compiler_does_not_delay_the_end(tmp_path: Path, number: signal.Signals, code: int):
    """While the program is compiled nothing can be lost, and the first signal ends the command.

    Mutation: compiling in the main thread hears no Ctrl-C.
    """
    process = start_python(COMMAND_LINE, "train", "uncompiled", "--run-dir", tmp_path)
    try:
        wait_for(process.stdout, "compiling")
        process.send_signal(number)
    finally:
        ended_with, _ = end_of(process)
    assert ended_with == code
    assert newest_checkpoint(tmp_path) == 0


@pytest.mark.parametrize("num_runs", [1, 2])
def test_termination_keeps_the_last_whole_generation(tmp_path: Path, num_runs: int):
    """SIGTERM in a generation that never ends.

    All whole ones are on disk within 5 s, the process is gone within 10, and the runs go on with
    the same numbers.

    Mutations: SIGTERM's own handler leaves no checkpoint; with `sys.exit` for an end the process
    waits for its devices.
    """
    folders = [tmp_path / str(number) for number in range(num_runs)]
    process = start_python(STUCK, *folders)
    try:
        wait_for(process.stdout, "stuck")
        sent = time.monotonic()
        process.send_signal(signal.SIGTERM)
        while (
            not all(newest_checkpoint(folder) for folder in folders)
            and time.monotonic() < sent + 10
        ):
            time.sleep(0.01)
        took = time.monotonic() - sent
    finally:
        code, said = end_of(process)
    assert took < 5
    assert code == -signal.SIGTERM
    assert said == f"terminated after generation {', '.join(['3'] * num_runs)}\n"
    assert [newest_checkpoint(folder) for folder in folders] == [3] * num_runs

    configs = [
        small_config(generations=6, checkpoint_every=RARELY, seed=seed) for seed in range(num_runs)
    ]
    resumed = train_together(list(zip(configs, folders, strict=True)))
    undisturbed = train_together([(config, None) for config in configs])
    for one, other in zip(resumed, undisturbed, strict=True):
        assert without_clock(one.history) == without_clock(other.history)


def test_evaluation_can_be_interrupted():
    """Ctrl-C is heard while episodes are lived for a score.

    Mutation: calling the program in the main thread hears nothing.
    """
    process = start_python(EVALUATE)
    try:
        wait_for(process.stdout, "born")
        process.send_signal(signal.SIGINT)
    finally:
        code, _ = end_of(process)
    assert code == 3


@pytest.mark.usefixtures("signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("place", ["callback", "checkpoint"])
def test_signal_waits_for_no_other_generation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, place: str
):
    """A signal within a callback or a checkpoint ends the training, and damages nothing.

    Mutations: raising at once everywhere leaves a checkpoint half written; never asking after the
    callbacks trains for one more generation.
    """
    save = Checkpoints.save

    def interrupted_save(checkpoints: Checkpoints, generation: int, state: Any) -> None:
        if place == "checkpoint" and generation == 2:
            signal.raise_signal(number)
        save(checkpoints, generation, state)

    def callback(metrics: dict[str, Any], handle: Any) -> None:
        if place == "callback" and metrics["generation"] == 1:
            signal.raise_signal(number)

    monkeypatch.setattr(Checkpoints, "save", interrupted_save)
    every = 2 if place == "checkpoint" else RARELY
    config = small_config(generations=6, checkpoint_every=every)
    if number == signal.SIGINT:
        assert len(hebbax.train(config, tmp_path, callbacks=[callback]).history) == 2
    else:
        with pytest.raises(Ended):
            hebbax.train(config, tmp_path, callbacks=[callback])
    assert newest_checkpoint(tmp_path) == 2
    assert len(load_result(tmp_path).history) == 2


@pytest.mark.usefixtures("signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_other_handlers_stay_in_force(number: signal.Signals):
    """A signal that is ignored stays ignored, and a handler of the caller's is called.

    A shell ignores SIGINT for what it starts in the background.

    Mutation: taking over whatever handler is there fails here.
    """
    heard = []

    def mine(number: int, frame: Any) -> None:
        heard.append(number)

    for handler in (signal.SIG_IGN, mine):
        before = signal.signal(number, handler)
        result = hebbax.train(
            small_config(generations=2), callbacks=[lambda *_: signal.raise_signal(number)]
        )
        assert signal.signal(number, before) is handler
        assert len(result.history) == 2
    assert heard == [number, number]


def test_time_limit_ends_after_a_generation(tmp_path: Path):
    """With a checkpoint of it; the next call goes on to the numbers of one run.

    Mutations: a limit that is heard in the middle; no checkpoint; a limit that stays.
    """
    config = small_config(generations=10**6, checkpoint_every=10**6)
    with time_limit(minutes=1e-4):
        short = hebbax.train(config, tmp_path)
    done = len(short.history)
    assert 1 <= done < 10**6
    assert newest_checkpoint(tmp_path) == done
    longer = dataclasses.replace(config, generations=done + 2)
    resumed = hebbax.train(longer, tmp_path)
    assert without_clock(resumed.history) == without_clock(hebbax.train(longer).history)


def test_time_limit_ends_a_sweep(tmp_path: Path):
    """In the middle of a run, or between two; the same call goes on."""
    methods = {"plastic": small_config(generations=10**6)}
    with time_limit(minutes=0.05), pytest.raises(TimeLimitError, match="plastic, heavy held out"):
        hebbax.sweep(methods, tmp_path / "a", ["heavy"], 2, 2)
    short = {"plastic": small_config(generations=2)}

    with time_limit(minutes=1e-4):
        while not is_time_over():
            time.sleep(0.001)
        with pytest.raises(TimeLimitError, match="1 of 1 trainings have not begun"):
            hebbax.sweep(short, tmp_path / "b", ["heavy"], 1, 2)
    assert len(hebbax.sweep(short, tmp_path / "b", ["heavy"], 1, 2)) == 1


@pytest.mark.parametrize("minutes", [0.0, -1.0, float("nan")])
def test_time_limits_that_are_none_are_refused(minutes: float):
    with pytest.raises(ValueError, match=r"time_limit is .*, but must be"), time_limit(minutes):
        pass
