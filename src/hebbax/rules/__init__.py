"""How a synapse changes within an episode."""

from hebbax.rules.abcd import ABCD
from hebbax.rules.base import Rule, Signals
from hebbax.rules.modifiers import Decay, Every
from hebbax.rules.modulated import Modulated
from hebbax.rules.oja import Oja

__all__ = ["ABCD", "Decay", "Every", "Modulated", "Oja", "Rule", "Signals"]
