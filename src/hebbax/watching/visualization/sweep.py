"""All pictures of a sweep."""

from collections.abc import Mapping
from pathlib import Path

from matplotlib.figure import Figure

from hebbax.comparison.results import (
    Results,
    collect,
    describe_methods,
    generalisation_matrix,
    held_out_curves,
    learning_curves,
    summarise,
)
from hebbax.comparison.results.rows import newest_checkpoint
from hebbax.evolution.generation import count_non_finite
from hebbax.evolution.result import load_result
from hebbax.watching.visualization.curves import draw_learning_curves
from hebbax.watching.visualization.matrix import draw_generalisation_matrix
from hebbax.watching.visualization.rho import draw_fitness_over_rho
from hebbax.watching.visualization.rule_use import draw_rule_use
from hebbax.watching.visualization.rules import Rules, rule_of, rules_of
from hebbax.watching.visualization.style import save
from hebbax.watching.visualization.weight_changes import draw_weight_changes


def draw_sweep(folder: str | Path, kind: str = "mode") -> dict[str, list[Path]]:
    """Draws the pictures of a sweep into its folder `figures`.

    What is there, of runs that need not be complete.

    Of each plastic method two pictures show the rules of one run, the first in the sweep's order
    that has a checkpoint.

    Args:
        folder: of the sweep.
        kind: "mode" or "samples", whose scores are drawn.

    Returns:
        The files by the names of the pictures: "learning-curves", "fitness-over-rho",
        "generalisation-matrix", and for each plastic method "rule-use-METHOD" and
        "weight-changes-METHOD".

    Raises:
        ValueError: if the folder holds no sweep, or a run that cannot be read.

    Examples:
        >>> import hebbax
        >>> task, policy = hebbax.tasks.Point(), hebbax.Hebbian(hidden_sizes=())
        >>> strategy = hebbax.ScoreFunction(population_size=4)
        >>> config = hebbax.Config(task, policy, hebbax.Normal(), strategy, generations=2)
        >>> runs = hebbax.sweep({"hebbian": config}, "sweep", ["mirrored"], seeds=1, episodes=4)
        >>> sorted(hebbax.watching.draw_sweep("sweep"))[:3]
        ['fitness-over-rho', 'generalisation-matrix', 'learning-curves']
    """
    results = collect(folder)
    pictures = draw_results(results, find_rules(results), kind)
    return {name: save(figure, Path(folder) / "figures", name) for name, figure in pictures.items()}


def draw_results(
    results: Results, rules: Mapping[str, tuple[str, Rules]], kind: str = "mode"
) -> dict[str, Figure]:
    """Draws the pictures of a sweep.

    Args:
        results: of the sweep.
        rules: by method, as `find_rules` returns them.
        kind: "mode" or "samples", whose scores are drawn.

    Returns:
        The pictures by their names, which `draw_sweep` lists.
    """
    drawn = {
        "learning-curves": draw_learning_curves(learning_curves(results), held_out_curves(results)),
        "fitness-over-rho": draw_fitness_over_rho(
            describe_methods(results), summarise(results, kind)
        ),
        "generalisation-matrix": draw_generalisation_matrix(generalisation_matrix(results, kind)),
    }
    for method, (title, found) in rules.items():
        drawn[f"rule-use-{method}"] = draw_rule_use(found, title)
        drawn[f"weight-changes-{method}"] = draw_weight_changes(found, title)
    return drawn


def find_rules(results: Results) -> dict[str, tuple[str, Rules]]:
    """The rules of each plastic method that has a run with a checkpoint.

    Of the first of these runs in the sweep's order, behind the method and the run in words.

    A genome with numbers that are not finite, with which earlier versions went on, has nothing to
    draw.

    Raises:
        ValueError: if a run cannot be read.
    """
    found = {}
    for method in describe_methods(results):
        runs = (run for run in results.runs if run.method == method.name)
        run = next(filter(newest_checkpoint, runs), None)
        if method.sharing != "none" and run is not None:
            result = load_result(run.path)
            # A network of one's own may change by other means than a rule that could be drawn.
            has_rule = rule_of(result.config.policy) is not None
            if has_rule and count_non_finite(result.genome) == 0:
                title = f"{method.name}: {run.fold}, seed-{run.seed}"
                found[method.name] = title, rules_of(result)
    return found
