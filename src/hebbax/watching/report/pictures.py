"""The pictures of a page, each with words and numbers for those who do not see it."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from hebbax.comparison.results import (
    Results,
    describe_methods,
    generalisation_matrix,
    learning_curves,
    summarise,
)
from hebbax.watching.report.blocks import ABSENT, Figure, Table, count, data_uri, number
from hebbax.watching.report.scores import curve_table, matrix_table, pairs_of, rho_table
from hebbax.watching.visualization.rules import Rules
from hebbax.watching.visualization.style import save
from hebbax.watching.visualization.sweep import draw_results, find_rules

FEW = 12  # Rules that are listed; of more there are quantiles.
PIXELS_PER_INCH = 96  # Of a page.
COMPARISONS = ("fitness-over-rho", "generalisation-matrix")
QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)


def draw_figures(results: Results, folder: Path, *, is_sweep: bool) -> dict[str, Figure]:
    """Draws all pictures into a folder, and returns them for the page.

    By the names that `hebbax.watching.visualization.sweep.draw_sweep` lists.

    Of a single run there are none that compare.
    """
    rules = find_rules(results)
    described = {**_describe_results(results), **_describe_rules(rules)}
    figures = {}
    for name, picture in draw_results(results, rules).items():
        if is_sweep or name not in COMPARISONS:
            svg, _ = save(picture, folder, name)
            width = round(picture.get_figwidth() * PIXELS_PER_INCH)
            figures[name] = described[name]._replace(uri=data_uri(svg), width=width)
    return figures


def _describe_results(results: Results) -> dict[str, Figure]:
    """What the pictures of scores show."""
    summaries, curves, matrix = (
        summarise(results),
        learning_curves(results),
        generalisation_matrix(results),
    )
    last = ", ".join(
        f"{curve.method} {number(float(curve.iqm[-1]))}" for curve in curves if curve.iqm.size
    )
    scores = ", ".join(
        f"{held.method} {number(held.iqm)} held out and {number(trained.iqm)} trained on"
        for held, trained in pairs_of(summaries)
    )
    return {
        "learning-curves": Figure(
            caption="Learning curves: the mean fitness of the population in the training "
            "variations, interquartile mean over runs with its 95% interval. "
            "Dotted where some runs have ended or have no finite fitness. Points are scores of the "
            "genomes' modes in the held-out variations, where runs were told to evaluate them.",
            alt=f"A panel with a learning curve for each of {count(len(curves), 'method')}. At "
            f"the last generation: {last or 'nothing yet'}.",
            numbers=curve_table(curves),
        ),
        "fitness-over-rho": Figure(
            caption="Does sharing rules help where nobody trained? Returns over the number of "
            "synapses per rule, solid in variations held out and "
            "dashed in those trained on. Methods without rules are horizontal lines.",
            alt=f"Interquartile mean returns over the synapses per rule: {scores}.",
            numbers=rho_table(describe_methods(results), summaries),
        ),
        "generalisation-matrix": Figure(
            caption="The generalisation matrix: framed and bold are returns in variations that "
            "the runs held out.",
            alt=f"A matrix of mean returns, {count(len(matrix.methods), 'method')} by "
            f"{count(len(matrix.variations), 'variation')}, "
            "each held out and trained on; the table has its numbers.",
            numbers=matrix_table(matrix),
        ),
    }


def _describe_rules(rules: Mapping[str, tuple[str, Rules]]) -> dict[str, Figure]:
    """What the pictures of rules show."""
    described = {}
    for method, (title, found) in rules.items():
        table, amount = rules_table(found, title), count(len(found.use), "rule")
        described[f"rule-use-{method}"] = Figure(
            caption=f"Rules in use, {title}: how much each is used, how decided the synapses are, "
            "and what the coefficients are.",
            alt=f"Use, principal components and coefficients of {amount} of {title}, as far as "
            "there is something to see in each.",
            numbers=table,
        )
        described[f"weight-changes-{method}"] = Figure(
            caption=f"What the rules do, {title}: the change of a weight over the activations "
            "before and behind its synapse, from -1 to 1.",
            alt="Maps of the change of a weight by the activations before and behind it, for "
            f"{amount} of {title}"
            + (", each by itself." if len(found.use) <= FEW else ": quantiles over the synapses."),
            numbers=table,
        )
    return described


def rules_table(rules: Rules, title: str) -> Table:
    """The coefficients of few rules, or quantiles of those of many."""
    note = ""
    if rules.entropies is not None and len(rules.use) > 1:
        note = (
            f"The assignment's entropy is {np.mean(rules.entropies):.3f} nats in the mean over the "
            "synapses; "
            f"{np.log(len(rules.use)):.3f} where all rules are as likely."
        )
    if len(rules.use) <= FEW:
        rows = [
            [
                f"rule {i + 1}",
                f"{use:.1%}",
                *(number(float(value), 4) for value in coefficients),
            ]
            for i, (use, coefficients) in enumerate(zip(rules.use, rules.coefficients, strict=True))
        ]
    else:
        quantiles = np.quantile(
            rules.coefficients, QUANTILES, axis=0, weights=rules.use, method="inverted_cdf"
        )
        rows = [
            [f"{quantile:.0%} quantile", ABSENT, *(number(float(value), 4) for value in values)]
            for quantile, values in zip(QUANTILES, quantiles, strict=True)
        ]
    return Table(
        f"Coefficients of {count(len(rules.use), 'rule')}, {title}",
        ["rule", "share of the synapses", *rules.rule.coefficients],
        rows,
        note,
    )
