"""How a method shares rules, read off its configuration."""

from pathlib import Path

import pytest

import hebbax
from hebbax.comparison.results import Method, Results, Run, describe_methods
from hebbax.comparison.results.methods import sharing_of
from hebbax.evolution.run_dir import open_run
from hebbax.genomes.joint import Joint
from hebbax.genomes.normal import Normal
from hebbax.genomes.shared import FixedRules, SharedRules
from small_run import small_config

# Two inputs, three hidden neurons, one output: nine synapses.
SHARED = hebbax.ScoreFunction(population_size=8, is_mirrored=False)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ("individual", 1.0)),
        ({"policy": hebbax.Static(hidden_sizes=(3,))}, ("none", None)),
        ({"genome": SharedRules(rho=4), "strategy": SHARED}, ("evolved", 4)),
        ({"genome": SharedRules(num_rules=2), "strategy": SHARED}, ("evolved", 4.5)),
        ({"genome": FixedRules(rho=3)}, ("fixed", 3)),
        (
            {
                "genome": Joint((("rules", FixedRules(rho=3)), ("weights", Normal()))),
                "policy": hebbax.Hebbian(hidden_sizes=(3,), has_evolved_weights=True),
            },
            ("fixed", 3),
        ),
    ],
)
def test_sharing_is_read_off_the_configuration(changes: dict, expected: tuple):
    """Also behind a joint genome, whose evolved weights are no synapses of a rule.

    Mutation: counted as such they change rho.
    """
    assert sharing_of(small_config(**changes)) == expected


def test_first_run_that_has_begun_speaks_for_its_method(tmp_path: Path):
    runs = [
        Run(method, "heavy", seed, tmp_path / method / str(seed))
        for method in ("individual", "later")
        for seed in (0, 1)
    ]
    open_run(runs[1].path, small_config())
    assert describe_methods(Results(runs, [], [])) == [
        Method("individual", "individual", 1.0),
        Method("later", "none", None),
    ]
