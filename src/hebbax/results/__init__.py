"""What a sweep has found: rows of scores, comparisons of its methods, learning curves."""

from hebbax.results.comparison import (
    Improvement,
    Matrix,
    Summary,
    generalisation_matrix,
    improvements,
    scores_by_fold,
    summarise,
)
from hebbax.results.curves import Curve, learning_curves
from hebbax.results.methods import Method, describe_methods
from hebbax.results.rows import KINDS, Missing, Results, Row, Run, collect, collect_run, read_runs
from hebbax.results.tables import write

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
    "improvements",
    "learning_curves",
    "read_runs",
    "scores_by_fold",
    "summarise",
    "write",
]
