"""Runs that take seconds, and what tests ask of their folders."""

import dataclasses
import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

import jax
import jax.numpy as jnp
import numpy as np
import optax

import hebbax
from hebbax.strategies.optimizers import Sgd
from small_task import Cart

DIVERGING = (2, 3)  # Seeds of which `exploding(0.0)` lets the first diverge and the second not.
# All that may differ between two runs of a configuration: time, and what fits a device.
WALL_CLOCK = ("seconds", "steps_per_second", "chunk_size")


def small_config(**changes: Any) -> hebbax.Config:
    """Plastic carts, eight in a generation; momentum, so that a lost optimiser state is seen."""
    config = hebbax.Config(
        task=Cart(),
        policy=hebbax.Hebbian(hidden_sizes=(3,)),
        genome=hebbax.Normal(init_scale=0.1),
        strategy=hebbax.ScoreFunction(
            population_size=8, optimizer=Sgd(hebbax.Schedule(0.05), momentum=0.9)
        ),
        generations=4,
        held_out="heavy",
        checkpoint_every=2,
    )
    return dataclasses.replace(config, **changes)


@dataclasses.dataclass(frozen=True)
class Exploding:
    """Plain steps.

    One of infinite length in the fourth generation, where the sum of the downhill direction's first
    leaf is below a bound.
    """

    bound: float = math.inf

    def build(self) -> optax.GradientTransformation:
        def explode(updates: Any, count: Any) -> tuple[Any, Any]:
            is_hit = (count == 3) & (jnp.sum(jax.tree.leaves(updates)[0]) < self.bound)
            return jax.tree.map(
                lambda leaf: jnp.where(is_hit, jnp.inf, -0.05 * leaf), updates
            ), count + 1

        return optax.GradientTransformation(
            lambda _: jnp.zeros((), jnp.int32), lambda updates, count, _: explode(updates, count)
        )


def exploding(bound: float = math.inf, **changes: Any) -> hebbax.Config:
    return small_config(
        strategy=hebbax.ScoreFunction(population_size=8, optimizer=Exploding(bound)), **changes
    )


def without_clock(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The metrics of a run that a second run must repeat bit for bit."""
    return [
        {name: value for name, value in metrics.items() if name not in WALL_CLOCK}
        for metrics in history
    ]


def is_equal(first: Any, second: Any) -> bool:
    """Whether two trees are equal bit for bit."""
    pairs = zip(jax.tree.leaves(first), jax.tree.leaves(second), strict=True)
    return jax.tree.structure(first) == jax.tree.structure(second) and all(
        np.array_equal(one, other) for one, other in pairs
    )


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder, to see whether something was written."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def newest_checkpoint(folder: Path) -> int:
    """The generations behind a run's newest complete checkpoint, by the names in its folder.

    0 where there is none.
    """
    return max(
        (int(path.name) for path in (folder / "checkpoints").glob("*") if path.name.isdigit()),
        default=0,
    )


def read_strictly(text: str) -> Any:
    """Reads what the standard of JSON allows, and no more."""

    def refuse(constant: str) -> NoReturn:
        raise ValueError(f"{constant} is no JSON")

    return json.loads(text, parse_constant=refuse)


def start_python(script: str, *arguments: Any) -> subprocess.Popen[str]:
    """Starts a script in a process of its own, which finds the tests' modules.

    It keeps its compiled programs for the next.

    It hears Ctrl-C even where the tests do not: what a shell starts in the background ignores
    SIGINT, and so would its children.
    """
    hears = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {
        "PYTHONPATH": path,
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }
    command = [sys.executable, "-c", hears + script, *map(str, arguments)]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
