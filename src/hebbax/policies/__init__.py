"""Networks, and what they remember within an episode."""

from typing import TYPE_CHECKING

from hebbax.policies.base import Policy
from hebbax.policies.convolutional import Convolutional
from hebbax.policies.gru import GRU
from hebbax.policies.hebbian import Hebbian
from hebbax.policies.lstm import LSTM
from hebbax.policies.static import Static
from hebbax.types.namespaces import lazily

if TYPE_CHECKING:
    from hebbax.policies.flax import Flax
    from hebbax.policies.nnx import NNX

__all__ = ["GRU", "LSTM", "NNX", "Convolutional", "Flax", "Hebbian", "Policy", "Static"]

# They stand on a large library.
__getattr__ = lazily(__name__, {"Flax": "flax", "NNX": "nnx"})
