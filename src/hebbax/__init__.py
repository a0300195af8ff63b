"""Evolution of plastic neural networks in JAX: the front door."""

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"

if TYPE_CHECKING:
    from hebbax import genomes, policies, presets, strategies, tasks, testing
    from hebbax.comparison import results
    from hebbax.comparison.sweeps import sweep
    from hebbax.config import Config
    from hebbax.devices import use_cpu_cores
    from hebbax.evolution.evaluation import evaluate
    from hebbax.evolution.training import train
    from hebbax.genomes.normal import Normal
    from hebbax.genomes.shared import SharedRules
    from hebbax.policies.hebbian import Hebbian
    from hebbax.policies.static import Static
    from hebbax.strategies.optimizers import Adam
    from hebbax.strategies.schedule import Schedule
    from hebbax.strategies.score_function import ScoreFunction
    from hebbax.tasks.car_racing import CarRacing
    from hebbax.tasks.gymnax import make_gymnax
    from hebbax.tasks.quadruped import Quadruped

# Names are loaded when they are first asked for, so that `import hebbax` stays cheap: physics,
# checkpoints and plots come with their users.
_HOMES = {
    "Adam": "hebbax.strategies.optimizers",
    "CarRacing": "hebbax.tasks.car_racing",
    "Config": "hebbax.config",
    "Hebbian": "hebbax.policies.hebbian",
    "Normal": "hebbax.genomes.normal",
    "Quadruped": "hebbax.tasks.quadruped",
    "Schedule": "hebbax.strategies.schedule",
    "ScoreFunction": "hebbax.strategies.score_function",
    "SharedRules": "hebbax.genomes.shared",
    "Static": "hebbax.policies.static",
    "evaluate": "hebbax.evolution.evaluation",
    "make_gymnax": "hebbax.tasks.gymnax",
    "sweep": "hebbax.comparison.sweeps",
    "train": "hebbax.evolution.training",
    "use_cpu_cores": "hebbax.devices",
}

# Rooms that are namespaces for users: `hebbax.policies.LSTM`.
_NAMESPACES = ("genomes", "policies", "presets", "results", "strategies", "tasks", "testing")

__all__ = [
    "Adam",
    "CarRacing",
    "Config",
    "Hebbian",
    "Normal",
    "Quadruped",
    "Schedule",
    "ScoreFunction",
    "SharedRules",
    "Static",
    "__version__",
    "evaluate",
    "genomes",
    "make_gymnax",
    "policies",
    "presets",
    "results",
    "strategies",
    "sweep",
    "tasks",
    "testing",
    "train",
    "use_cpu_cores",
]


def __getattr__(name: str) -> Any:
    """Loads a public name from its home."""
    if name in _NAMESPACES:
        return importlib.import_module(f"hebbax.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'hebbax' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """The public names, loaded or not."""
    return __all__
