"""Runs with every encoding: resumed, together, scored, read back, filmed and reported."""

import dataclasses
from pathlib import Path

import jax
import numpy as np
import pytest

import hebbax
from hebbax.encodings import Direct, LowRank, Parts, PerNeuron, Tied
from hebbax.evolution.training import train_together
from hebbax.watching.films import film
from hebbax.watching.lesion import Lesion
from hebbax.watching.report import write_report
from report_page import Page
from small_run import small_config, without_clock


class CartScene:
    """Keeps what each step's film is made of, and draws it in grey."""

    step_duration = 1 / 30

    def __init__(self):
        self.footage = []

    def keep(self, state):
        return state.state.position, state.memory.weights

    def draw(self, footage):
        self.footage.append(footage)
        for step in footage.shown:
            yield np.full((16, 16, 3), step, np.uint8)


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


def test_assignment_of_its_own_seed_is_trained(tmp_path: Path):
    """Two assignments in one sweep, each the same whatever the run's seed.

    Mutation: the seed taken out of the encoding, as an argument of the program.
    """
    methods = {
        str(seed): small_config(encoding=Tied(num_rules=2, assignment_seed=seed), generations=1)
        for seed in (1, 2)
    }
    runs = hebbax.sweep(methods, tmp_path, ["heavy"], 2, 2)
    wirings = [hebbax.load(run.path).wiring["rule"].assignment for run in runs]
    np.testing.assert_array_equal(wirings[0], wirings[1])
    np.testing.assert_array_equal(wirings[2], wirings[3])
    assert not np.array_equal(wirings[0], wirings[2])


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ENCODINGS, ids=str)
def test_films_show_the_phenotype(encoding, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """A film's weights change by the rules that the encoding reads, and a lesion is seen.

    Mutation: a film that takes the genotype for the network.
    """
    scene = CartScene()
    monkeypatch.setattr(film, "scene_of", lambda task, variation: scene)
    result = hebbax.train(small_config(encoding=encoding, generations=1))
    for lesion in (None, Lesion(layer=1, step=2)):
        film.render(result, "heavy", tmp_path / "cart.mp4", num_steps=4, lesion=lesion)
    whole, hurt = (footage.kept[1] for footage in scene.footage)
    np.testing.assert_array_equal(whole[1][:2], hurt[1][:2])
    assert not np.allclose(whole[1][2], hurt[1][2])
    assert not np.allclose(whole[0][0], whole[0][1])


@pytest.mark.slow
def test_report_has_every_encoding(tmp_path: Path):
    """A sweep of all of them has a page without faults, with a row and a picture for each.

    Mutation: pictures of rules that read the genotype, which has other shapes.
    """
    methods = {
        f"method-{i}": small_config(encoding=encoding, generations=1)
        for i, encoding in enumerate(ENCODINGS)
    }
    hebbax.sweep(methods, tmp_path, ["heavy"], 1, 2)
    page = Page(write_report(tmp_path).read_text())
    assert page.faults == []
    cells = {cell.words for cell in page.all("td") + page.all("th")}
    assert set(methods) <= cells
    assert len(page.all("img")) >= len(ENCODINGS)


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
