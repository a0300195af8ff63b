"""Methods side by side: sweeps, and in `results` what they have found."""

from hebbax.comparison.sweeps import SweepRun, read_sweep, sweep

__all__ = ["SweepRun", "read_sweep", "sweep"]
