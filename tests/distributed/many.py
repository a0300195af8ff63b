"""Processes that work as one, started and ended by a test."""

import contextlib
import dataclasses
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import hebbax
from hebbax import encodings, genomes, policies, strategies
from hebbax.presets import PRESETS
from hebbax.strategies.optimizers import Sgd
from small_run import small_config

HERE = Path(__file__).parent
PATIENCE = 40.0  # s, in which whatever a test waits for must have come.
DRAWN = hebbax.ScoreFunction(population_size=8, is_mirrored=False)
WORLDS = {"quadruped": "quadruped-demo", "racer": "car-demo"}
PARTS = (("rules", encodings.Tied(num_rules=2)), ("weights", encodings.Direct()))


def configurations() -> dict[str, hebbax.Config]:
    """A small configuration of every genome, encoding and strategy."""
    joint = genomes.Joint((("rules", hebbax.Normal(0.1)), ("weights", hebbax.Normal(0.1))))
    noise = encodings.Tied(num_rules=2)
    changes: dict[str, dict[str, Any]] = {
        "plastic": {},
        "static": {"policy": hebbax.Static(hidden_sizes=(3,))},
        "lstm": {"policy": policies.LSTM(hidden_sizes=(3, 3))},
        "shared": {"genome": hebbax.SharedRules(num_rules=2, init_scale=0.1), "strategy": DRAWN},
        "fixed": {"genome": genomes.FixedRules(num_rules=2, init_scale=0.1)},
        "shared noise": {"genome": genomes.SharedNoise(noise, init_scale=0.1)},
        "joint": {
            "genome": joint,
            "policy": hebbax.Hebbian(hidden_sizes=(3,), has_evolved_weights=True),
        },
        "tied": {"encoding": encodings.Tied(num_rules=2)},
        "per neuron": {"encoding": encodings.PerNeuron()},
        "low rank": {"encoding": encodings.LowRank()},
        "parts": {"encoding": encodings.Parts(PARTS)},
        "normalised": {"normalize_observations": True},
        "snes": {"strategy": strategies.Evosax("SNES", 8, (("std_init", 0.1),))},
    }
    return {name: small_config(**change) for name, change in changes.items()} | {
        name: few_steps(PRESETS[preset]()) for name, preset in WORLDS.items()
    }


def few_steps(config: hebbax.Config) -> hebbax.Config:
    """A preset's configuration, made small.

    Plain steps: Adam's first ones are as long where a gradient is rounding alone.
    """
    parts: Any = config
    return dataclasses.replace(
        config,
        task=dataclasses.replace(parts.task, episode_steps=6),
        strategy=dataclasses.replace(parts.strategy, population_size=4, optimizer=Sgd()),
        generations=1,
    )


def free_port() -> int:
    """A port of this machine that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


class Many:
    """Some processes of `program.py`, and what they say.

    logs: of each, what it has printed.
    """

    def __init__(self, count: int, options: Any, *, wrap: Sequence[Sequence[str]] = ()) -> None:
        """Starts them.

        Args:
            count: how many.
            options: of the program; one dictionary for all, or one for each.
            wrap: of each, what its command begins with.
        """
        path = os.pathsep.join([str(HERE.parent), str(HERE), os.environ.get("PYTHONPATH", "")])
        environment = os.environ | {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}
        environment["PYTHONFAULTHANDLER"] = "1"
        self._folder = tempfile.TemporaryDirectory(prefix="hebbax-many-")
        self.logs = [Path(self._folder.name) / str(i) for i in range(count)]
        each = options if isinstance(options, list) else [options] * count
        self.processes = []
        for i, (log, told) in enumerate(zip(self.logs, each, strict=True)):
            plain = json.dumps({"processes": count, "process": i} | told)
            command = [sys.executable, str(HERE / "program.py"), plain]
            with log.open("w") as stream:
                self.processes.append(
                    subprocess.Popen(
                        [*(wrap[i] if wrap else ()), *command],
                        env=environment,
                        stdout=stream,
                        stderr=subprocess.STDOUT,
                        start_new_session=True,
                    )
                )

    def wait(self, seconds: float = PATIENCE) -> list[int]:
        """Waits for all; returns their exit codes."""
        deadline = time.monotonic() + seconds
        try:
            return [each.wait(max(0.1, deadline - time.monotonic())) for each in self.processes]
        except subprocess.TimeoutExpired:
            left = [i for i, each in enumerate(self.processes) if each.poll() is None]
            self.kill(*left, kind=signal.SIGSEGV)  # Each says where it was.
            time.sleep(1)
            said = "\n".join(map(self.said, left))
            raise AssertionError(f"processes {left} are still there:\n{said}") from None

    def wait_for(self, words: str, process: int = 0) -> None:
        """Waits until one has said something."""
        deadline = time.monotonic() + PATIENCE
        while words not in self.said(process):
            code = self.processes[process].poll()
            if code is not None or time.monotonic() > deadline:
                raise AssertionError(f"exit code {code}: {self.said(process)}")
            time.sleep(0.05)

    def kill(self, *indices: int, kind: signal.Signals = signal.SIGKILL) -> None:
        """Sends some a signal."""
        for index in indices:
            os.killpg(self.processes[index].pid, kind)

    def said(self, process: int) -> str:
        """What one has said."""
        return self.logs[process].read_text()

    def close(self) -> None:
        """Ends all that are left."""
        for each in self.processes:
            if each.poll() is None:
                os.killpg(each.pid, signal.SIGKILL)
                each.wait()
        self._folder.cleanup()


@contextlib.contextmanager
def many(count: int, options: Any, **how: Any) -> Iterator[Many]:
    """Processes that are gone afterwards."""
    started = Many(count, options, **how)
    try:
        yield started
    finally:
        started.close()


def numbers(result: hebbax.evolution.Result, scores: Any = ()) -> dict[str, Any]:
    """What two trainings must have in common."""
    import jax
    import numpy as np

    leaves = [leaf for leaf in jax.tree.leaves(result.genome) if np.size(leaf)]
    return {
        "fitness": [metrics["fitness_mean"] for metrics in result.history],
        "returns": [list(metrics["returns"].values()) for metrics in result.history],
        "genome": [np.asarray(leaf, np.float64).ravel().tolist() for leaf in leaves],
        "scores": [score.mean for score in scores],
    }


def changed(config: hebbax.Config, changes: dict[str, Any]) -> hebbax.Config:
    """A configuration with other values of fields."""
    return dataclasses.replace(config, **changes)
