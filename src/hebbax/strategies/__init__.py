"""How a genome evolves: strategies, optimisers and schedules."""

from typing import TYPE_CHECKING

from hebbax.strategies.base import Strategy
from hebbax.strategies.optimizers import Adam, EvenSteps, Natural, Optimizer, PerPart, Sgd
from hebbax.strategies.schedule import Schedule
from hebbax.strategies.score_function import ScoreFunction
from hebbax.types.namespaces import lazily

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

# It stands on a large library.
__getattr__ = lazily(__name__, {"Evosax": "evosax"})
