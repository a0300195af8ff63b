"""Many processes get the numbers of one, and what one of them does reaches the others."""

import json
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from many import WORLDS, changed, configurations, free_port, many, numbers

import hebbax
from small_run import newest_checkpoint

ENDLESS = {"generations": 10**6, "checkpoint_every": 10**6}
SLOW = pytest.mark.slow
FEW = ("plastic", "shared", "tied")
NAMES = tuple(name for name in configurations() if name not in WORLDS)


def alone(name: str, changes: dict[str, Any]) -> dict[str, Any]:
    """The numbers of this process."""
    result = hebbax.train(changed(configurations()[name], changes))
    return numbers(result, hebbax.evaluate(result, 4))


def check_close(found: dict[str, Any], expected: dict[str, Any]) -> None:
    """Compares numbers within the rounding of sums in another order."""
    for name, values in expected.items():
        for one, other in zip(found[name], values, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("names", [FEW, pytest.param(NAMES, marks=SLOW)], ids=["few", "all"])
def test_two_processes_get_the_numbers_of_one(tmp_path: Path, names: tuple[str, ...]):
    """Of every genome, encoding and strategy, trained, evaluated and written; in both processes."""
    told = {
        "names": names,
        "changes": {"generations": 1, "evaluate_every": 1, "evaluation_episodes": 2},
        "address": f"127.0.0.1:{free_port()}",
        "folder": str(tmp_path / "runs"),
        "answer": str(tmp_path / "answer"),
    }
    with many(2, told) as processes:
        assert processes.wait(300) == [0, 0], processes.said(0) + processes.said(1)
    answers = [json.loads((tmp_path / f"answer-{i}").read_text()) for i in range(2)]
    assert answers[0] == answers[1]
    for name in names:
        check_close(answers[0][name], alone(name, told["changes"]))
        assert newest_checkpoint(tmp_path / "runs" / name) == 1


@SLOW
@pytest.mark.parametrize("name", WORLDS)
def test_the_worlds_have_the_numbers_of_one_process(tmp_path: Path, name: str):
    """Bodies and cars, for a few steps, on four processes of which each has one individual."""
    told = {
        "names": [name],
        "address": f"127.0.0.1:{free_port()}",
        "answer": str(tmp_path / "answer"),
    }
    with many(4, told) as processes:
        assert processes.wait(500) == [0] * 4, processes.said(0)
    check_close(json.loads((tmp_path / "answer-0").read_text())[name], alone(name, {}))


@pytest.mark.parametrize("count", [2, pytest.param(4, marks=SLOW)])
@pytest.mark.parametrize("victim", ["first", pytest.param("last", marks=SLOW)])
def test_a_lost_process_ends_the_others_with_all_that_was_done(
    tmp_path: Path, victim: str, count: int
):
    """Also where it is the first, which owns the folder; others go on, as many as there are."""
    lost = 0 if victim == "first" else count - 1
    told = {
        "names": ["plastic"],
        "changes": ENDLESS,
        "address": f"127.0.0.1:{free_port()}",
        "folder": str(tmp_path),
    }
    with many(count, told) as processes:
        processes.wait_for("generation 5.")
        processes.kill(lost)
        codes = processes.wait(30)
        said = [processes.said(i) for i in range(count)]
    assert codes == [-signal.SIGKILL if i == lost else 75 for i in range(count)], said
    done = newest_checkpoint(tmp_path / "plastic")
    assert done >= 5
    for i in set(range(count)) - {lost}:
        assert f"process {lost} was lost after generation {done}; what was done is kept" in said[i]
    config = changed(configurations()["plastic"], {"generations": done + 2})
    resumed = hebbax.train(config, tmp_path / "plastic")
    check_close(numbers(resumed), numbers(hebbax.train(config)))


@SLOW
def test_all_killed_go_on_from_the_last_checkpoint(tmp_path: Path):
    """On another number of processes, with the numbers of a run that was never interrupted."""
    told = {
        "names": ["plastic"],
        "changes": ENDLESS | {"checkpoint_every": 2},
        "folder": str(tmp_path),
    }
    with many(2, told | {"address": f"127.0.0.1:{free_port()}"}) as processes:
        processes.wait_for("generation 5.")
        processes.kill(0, 1)
        assert processes.wait() == [-9, -9]
    done = newest_checkpoint(tmp_path / "plastic")
    assert done >= 2
    more = {
        "changes": {"generations": done + 2},
        "address": f"127.0.0.1:{free_port()}",
        "answer": str(tmp_path / "answer"),
    }
    with many(3, told | more) as processes:
        assert processes.wait() == [0, 0, 0], processes.said(0)
    expected = alone("plastic", {"generations": done + 2})
    check_close(json.loads((tmp_path / "answer-0").read_text())["plastic"], expected)


@pytest.mark.parametrize("process", [pytest.param(0, marks=SLOW), 1])
def test_an_interrupt_of_one_ends_all_after_their_generation(tmp_path: Path, process: int):
    """Ctrl-C is heard by one process alone; all end with the same generation and code."""
    told = {
        "names": ["plastic"],
        "changes": ENDLESS,
        "address": f"127.0.0.1:{free_port()}",
        "folder": str(tmp_path),
    }
    with many(2, told) as processes:
        processes.wait_for("generation 3.")
        processes.kill(process, kind=signal.SIGINT)
        assert processes.wait() == [0, 0], processes.said(process)
    assert newest_checkpoint(tmp_path / "plastic") >= 3


@pytest.mark.parametrize("process", [0, pytest.param(1, marks=SLOW)])
def test_a_terminated_process_ends_all_with_the_last_whole_generation(tmp_path: Path, process: int):
    """SIGTERM ends one at once; the others say why they end."""
    told = {
        "names": ["plastic"],
        "changes": ENDLESS,
        "address": f"127.0.0.1:{free_port()}",
        "folder": str(tmp_path),
    }
    with many(2, told) as processes:
        processes.wait_for("generation 3.")
        processes.kill(process, kind=signal.SIGTERM)
        codes = processes.wait(30)
        said = [processes.said(i) for i in range(2)]
    assert (codes[process], codes[1 - process]) == (-signal.SIGTERM, 75), said
    assert "terminated after generation" in said[process]
    lines = (tmp_path / "plastic" / "metrics.jsonl").read_text().splitlines()
    assert newest_checkpoint(tmp_path / "plastic") == len(lines) >= 3


@SLOW
def test_a_sweep_shares_each_run(tmp_path: Path):
    """With two runs of each method together in a program; the first writes scores and archive."""
    folder = tmp_path / "sweep"
    told = {"names": ["plastic", "tied"], "sweep": str(folder)}
    with many(2, told | {"address": f"127.0.0.1:{free_port()}"}) as processes:
        assert processes.wait(200) == [0, 0], processes.said(0) + processes.said(1)
        assert "4 runs in" in processes.said(0)
        assert "runs in" not in processes.said(1)
    alone = {name: configurations()[name] for name in told["names"]}
    hebbax.sweep(alone, tmp_path / "alone", ["heavy"], 2, 4, together=True)
    for name in told["names"]:
        for seed in range(2):
            run = f"runs/{name}/heavy/seed-{seed}/evaluation.json"
            found, expected = (
                [score["mean"] for score in json.loads((one / run).read_text())["scores"]]
                for one in (folder, tmp_path / "alone")
            )
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
