"""Networks, and what they remember within a lifetime."""

from hebbax.policies.base import Policy
from hebbax.policies.hebbian import Hebbian
from hebbax.policies.lstm import LSTM
from hebbax.policies.static import Static
from hebbax.policies.vision import Vision

__all__ = ["LSTM", "Hebbian", "Policy", "Static", "Vision"]
