"""Networks, and what they remember within a lifetime."""

import importlib
from typing import TYPE_CHECKING, Any

from hebbax.policies.base import Policy
from hebbax.policies.hebbian import Hebbian
from hebbax.policies.lstm import LSTM
from hebbax.policies.static import Static
from hebbax.policies.vision import Vision

if TYPE_CHECKING:
    from hebbax.policies.flax import Flax

__all__ = ["LSTM", "Flax", "Hebbian", "Policy", "Static", "Vision"]


def __getattr__(name: str) -> Any:
    """Loads what stands on a large library when it is first asked for."""
    if name != "Flax":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return importlib.import_module("hebbax.policies.flax").Flax
