"""Pictures of a whole sweep show the numbers they are given, and say where there are none."""

import math

import numpy as np

from hebbax.comparison.results import Curve, Matrix, Method, Summary
from hebbax.watching.visualization.curves import draw_learning_curves
from hebbax.watching.visualization.matrix import draw_generalisation_matrix
from hebbax.watching.visualization.rho import draw_fitness_over_rho

NAN = math.nan
NONE = np.zeros(0)


def curve(method: str, num_runs: list[int]) -> Curve:
    iqm = np.arange(3.0)
    return Curve(method, iqm, iqm - 1, iqm + 1, np.asarray(num_runs), num_wanted=4)


def test_learning_curves_have_a_panel_each():
    """A panel for every method, also for one that has not begun.

    Where runs have ended the line is dotted. Mutation: one line for all is solid there.
    """
    figure = draw_learning_curves(
        [
            curve("one", [4, 4, 4]),
            curve("two", [3, 3, 2]),
            Curve("three", NONE, NONE, NONE, NONE, num_wanted=4),
        ]
    )
    one, two, three = figure.axes
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == ["one  (4 of 4 runs)", "two  (3 of 4 runs)", "three  (0 of 4 runs)"]
    solid, dotted = two.lines[-2:]
    np.testing.assert_array_equal(solid.get_ydata(), [0.0, 1.0, NAN])
    np.testing.assert_array_equal(dotted.get_ydata(), [NAN, NAN, 2.0])
    assert dotted.get_linestyle() == ":"
    np.testing.assert_array_equal(one.lines[-2].get_xdata(), [1, 2, 3])
    assert three.get_visible()


def test_matrix_shows_every_number():
    """Held-out scores stand before those trained on and are bold; a missing one is a dash.

    The largest number has three digits.
    """
    counts = np.ones((2, 2), int)
    held_out, trained_on = (
        np.asarray([[1.234, NAN], [3.0, 4.0]]),
        np.asarray([[5.0, 6.0], [7.0, 8.125]]),
    )
    figure = draw_generalisation_matrix(
        Matrix(
            ["one", "two"],
            ["long_rear_legs", "default"],
            held_out,
            trained_on,
            counts,
            counts,
            np.zeros((2, 2), int),
        )
    )
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.texts] == [
        "1.23",
        "5.00",
        "-",
        "6.00",
        "3.00",
        "7.00",
        "4.00",
        "8.12",
    ]
    assert [text.get_fontweight() for text in axes.texts[:4]] == [
        "bold",
        "normal",
        "bold",
        "normal",
    ]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["one", "two"]
    figure.draw_without_rendering()


def test_matrix_of_nothing_is_drawn():
    """A sweep that has only begun has no numbers yet."""
    nothing, counts = np.full((1, 1), NAN), np.zeros((1, 1), int)
    figure = draw_generalisation_matrix(
        Matrix(["one"], ["default"], nothing, nothing, counts, counts, counts)
    )
    figure.draw_without_rendering()
    assert [text.get_text() for text in figure.axes[0].texts] == ["-", "-"]


def summary(method: str, is_held_out: bool, iqm: float) -> Summary:
    return Summary(method, is_held_out, iqm, iqm - 1, iqm + 1, 4, 0, 0, 0)


def test_fitness_is_drawn_over_rho():
    """Evolved and individual rules are one curve in the order of rho.

    Fixed ones are another, what has no rules a horizontal line with a band.

    Mutation: drawn in the sweep's order the curve would go back and forth.
    """
    methods = [
        Method("static", "none", None),
        Method("shared-rho16", "evolved", 16.0),
        Method("individual", "individual", 1.0),
        Method("fixed-rho16", "fixed", 16.0),
    ]
    summaries = [
        summary(method.name, is_held_out, 10.0 * number + is_held_out)
        for number, method in enumerate(methods)
        for is_held_out in (True, False)
    ]
    figure = draw_fitness_over_rho(methods, summaries)
    axes = figure.axes[0]
    lines = {str(line.get_label()): line for line in axes.lines}
    held_out, trained_on = (
        lines["evolved assignment, held out"],
        lines["evolved assignment, trained on"],
    )
    np.testing.assert_allclose(held_out.get_data(), [[1.0, 16.0], [21.0, 11.0]])
    np.testing.assert_allclose(trained_on.get_ydata(), [20.0, 10.0])
    np.testing.assert_allclose(lines["fixed random assignment, held out"].get_ydata(), [31.0])
    assert list(lines["static, held out"].get_ydata()) == [1.0, 1.0]
    assert len(axes.patches) == 1, "one band, of the held-out score"
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1", "16"]
    assert {text.get_text() for text in figure.legends[0].get_texts()} == set(lines)


def test_fitness_without_scores_is_drawn():
    """Before anything is evaluated places have no points; without rules there are no places."""
    for method in (Method("individual", "individual", 1.0), Method("static", "none", None)):
        nothing = [
            Summary(method.name, is_held_out, NAN, NAN, NAN, 0, 0, 4, 0)
            for is_held_out in (True, False)
        ]
        draw_fitness_over_rho([method], nothing).draw_without_rendering()
