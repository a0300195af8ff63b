"""Evolution of plastic neural networks in JAX: the front door."""

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"

if TYPE_CHECKING:
    from hebbax import (
        comparison,
        encodings,
        evolution,
        genomes,
        policies,
        presets,
        rules,
        strategies,
        tasks,
        testing,
        watching,
    )
    from hebbax.comparison.sweeps import sweep
    from hebbax.config import Config
    from hebbax.devices import use_cpu_cores
    from hebbax.encodings.direct import Direct
    from hebbax.evolution.check import check
    from hebbax.evolution.evaluation import evaluate
    from hebbax.evolution.result import Result
    from hebbax.evolution.result import load_result as load
    from hebbax.evolution.training import train
    from hebbax.genomes.normal import Normal
    from hebbax.genomes.shared import SharedRules
    from hebbax.policies.hebbian import Hebbian
    from hebbax.policies.static import Static
    from hebbax.rules.abcd import ABCD
    from hebbax.strategies.optimizers import Adam
    from hebbax.strategies.schedule import Schedule
    from hebbax.strategies.score_function import ScoreFunction
    from hebbax.tasks.car_racing import CarRacing
    from hebbax.tasks.gymnax import make_gymnax
    from hebbax.tasks.quadruped import Quadruped

# Names are loaded when they are first asked for, so that `import hebbax` stays cheap: physics,
# checkpoints and plots come with their users.
_HOMES = {
    "ABCD": "hebbax.rules.abcd",
    "Adam": "hebbax.strategies.optimizers",
    "CarRacing": "hebbax.tasks.car_racing",
    "Config": "hebbax.config",
    "Direct": "hebbax.encodings.direct",
    "Hebbian": "hebbax.policies.hebbian",
    "Normal": "hebbax.genomes.normal",
    "Quadruped": "hebbax.tasks.quadruped",
    "Result": "hebbax.evolution.result",
    "Schedule": "hebbax.strategies.schedule",
    "ScoreFunction": "hebbax.strategies.score_function",
    "SharedRules": "hebbax.genomes.shared",
    "Static": "hebbax.policies.static",
    "check": "hebbax.evolution.check",
    "evaluate": "hebbax.evolution.evaluation",
    "load": "hebbax.evolution.result",
    "make_gymnax": "hebbax.tasks.gymnax",
    "sweep": "hebbax.comparison.sweeps",
    "train": "hebbax.evolution.training",
    "use_cpu_cores": "hebbax.devices",
}
_THERE = {"load": "load_result"}  # Names that are others at home.

# Rooms that are namespaces for users: `hebbax.policies.LSTM`.
_NAMESPACES = (
    "comparison",
    "encodings",
    "evolution",
    "genomes",
    "policies",
    "presets",
    "rules",
    "strategies",
    "tasks",
    "testing",
    "watching",
)

__all__ = [
    "ABCD",
    "Adam",
    "CarRacing",
    "Config",
    "Direct",
    "Hebbian",
    "Normal",
    "Quadruped",
    "Result",
    "Schedule",
    "ScoreFunction",
    "SharedRules",
    "Static",
    "__version__",
    "check",
    "comparison",
    "encodings",
    "evaluate",
    "evolution",
    "genomes",
    "load",
    "make_gymnax",
    "policies",
    "presets",
    "rules",
    "strategies",
    "sweep",
    "tasks",
    "testing",
    "train",
    "use_cpu_cores",
    "watching",
]


def __getattr__(name: str) -> Any:
    """Loads a public name from its home."""
    if name in _NAMESPACES:
        return importlib.import_module(f"hebbax.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'hebbax' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), _THERE.get(name, name))


def __dir__() -> list[str]:
    """The public names, loaded or not."""
    return __all__
