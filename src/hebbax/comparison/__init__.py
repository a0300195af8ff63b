"""Methods side by side: sweeps, and what they have found."""

from typing import TYPE_CHECKING

from hebbax.types.namespaces import lazily

if TYPE_CHECKING:
    from hebbax.comparison.results import (
        KINDS,
        Curve,
        Improvement,
        Matrix,
        Method,
        Missing,
        Results,
        Row,
        Run,
        Summary,
        collect,
        collect_run,
        describe_methods,
        generalisation_matrix,
        improvements,
        learning_curves,
        read_runs,
        scores_by_fold,
        summarise,
        write,
    )
    from hebbax.comparison.sweeps import SweepRun, read_sweep, sweep

__all__ = [
    "KINDS",
    "Curve",
    "Improvement",
    "Matrix",
    "Method",
    "Missing",
    "Results",
    "Row",
    "Run",
    "Summary",
    "SweepRun",
    "collect",
    "collect_run",
    "describe_methods",
    "generalisation_matrix",
    "improvements",
    "learning_curves",
    "read_runs",
    "read_sweep",
    "scores_by_fold",
    "summarise",
    "sweep",
    "write",
]

__getattr__ = lazily(
    __name__,
    {
        "Curve": "results",
        "Improvement": "results",
        "KINDS": "results",
        "Matrix": "results",
        "Method": "results",
        "Missing": "results",
        "Results": "results",
        "Row": "results",
        "Run": "results",
        "Summary": "results",
        "SweepRun": "sweeps",
        "collect": "results",
        "collect_run": "results",
        "describe_methods": "results",
        "generalisation_matrix": "results",
        "improvements": "results",
        "learning_curves": "results",
        "read_runs": "results",
        "read_sweep": "sweeps",
        "scores_by_fold": "results",
        "summarise": "results",
        "sweep": "sweeps",
        "write": "results",
    },
)
