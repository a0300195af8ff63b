"""All pictures of a sweep, of which one run has really lived."""

import dataclasses
import shutil
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

import hebbax
from fake_sweep import make_sweep
from hebbax.comparison.results import collect
from hebbax.evolution.result import Result, load_result
from hebbax.watching.visualization import sweep
from hebbax.watching.visualization.sweep import draw_sweep, find_rules
from small_run import small_config


def test_pictures_of_a_sweep_are_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Three pictures of the sweep, and two of the rules of the one run that has a checkpoint.

    None of rules that are not finite.

    Mutation: static methods asked for rules have none.
    """
    configs = {
        "static": small_config(policy=hebbax.Static(hidden_sizes=(3,))),
        "individual": small_config(),
    }
    folder = make_sweep(
        tmp_path, configs, range(1), {"static": (10.0, 5.0), "individual": (10.0, 9.0)}
    )
    lived = folder / "runs" / "individual" / "medium" / "seed-0"
    shutil.rmtree(lived)
    hebbax.train(dataclasses.replace(small_config(), held_out="medium", generations=1), lived)

    names = [
        "learning-curves",
        "fitness-over-rho",
        "generalisation-matrix",
        "rule-use-individual",
        "weight-changes-individual",
    ]
    drawn = draw_sweep(folder)
    assert list(drawn) == names
    assert sorted(path.name for path in (folder / "figures").iterdir()) == sorted(
        f"{name}.{end}" for name in names for end in ("svg", "png")
    )
    assert "individual: medium, seed-0" in drawn["rule-use-individual"][0].read_text()

    with monkeypatch.context() as patch:
        # A network of one's own may change by other means than a rule.
        patch.setattr(sweep, "rule_of", lambda policy: None)
        assert find_rules(collect(folder)) == {}

    def load_broken(run_dir: Path) -> Result:
        result = load_result(run_dir)
        return dataclasses.replace(
            result, genome=jax.tree.map(lambda leaf: jnp.full_like(leaf, jnp.nan), result.genome)
        )

    monkeypatch.setattr(sweep, "load_result", load_broken)
    assert find_rules(collect(folder)) == {}
