"""How a run evolves: episodes, rollouts, generations, training, evaluation."""

from typing import TYPE_CHECKING

from hebbax.types.namespaces import lazily

if TYPE_CHECKING:
    from hebbax.evolution.check import check
    from hebbax.evolution.episode import EpisodeState, Setup, Trajectory, rollout_trajectory
    from hebbax.evolution.evaluation import Score, evaluate
    from hebbax.evolution.exporting import export
    from hebbax.evolution.interrupts import TimeLimitError, time_limit
    from hebbax.evolution.joining import join_processes
    from hebbax.evolution.keys import random_keys
    from hebbax.evolution.result import Metrics, Result, load_result
    from hebbax.evolution.rollout import Outcome, rollout_population, stack
    from hebbax.evolution.run import Handle
    from hebbax.evolution.sizes import GenomeBits, measure_bits
    from hebbax.evolution.training import DivergedError, train, train_together

__all__ = [
    "DivergedError",
    "EpisodeState",
    "GenomeBits",
    "Handle",
    "Metrics",
    "Outcome",
    "Result",
    "Score",
    "Setup",
    "TimeLimitError",
    "Trajectory",
    "check",
    "evaluate",
    "export",
    "join_processes",
    "load_result",
    "measure_bits",
    "random_keys",
    "rollout_population",
    "rollout_trajectory",
    "stack",
    "time_limit",
    "train",
    "train_together",
]

__getattr__ = lazily(
    __name__,
    {
        "DivergedError": "training",
        "EpisodeState": "episode",
        "GenomeBits": "sizes",
        "Handle": "run",
        "Metrics": "result",
        "Outcome": "rollout",
        "Result": "result",
        "Score": "evaluation",
        "Setup": "episode",
        "TimeLimitError": "interrupts",
        "Trajectory": "episode",
        "check": "check",
        "evaluate": "evaluation",
        "export": "exporting",
        "join_processes": "joining",
        "load_result": "result",
        "measure_bits": "sizes",
        "random_keys": "keys",
        "rollout_population": "rollout",
        "rollout_trajectory": "episode",
        "stack": "rollout",
        "time_limit": "interrupts",
        "train": "training",
        "train_together": "training",
    },
)
