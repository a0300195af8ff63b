"""Methods side by side: sweeps and searches, and in `results` what they have found."""

from typing import TYPE_CHECKING

from hebbax.types.namespaces import lazily

if TYPE_CHECKING:
    from hebbax.comparison.sweeps import sweep
    from hebbax.comparison.tuning import Between, Trial, Tuning, tune

__all__ = ["Between", "Trial", "Tuning", "sweep", "tune"]

__getattr__ = lazily(
    __name__,
    {
        "Between": "tuning",
        "Trial": "tuning",
        "Tuning": "tuning",
        "sweep": "sweeps",
        "tune": "tuning",
    },
)
