"""Networks, and what they remember within an episode."""

from typing import TYPE_CHECKING

from hebbax.policies.base import Policy
from hebbax.policies.hebbian import Hebbian
from hebbax.policies.lstm import LSTM
from hebbax.policies.static import Static
from hebbax.policies.vision import Vision
from hebbax.types.namespaces import lazily

if TYPE_CHECKING:
    from hebbax.policies.flax import Flax

__all__ = ["LSTM", "Flax", "Hebbian", "Policy", "Static", "Vision"]

# It stands on a large library.
__getattr__ = lazily(__name__, {"Flax": "flax"})
