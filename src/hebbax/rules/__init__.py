"""How a synapse changes within an episode."""

from hebbax.rules.abcd import ABCD
from hebbax.rules.base import Rule, Signals

__all__ = ["ABCD", "Rule", "Signals"]
