"""How a genome evolves: strategies, optimisers and schedules."""

import importlib
from typing import TYPE_CHECKING, Any

from hebbax.strategies.base import Strategy
from hebbax.strategies.optimizers import Adam, EvenSteps, Natural, Optimizer, PerPart, Sgd
from hebbax.strategies.schedule import Schedule
from hebbax.strategies.score_function import ScoreFunction

if TYPE_CHECKING:
    from hebbax.strategies.evosax import Evosax

__all__ = [
    "Adam",
    "EvenSteps",
    "Evosax",
    "Natural",
    "Optimizer",
    "PerPart",
    "Schedule",
    "ScoreFunction",
    "Sgd",
    "Strategy",
]


def __getattr__(name: str) -> Any:
    """Loads what stands on a large library when it is first asked for."""
    if name != "Evosax":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return importlib.import_module("hebbax.strategies.evosax").Evosax
