"""What processes agree on, and what they hear of one another; here they are threads."""

import faulthandler
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from hebbax import devices
from hebbax.evolution import processes
from hebbax.evolution.connections import Connection
from hebbax.evolution.meeting import Place
from hebbax.evolution.processes import Group, LostProcessError
from tcp_pair import tcp_pair


@pytest.fixture
def groups(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Group]]:
    """Three processes, each as it sees the others."""
    monkeypatch.setattr(faulthandler, "dump_traceback_later", lambda *_, **__: None)
    pairs = [tcp_pair() for _ in range(2)]
    ends = [[Connection(stream, 10.0) for stream in pair] for pair in pairs]
    places = [Place("host", 1, 3, i) for i in range(3)]
    made = [Group(places[0], {i: ends[i - 1][0] for i in (1, 2)})]
    made += [Group(places[i], {0: ends[i - 1][1]}) for i in (1, 2)]
    yield made
    for pair in ends:
        for connection in pair:
            connection.close()


def gather_all(groups: list[Group]) -> list[list[int] | str]:
    """What each gathers of their indices, or hears instead."""

    def gather(group: Group) -> list[int] | str:
        try:
            return group.gather(group.place.process)
        except LostProcessError as error:
            return str(error)

    with ThreadPoolExecutor(3) as pool:
        return list(pool.map(gather, groups))


def test_all_gather_the_same(groups: list[Group]):
    """In the order of the processes, as often as they like."""
    for _ in range(3):
        assert gather_all(groups) == [[0, 1, 2]] * 3


def test_all_hear_of_a_loss(groups: list[Group]):
    """Those who have no connection with it hear from the first."""
    groups[1].connections[0].close()
    first, _, last = gather_all([groups[0], groups[0], groups[2]])
    assert first == last == "process 1 was lost"


def test_the_loss_of_the_first_is_heard(groups: list[Group]):
    """By each of the others."""
    for connection in groups[0].connections.values():
        connection.close()
    assert gather_all(groups[1:]) == ["process 0 was lost"] * 2


def test_a_goodbye_is_no_loss_until_somebody_waits(groups: list[Group]):
    """Mutation: a goodbye that counts at once spoils what was said before it."""
    gather_all(groups)
    groups[2].say_goodbye("process 2 has ended")
    groups[2].connections[0].close()
    time.sleep(0.1)
    assert groups[0].loss is None
    with pytest.raises(LostProcessError, match="process 2 has ended"):
        groups[0].gather(0)


def test_answers_before_a_goodbye_count(groups: list[Group]):
    """The others have sent theirs and gone, before the first asks.

    Mutation: to look for the goodbye before the answer.
    """
    for group in groups[1:]:
        group.connections[0].send([group.place.process])
        group.say_goodbye("process has ended")
    time.sleep(0.1)
    assert groups[0].gather(0) == [0, 1, 2]


def test_a_process_alone_agrees_with_itself():
    """Outside of a group."""
    assert processes.gather(1) == [1]
    assert processes.is_first()
    processes.agree({"anything": 1})
    with pytest.raises(OSError, match="disk"), processes.all_or_none():
        raise OSError("disk")
    with processes.first_before_others():
        pass


def test_who_works_apart_owns_its_folders(groups: list[Group], monkeypatch: pytest.MonkeyPatch):
    """One of many that trains by itself writes, and asks nobody.

    Mutation: an owner that goes by its index alone.
    """
    monkeypatch.setattr(processes, "_group", groups[1])
    assert not processes.is_first()
    assert processes.is_writer()
    with processes.first_before_others():
        assert processes.gather(1) == [1]
    with devices.spread():
        assert not processes.is_writer()
