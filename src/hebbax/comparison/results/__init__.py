"""What a sweep has found: rows of scores, comparisons of its methods, learning curves."""

from hebbax.comparison.results.curves import Curve, held_out_curves, learning_curves
from hebbax.comparison.results.methods import Method, describe_methods
from hebbax.comparison.results.rows import (
    KINDS,
    Missing,
    Results,
    Row,
    Run,
    collect,
    collect_run,
    read_sweep,
)
from hebbax.comparison.results.summaries import (
    Improvement,
    Matrix,
    Summary,
    generalisation_matrix,
    improvements,
    scores_by_fold,
    summarise,
)
from hebbax.comparison.results.tables import write

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
    "collect",
    "collect_run",
    "describe_methods",
    "generalisation_matrix",
    "held_out_curves",
    "improvements",
    "learning_curves",
    "read_sweep",
    "scores_by_fold",
    "summarise",
    "write",
]
