"""Processes that do not fit together are refused in words, all of them."""

from pathlib import Path
from typing import Any

import pytest
from many import free_port, many

from hebbax.evolution import join_processes, meeting
from hebbax.evolution.joining import _check_devices
from hebbax.evolution.meeting import Place


def told(tmp_path: Path, **changes: Any) -> dict[str, Any]:
    """What a process is told."""
    return {"names": ["plastic"], "folder": str(tmp_path / "runs"), **changes}


def test_other_configurations_are_refused(tmp_path: Path):
    """The field is named, in both."""
    address = f"127.0.0.1:{free_port()}"
    each = [told(tmp_path, address=address, changes={"penalty": penalty}) for penalty in (0.0, 0.5)]
    with many(2, each) as processes:
        assert processes.wait(60) == [1, 1]
        for i in range(2):
            assert "penalty is 0.0, but 0.5 for process 1: all processes must" in processes.said(i)
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_a_folder_that_only_one_host_sees_is_refused(tmp_path: Path):
    """Each process is given a folder of its own."""
    address = f"127.0.0.1:{free_port()}"
    each = [told(tmp_path, address=address, folder=str(tmp_path / str(i))) for i in range(2)]
    with many(2, each) as processes:
        assert processes.wait(60) == [1, 1]
        for i in range(2):
            assert "put it where all hosts see it" in processes.said(i)


@pytest.mark.slow
def test_a_second_run_leaves_the_first_alone(tmp_path: Path):
    """Whoever comes to an address where processes are at work is turned away."""
    address = f"127.0.0.1:{free_port()}"
    endless = {"generations": 10**6}
    with many(2, told(tmp_path, address=address, changes=endless)) as first:
        first.wait_for("generation 1.")
        with many(2, told(tmp_path, address=address, folder=str(tmp_path / "second"))) as second:
            assert second.wait(60) == [1, 1]
            assert "another run may have it: choose another port" in second.said(0)
            assert "where 2 processes are at work already" in second.said(1)
        first.wait_for(f"generation {first.said(0).count('.') + 3}.")


@pytest.mark.slow
def test_more_devices_than_individuals_are_refused(tmp_path: Path):
    """Some would have nobody."""
    address = f"127.0.0.1:{free_port()}"
    with many(2, told(tmp_path, address=address, devices=5)) as processes:
        assert processes.wait(60) == [1, 1]
        for i in range(2):
            assert "population_size is 8, but the processes have 10 devices" in processes.said(i)


def test_two_processes_of_one_accelerator_are_refused():
    """CPUs' devices are each process's own; an accelerator must be."""
    first, second = ["host", "gpu", ["H200"], ["0"]], ["host", "gpu", ["H200"], ["1"]]
    _check_devices([first, second, ["other", "gpu", ["H200"], ["0"]]])
    _check_devices([["host", "cpu", ["cpu"], ["0"]]] * 2)
    with pytest.raises(ValueError, match="processes 0 and 2 have the same device of host"):
        _check_devices([first, second, first])
    with pytest.raises(ValueError, match=r"process 1 has devices of cpu \(cpu\), but process 0 of"):
        _check_devices([first, ["host", "cpu", ["cpu"], ["0"]]])


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Does not wait for those who never come."""
    monkeypatch.setattr(meeting, "PATIENCE", 1.0)


@pytest.mark.usefixtures("impatient")
def test_a_coordinator_that_cannot_be_reached_is_named():
    """Nobody listens at the port."""
    place = Place("127.0.0.1", free_port(), 2, 1)
    with pytest.raises(ValueError, match=rf"coordinator is {place}, but no process 0 has answered"):
        meeting.meet(place, {})


@pytest.mark.usefixtures("impatient")
def test_a_process_that_does_not_come_is_named():
    """The first one waits for some time."""
    place = Place("127.0.0.1", free_port(), 3, 0)
    with pytest.raises(ValueError, match="processes is 3, but processes 1, 2 did not come to 127"):
        meeting.meet(place, {})


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("host:1", 2, 2), "process is 2, but must be between 0 and 1, as processes is 2"),
        (("host", 2, 0), "coordinator is 'host', but must be HOST:PORT"),
        (("host:0", 2, 0), "coordinator is 'host:0', but must be HOST:PORT"),
        (("host:1", 0, 0), "processes is 0, but must be"),
        (("host:1", None, None), "processes and process not given"),
        ((None, None, None), "no cluster says who the processes are"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(arguments: Any, reason: str):
    """Before anything is started."""
    with pytest.raises(ValueError, match=reason):
        join_processes(*arguments)
