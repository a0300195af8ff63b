"""All pictures of a sweep."""

from pathlib import Path

from hebbax.results import Results, collect, describe_methods, generalisation_matrix, learning_curves, summarise
from hebbax.training import load_result
from hebbax.visualization.curves import draw_learning_curves
from hebbax.visualization.matrix import draw_generalisation_matrix
from hebbax.visualization.rho import draw_fitness_over_rho
from hebbax.visualization.rule_use import draw_rule_use
from hebbax.visualization.rules import rules_of
from hebbax.visualization.style import save
from hebbax.visualization.weight_changes import draw_weight_changes


def draw_sweep(folder: str | Path, kind: str = "mode") -> dict[str, list[Path]]:
    """Draws the pictures of a sweep into its folder `figures`: what is there, of runs that need not be complete.

    Of each plastic method two pictures show the rules of one run, the first in the sweep's order that has a checkpoint.

    Args:
        folder: of the sweep.
        kind: "mode" or "samples", whose scores are drawn.

    Returns:
        The files by the names of the pictures: "learning-curves", "fitness-over-rho", "generalisation-matrix", and for each plastic method
        "rule-use-METHOD" and "weight-changes-METHOD".

    Raises:
        ValueError: if the folder holds no sweep, or a run that cannot be read.
    """
    results, figures = collect(folder), Path(folder) / "figures"
    methods = describe_methods(results)
    drawn = {
        "learning-curves": draw_learning_curves(learning_curves(results)),
        "fitness-over-rho": draw_fitness_over_rho(methods, summarise(results, kind)),
        "generalisation-matrix": draw_generalisation_matrix(generalisation_matrix(results, kind)),
    }
    for method in methods:
        run = _run_with_checkpoint(results, method.name)
        if method.sharing != "none" and run is not None:
            rules, title = rules_of(load_result(run).genome), f"{method.name}: {run.parent.name}, {run.name}"
            drawn[f"rule-use-{method.name}"] = draw_rule_use(rules, title)
            drawn[f"weight-changes-{method.name}"] = draw_weight_changes(rules, title)
    return {name: save(figure, figures, name) for name, figure in drawn.items()}


def _run_with_checkpoint(results: Results, method: str) -> Path | None:
    paths = (run.path for run in results.runs if run.method == method)
    return next((path for path in paths if any(child.name.isdigit() for child in path.glob("checkpoints/*"))), None)
