"""Pictures of a lifetime: the numbers behind them, and that each line is there."""

import jax
import numpy as np
import pytest

import hebbax
from hebbax.lesion import Lesion
from hebbax.training import Result
from hebbax.visualization import lifetime
from small_run import small_config


def result(**changes) -> Result:
    config = small_config(**changes)
    genome = config.genome.init(jax.random.key(0), config.policy.genotype_shape(config.task))
    return Result(config, genome, genome, 0, [])


def test_weights_are_kept_until_the_end():
    """All nine synapses of every variation, which start the same.

    Mutations: other weights at birth; steps after the end.
    """
    weights = lifetime.trace_weights(result(), num_steps=6)
    assert list(weights) == ["light", "medium", "heavy"]
    first = np.stack([steps[0] for steps in weights.values()])
    assert first.shape == (3, 2 * 3 + 3 * 1)
    # One step has changed them, from the same senses: the cart starts at the same place.
    np.testing.assert_allclose(first, first[:1].repeat(3, axis=0), atol=1e-6)
    assert all(1 <= len(steps) <= 6 for steps in weights.values())


def test_many_synapses_are_sampled(monkeypatch: pytest.MonkeyPatch):
    whole = lifetime.trace_weights(result(), num_steps=3)["light"]
    monkeypatch.setattr(lifetime, "MAX_SYNAPSES", 4)
    some = lifetime.trace_weights(result(), num_steps=3)["light"]
    assert some.shape == (len(whole), 4)
    assert set(some[-1].tolist()) <= set(whole[-1].tolist())


def test_policies_without_memory_are_refused():
    with pytest.raises(ValueError, match="the policy is Static, which remembers nothing"):
        lifetime.trace_weights(result(policy=hebbax.Static(hidden_sizes=())))


def test_principal_components_are_those_of_the_singular_values():
    """Against the definition, up to signs."""
    rows = np.random.default_rng(0).normal(size=(12, 30)) * np.linspace(3, 0.1, 30)
    places, shares = lifetime.principal_components(rows)
    left, lengths, _ = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
    np.testing.assert_allclose(np.abs(places), np.abs(left[:, :2] * lengths[:2]), atol=1e-9)
    np.testing.assert_allclose(shares, lengths[:2] ** 2 / np.sum(lengths**2))
    still, nothing = lifetime.principal_components(np.ones((3, 4)))
    np.testing.assert_array_equal(still, 0.0)
    np.testing.assert_array_equal(nothing, 0.0)


def test_lines_are_drawn_for_every_variation():
    """A line with its ends for each, the held-out one dashed and named so."""
    figure = lifetime.plot_weight_trajectories(
        {"here": np.eye(7), "there": np.ones((1, 7))}, held_out="there"
    )
    [axes] = figure.axes
    lines = axes.get_lines()
    assert len(lines) == 6
    assert [line.get_linestyle() for line in lines[::3]] == ["-", "--"]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        "here",
        "there (held out)",
    ]  # pyright: ignore[reportOptionalMemberAccess]
    figure.canvas.draw()


def test_recovery_compares_the_same_lifetimes():
    """Until the lesion they are the same, and the layer is smaller then.

    Mutations: other keys; the halves swapped.
    """
    lesion = Lesion(layer=0, step=3)
    recovery = lifetime.trace_recovery(result(), "light", lesion, lifetimes=4, num_steps=6)
    assert recovery.rewards.shape == recovery.norms.shape == (2, 4, 6)
    np.testing.assert_array_equal(recovery.norms[0, :, :3], recovery.norms[1, :, :3])
    assert len(np.unique(recovery.rewards[0, :, 0])) == 4
    is_alive = recovery.norms[0, :, 2] != recovery.norms[0, :, 3]
    assert np.any(is_alive)
    assert np.all(recovery.norms[1, is_alive, 3] < recovery.norms[0, is_alive, 3])
    figure = lifetime.plot_recovery(recovery, lesion, window=2)
    above, below = figure.axes
    assert [len(axes.get_lines()) for axes in (above, below)] == [3, 3]
    assert above.get_title() == "Layer 0 set to zero at step 3; 4 lifetimes"
    figure.canvas.draw()


def test_what_cannot_be_injured_is_refused():
    with pytest.raises(
        ValueError,
        match="variation is 'feather', but must be one of the task's: light, medium, heavy",
    ):
        lifetime.trace_recovery(result(), "feather", Lesion(0, 0))
    with pytest.raises(ValueError, match=r"lesion\.layer is 5"):
        lifetime.trace_recovery(result(), "light", Lesion(5, 0), lifetimes=2)


def test_running_means_are_of_what_there_is():
    np.testing.assert_allclose(
        lifetime.running_mean(np.array([[2.0, 4.0, 6.0, 8.0]]), 2), [[2, 3, 5, 7]]
    )
    np.testing.assert_allclose(lifetime.running_mean(np.array([2.0, 4.0]), 5), [2, 3])


def test_intervals_cover_what_they_should():
    """Of 400 means of 20 normal numbers, the 95% interval holds the true one in 0.93.

    A little less than 0.95, as percentile intervals of few values do.

    Four standard errors of 400 draws are 0.05. Mutation: the interval of single values holds it
    always, a standard error's width in 0.68.
    """
    low, high = lifetime.mean_interval(np.random.default_rng(1).normal(size=(20, 400)))
    assert abs(np.mean((low < 0) & (high > 0)) - 0.93) < 0.05
