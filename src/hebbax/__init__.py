"""Evolution of plastic neural networks in JAX: the front door."""

import pkgutil
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
    from hebbax.comparison import sweep, tune
    from hebbax.config import Config
    from hebbax.devices import use_cpu_cores
    from hebbax.encodings import Direct
    from hebbax.evolution import Result, evaluate, loggers, train
    from hebbax.evolution import load_result as load
    from hebbax.evolution.check import check
    from hebbax.evolution.vector_env import VectorEnv
    from hebbax.genomes import Normal, SharedRules
    from hebbax.policies import Hebbian, Static
    from hebbax.rules import ABCD
    from hebbax.strategies import Adam, Schedule, ScoreFunction
    from hebbax.tasks import CarRacing, Quadruped
    from hebbax.tasks.gymnax import make_gymnax

# Names are loaded when they are first asked for, so that `import hebbax` stays cheap: physics,
# checkpoints and plots come with their users. What is at the end are namespaces for users:
# `hebbax.policies.LSTM`.
_HOMES = {
    "ABCD": "rules:ABCD",
    "Adam": "strategies:Adam",
    "CarRacing": "tasks:CarRacing",
    "Config": "config:Config",
    "Direct": "encodings:Direct",
    "Hebbian": "policies:Hebbian",
    "Normal": "genomes:Normal",
    "Quadruped": "tasks:Quadruped",
    "Result": "evolution:Result",
    "Schedule": "strategies:Schedule",
    "ScoreFunction": "strategies:ScoreFunction",
    "SharedRules": "genomes:SharedRules",
    "Static": "policies:Static",
    "VectorEnv": "evolution.vector_env:VectorEnv",
    "check": "evolution.check:check",
    "evaluate": "evolution:evaluate",
    "load": "evolution:load_result",
    "make_gymnax": "tasks.gymnax:make_gymnax",
    "sweep": "comparison:sweep",
    "train": "evolution:train",
    "tune": "comparison:tune",
    "use_cpu_cores": "devices:use_cpu_cores",
    "comparison": "comparison:",
    "encodings": "encodings:",
    "evolution": "evolution:",
    "genomes": "genomes:",
    "loggers": "evolution.loggers:",
    "policies": "policies:",
    "presets": "presets:",
    "rules": "rules:",
    "strategies": "strategies:",
    "tasks": "tasks:",
    "testing": "testing:",
    "watching": "watching:",
}

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
    "VectorEnv",
    "__version__",
    "check",
    "comparison",
    "encodings",
    "evaluate",
    "evolution",
    "genomes",
    "load",
    "loggers",
    "make_gymnax",
    "policies",
    "presets",
    "rules",
    "strategies",
    "sweep",
    "tasks",
    "testing",
    "train",
    "tune",
    "use_cpu_cores",
    "watching",
]


def __getattr__(name: str) -> Any:
    """Loads a public name from its home."""
    if name not in _HOMES:
        raise AttributeError(f"module 'hebbax' has no attribute {name!r}")
    return pkgutil.resolve_name(f"hebbax.{_HOMES[name]}")


def __dir__() -> list[str]:
    """The public names, loaded or not."""
    return __all__
