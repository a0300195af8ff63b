"""Runs with every encoding: resumed, together, scored and read back."""

import dataclasses
from pathlib import Path

import jax
import numpy as np
import pytest

import hebbax
from hebbax.encodings import Direct, LowRank, Parts, PerNeuron, Tied
from hebbax.evolution.training import train_together
from small_run import small_config, without_clock

ENCODINGS = [
    Tied(rho=2, is_signed=True),
    PerNeuron(),
    PerNeuron("nchl"),
    LowRank(),
    Parts((("rules", Tied(num_rules=2)), ("weights", Direct()))),
]


@pytest.mark.parametrize("encoding", ENCODINGS, ids=str)
def test_runs_go_on_where_they_were(encoding, tmp_path: Path):
    """A run in two parts is that in one, bit for bit; its folder is read back with its wiring.

    Mutation: a wiring that is drawn anew when a run is taken up.
    """
    config = small_config(encoding=encoding)
    whole = hebbax.train(config, tmp_path / "whole")
    hebbax.train(dataclasses.replace(config, generations=2), tmp_path / "parts")
    resumed = hebbax.train(config, tmp_path / "parts")
    assert without_clock(resumed.history) == without_clock(whole.history)
    read = hebbax.load(tmp_path / "parts")
    assert read.config == config
    for tree in (resumed, read):
        jax.tree.map(np.testing.assert_array_equal, tree.genome, whole.genome)
        jax.tree.map(np.testing.assert_array_equal, tree.wiring, whole.wiring)
    assert hebbax.evaluate(read, 4) == hebbax.evaluate(whole, 4)


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ENCODINGS, ids=str)
def test_runs_go_together(encoding):
    """Each has its own wiring, and the numbers that it has alone."""
    configs = [small_config(encoding=encoding, seed=seed) for seed in (0, 1)]
    together = train_together([(config, None) for config in configs])
    for config, result in zip(configs, together, strict=True):
        alone = hebbax.train(config)
        jax.tree.map(np.testing.assert_array_equal, result.wiring, alone.wiring)
        for one, other in zip(result.history, alone.history, strict=True):
            assert one["fitness_mean"] == pytest.approx(other["fitness_mean"], rel=1e-4)
