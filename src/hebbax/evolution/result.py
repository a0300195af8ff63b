"""What a training leaves behind."""

import dataclasses
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Self, final

import jax.numpy as jnp

from hebbax.config import Config
from hebbax.evolution.checkpoint import Checkpoints
from hebbax.evolution.generation import TrainingState, initial_state
from hebbax.evolution.run_dir import read_metrics
from hebbax.files import local_path
from hebbax.genomes.base import Genome
from hebbax.types import Wiring

Metrics = dict[str, Any]


@final
@dataclasses.dataclass(frozen=True)
class Result:
    """What a training leaves behind.

    config: its configuration.
    genome: the genome after the last generation.
    best_genome: the genome whose population had the highest mean fitness, as
        `generation.is_fit_to_be_best` admits it; the first while there is none.
    best_generation: the generation in which it had it, counted from 0; None while there is none.
    wiring: what the encoding drew when the run began; `evolution.observations.Senses` where
        observations are normalised.
    history: the metrics of every generation.
    state: all that the next generation needs; None in a result that no training made.
    """

    config: Config
    genome: Genome
    best_genome: Genome
    best_generation: int | None
    wiring: Wiring
    history: list[Metrics]
    state: TrainingState | None = None

    @classmethod
    def of(cls, config: Config, state: TrainingState, history: list[Metrics]) -> Self:
        """What a state tells."""
        best_generation = int(state.best_generation) if jnp.isfinite(state.best_fitness) else None
        return cls(
            config,
            state.search.genome,
            state.best_genome,
            best_generation,
            state.wiring,
            history,
            state,
        )


def load_result(run_dir: str | Path, trust: Sequence[str] = ()) -> Result:
    """Reads the newest checkpoint of a run, also while the run goes on.

    Args:
        run_dir: the folder of the run.
        trust: modules, or files that end in `.py`, whose classes the run may be of; see
            `Config.from_dict`.

    Raises:
        ValueError: if the folder holds no run, or one without a readable checkpoint.

    Examples:
        >>> import hebbax
        >>> task, policy = hebbax.tasks.Point(), hebbax.Hebbian(hidden_sizes=())
        >>> strategy = hebbax.ScoreFunction(population_size=4)
        >>> config = hebbax.Config(task, policy, hebbax.Normal(), strategy, generations=2)
        >>> result = hebbax.train(config, "runs/point")
        >>> found = hebbax.load("runs/point")
        >>> len(found.history), found.config == config
        (2, True)
    """
    folder = local_path(run_dir, "run_dir")
    config = Config.load(folder, trust)
    with closing(Checkpoints(folder / "checkpoints", is_read_only=True)) as checkpoints:
        found = checkpoints.restore_newest(initial_state(config))
    if found is None:
        raise ValueError(f"{run_dir} has no checkpoint yet")
    num_generations, state = found
    return Result.of(config, state, read_metrics(folder, num_generations))
