"""Methods side by side: sweeps, and in `results` what they have found."""

from typing import TYPE_CHECKING

from hebbax.types.namespaces import lazily

if TYPE_CHECKING:
    from hebbax.comparison.sweeps import SweepRun, read_sweep, sweep

__all__ = ["SweepRun", "read_sweep", "sweep"]

__getattr__ = lazily(__name__, {"SweepRun": "sweeps", "read_sweep": "sweeps", "sweep": "sweeps"})
