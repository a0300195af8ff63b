"""How small a genome is: its numbers, its bits, and what it scores with few of them."""

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hebbax
from hebbax import cli, encodings, genomes
from hebbax.evolution.result import Result
from hebbax.evolution.sizes import WIDTHS, GenomeBits, measure_bits, round_to_bits
from hebbax.genomes.base import Size, size_of
from hebbax.types import Parameter
from small_run import small_config

EXACT = {"trained on": 10.0, "held out": -10.0}


def test_rounding_by_hand():
    """Four levels from the smallest to the largest number of each coefficient.

    Numbers that are all equal stay. Mutation: one range for all coefficients.
    """
    leaf = jnp.asarray([[[0.0, 0.4, 1.4, 3.0]], [[-30.0, -16.0, -14.0, 0.0]], [[7.0] * 4]])
    shape = Parameter((3, 1, 4), ("coefficient", "a", "b"), "rule", ("A", "B", "C"))
    rounded = np.asarray(round_to_bits({"rules": leaf}, {"rules": shape}, 2)["rules"])
    np.testing.assert_allclose(rounded[:, 0], [[0, 0, 1, 3], [-30, -20, -10, 0], [7] * 4])
    weights = Parameter((3, 1, 4), ("", "a", "b"), "filter")
    rounded = np.asarray(round_to_bits({"rules": leaf}, {"rules": weights}, 2)["rules"])
    assert len(set(rounded.ravel().tolist())) == 4


def test_shared_rules_stay_shared():
    """A rule of synapses in several layers is one number, rounded. Mutation: ranges by layer."""
    shape = small_config().policy.parameters(small_config().task)
    genome = hebbax.SharedRules(num_rules=3, sharpness=9.0).init(jax.random.key(0), shape)
    rounded = round_to_bits(genome.mode(), shape, 3)
    rules = np.concatenate([np.asarray(leaf).reshape(5, -1) for leaf in rounded.rules], axis=1)
    assert len(np.unique(rules, axis=1).T) == 3


def test_many_bits_change_nothing():
    """With sixteen, a number is off by at most half of a 65,535th of the range."""
    leaf = jax.random.normal(jax.random.key(0), (5, 20, 30))
    shape = Parameter((5, 20, 30), ("coefficient", "a", "b"), "rule")
    error = jnp.abs(round_to_bits(leaf, shape, 16) - leaf)
    ranges = jnp.ptp(leaf, axis=(1, 2), keepdims=True)
    assert float(jnp.max(error / ranges)) < 0.51 / (2**16 - 1) + 1e-6


@pytest.mark.parametrize(
    ("genome", "encoding", "expected"),
    [
        (hebbax.Normal(), hebbax.Direct(), Size(45)),
        (hebbax.SharedRules(num_rules=4), hebbax.Direct(), Size(20, 9 * 2.0)),
        (genomes.FixedRules(num_rules=4), hebbax.Direct(), Size(20)),
        (hebbax.Normal(), encodings.Tied(num_rules=4), Size(20)),
        (
            genomes.Joint(
                (("rules", hebbax.SharedRules(num_rules=2)), ("weights", hebbax.Normal()))
            ),
            hebbax.Direct(),
            Size(10, 9.0),
        ),
    ],
)
def test_sizes_of_genomes(genome: Any, encoding: Any, expected: Size):
    """Of nine synapses with five coefficients."""
    config = small_config(genome=genome, encoding=encoding)
    strategy = hebbax.ScoreFunction(population_size=4, is_mirrored=False)
    result = hebbax.train(dataclasses.replace(config, strategy=strategy, generations=1))
    assert size_of(result.genome) == expected


def bits(**by_width: tuple[float, float]) -> GenomeBits:
    scores = {
        int(width[1:]): dict(zip(EXACT, values, strict=True)) for width, values in by_width.items()
    }
    return GenomeBits(
        numbers=100, ranges=2, assignment_bits=8.0, episodes=4, exact=EXACT, by_width=scores
    )


def test_fewest_bits():
    """Within five percent, also of a negative score; a lucky small width does not count.

    Mutations: 0.95 times a negative score; the smallest width that is good enough.
    """
    found = bits(w2=(11.0, -10.6), w4=(9.4, -10.4), w8=(9.6, -10.5), w16=(10.0, -10.0))
    assert (found.fewest("trained on"), found.bits("trained on")) == (8, 800 + 2 * 64 + 8)
    assert (found.fewest("held out"), found.bits("held out")) == (4, 400 + 2 * 64 + 8)
    lost = bits(w8=(9.0, math.nan), w16=(9.0, math.nan))
    assert lost.fewest("trained on") is lost.fewest("held out") is lost.bits("held out") is None


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, Path]:
    folder = tmp_path_factory.mktemp("runs") / "run"
    return hebbax.train(small_config(generations=3), folder), folder


def test_exact_scores_are_those_of_an_evaluation(run: tuple[Result, Path]):
    """The same episodes; and a width's scores are those of the rounded genome."""
    result, folder = run
    found = measure_bits(folder, episodes=6)
    scores = {score.variation: score.mean for score in hebbax.evaluate(result, 6)}
    assert found.exact["held out"] == pytest.approx(scores["heavy"])
    assert found.exact["trained on"] == pytest.approx((scores["light"] + scores["medium"]) / 2)
    genome: Any = result.genome
    shape = result.config.policy.parameters(result.config.task)
    rounded = genome.replace(mean=round_to_bits(genome.mean, shape, 2))
    scores = hebbax.evaluate(dataclasses.replace(result, genome=rounded), 6)
    assert found.by_width[2]["held out"] == pytest.approx(scores[2].mean)
    assert list(found.by_width) == list(WIDTHS)
    # Two layers share the ranges of five coefficients.
    assert (found.numbers, found.ranges) == (45, 5)


def test_command_prints_and_writes(
    run: tuple[Result, Path],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    """`hebbax evaluate --bits` leaves evaluation-bits.json; it goes with no other choice."""
    monkeypatch.setattr(cli.devices, "use_cpu_cores", lambda count: None)
    monkeypatch.setattr(cli.devices, "use_compilation_cache", lambda: None)
    cli.main(["evaluate", str(run[1]), "--episodes", "4", "--bits"])
    out = capsys.readouterr().out
    assert "45 numbers" in out
    assert "within 5%: trained on" in " ".join(out.split())
    written = json.loads((run[1] / "evaluation-bits.json").read_text())
    found = measure_bits(run[1], 4)
    assert written["fewest"] == {where: found.fewest(where) for where in EXACT}
    assert written["by_width"]["16"] == found.by_width[16]
    with pytest.raises(SystemExit):
        cli.main(["evaluate", str(run[1]), "--bits", "--best"])
    assert "leave out --sample and --best" in capsys.readouterr().err
