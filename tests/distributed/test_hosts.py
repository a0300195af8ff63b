"""Two hosts with an address each, on a link that is slow, or is cut."""

import json
from pathlib import Path

import link
import pytest
from many import changed, configurations, many, numbers
from test_training import ENDLESS, alone, check_close

import hebbax
from small_run import newest_checkpoint

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not link.is_possible(), reason="no network namespaces here, or no root"),
]
SLOW = 0.025  # s one way.


def test_a_slow_link_changes_no_number(tmp_path: Path):
    """50 ms to the other host and back."""
    told = {
        "names": ["plastic", "tied"],
        "changes": {"generations": 4},
        "address": f"{link.ADDRESSES[0]}:7654",
        "folder": str(tmp_path / "runs"),
        "answer": str(tmp_path / "answer"),
    }
    with link.linked(SLOW), many(2, told, wrap=link.WRAPS) as processes:
        assert processes.wait() == [0, 0], processes.said(0) + processes.said(1)
    answers = json.loads((tmp_path / "answer-0").read_text())
    for name in told["names"]:
        check_close(answers[name], alone(name, told["changes"]))


def test_a_cut_link_ends_both_hosts(tmp_path: Path):
    """Nobody is told by the network; both end within a minute, and nothing is lost."""
    told = {
        "names": ["plastic"],
        "changes": ENDLESS,
        "address": f"{link.ADDRESSES[0]}:7654",
        "folder": str(tmp_path),
    }
    with link.linked(0.001) as carrier, many(2, told, wrap=link.WRAPS) as processes:
        processes.wait_for("generation 5.")
        link.cut(carrier)
        codes = processes.wait(60)
        said = [processes.said(i) for i in range(2)]
    assert codes == [75, 75], said
    done = newest_checkpoint(tmp_path / "plastic")
    assert done >= 5
    for i in range(2):
        assert f"process {1 - i} was lost after generation {done}; what was done" in said[i]
    config = changed(configurations()["plastic"], {"generations": done + 1})
    check_close(numbers(hebbax.train(config, tmp_path / "plastic")), numbers(hebbax.train(config)))
