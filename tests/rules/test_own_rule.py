"""A rule of one's own, as docs/own-rule.md has it, in all that is made for ours."""

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

import hebbax
from hebbax.genomes import FixedRules, SharedRules
from hebbax.watching.report import write_report
from report_page import Page
from small_run import small_config

PAGE = Path(__file__).parents[2] / "docs" / "own-rule.md"


@pytest.mark.slow
def test_own_rule_is_shared_and_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The page's rule with a trace, in under thirty lines, with every way to share rules.

    A sweep of them is trained and scored, and its report has a picture of rules for each.

    Mutation: a genome or a picture that knows five coefficients.
    """
    code = PAGE.read_text().split('title="rewarded.py"\n')[1].split("```")[0]
    assert len(code.splitlines()) < 30
    (tmp_path / "rewarded.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    rule = importlib.import_module("rewarded").Rewarded()
    policy = hebbax.Hebbian(hidden_sizes=(3,), rule=rule)
    strategy = hebbax.ScoreFunction(population_size=8, is_mirrored=False)
    ways: dict[str, Any] = {
        "own": {},
        "tied": {"encoding": hebbax.encodings.Tied(num_rules=2)},
        "mixture": {"genome": SharedRules(num_rules=2), "strategy": strategy},
        "fixed": {"genome": FixedRules(num_rules=2), "strategy": strategy},
    }
    methods = {
        name: small_config(policy=policy, generations=2, **way) for name, way in ways.items()
    }
    hebbax.sweep(methods, tmp_path / "sweep", ["heavy"], 1, 2)
    page = Page(write_report(tmp_path / "sweep").read_text())
    assert page.faults == []
    figures = {path.stem for path in (tmp_path / "sweep/figures").glob("*.svg")}
    assert {f"rule-use-{name}" for name in methods} <= figures
    sys.modules.pop("rewarded")
