"""Processes meet, or are told why not; here they are threads."""

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from hebbax.evolution import meeting
from hebbax.evolution.connections import Connection
from hebbax.evolution.meeting import Met, Place, meet

pytestmark = pytest.mark.usefixtures("met")


@pytest.fixture
def port() -> int:
    """A free one."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.fixture
def met(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Connection]]:
    """All connections that are made, closed afterwards."""
    made: list[Connection] = []
    theirs = meeting.Connection

    def connect(stream: socket.socket, patience: float) -> Connection:
        made.append(theirs(stream, patience))
        return made[-1]

    monkeypatch.setattr(meeting, "Connection", connect)
    yield made
    for connection in made:
        connection.close()


def meet_all(places: list[Place], facts: Callable[[int], dict[str, Any]]) -> list[Any]:
    """What each process gets, or the error it is told."""

    def come(place: Place) -> Met | str:
        try:
            return meet(place, facts(place.process))
        except ValueError as error:
            return str(error)

    with ThreadPoolExecutor(len(places)) as pool:
        return list(pool.map(come, places))


def test_all_who_agree_are_connected(port: int):
    """The first with each of the others, and they with the first."""
    places = [Place("127.0.0.1", port, 3, i) for i in range(3)]
    first, *others = meet_all(places, lambda _: {"jax": "1"})
    assert sorted(first.connections) == [1, 2]
    for i, other in enumerate(others, 1):
        assert list(other.connections) == [0]
        assert other.port == first.port
        other.connections[0].send([i])
        assert first.connections[i].receive() == [i]


def test_all_hear_of_a_difference(port: int):
    """It is named, with whose it is."""
    places = [Place("127.0.0.1", port, 3, i) for i in range(3)]
    told = meet_all(places, lambda i: {"python": "3", "jax": "2" if i == 2 else "1"})
    assert set(told) == {
        'jax is "1", but "2" for process 2: all processes must have the same, or their programs '
        "would not fit together"
    }


def test_other_numbers_of_processes_are_refused(port: int):
    """Both are told."""
    places = [Place("127.0.0.1", port, 2, 0), Place("127.0.0.1", port, 4, 1)]
    told = meet_all(places, lambda _: {})
    assert set(told) == {
        "processes is 4 for process 1, but 2 for process 0; all must be told the same number"
    }


def test_the_second_of_an_index_is_turned_away(port: int):
    """The others meet."""
    places = [Place("127.0.0.1", port, 3, i) for i in (0, 1, 1)]
    with ThreadPoolExecutor(4) as pool:
        first, *same = [pool.submit(meet, place, {}) for place in places]
        refused = next(one for one in same if _fails(one))
        assert "process is 1, but a process 1 has come to" in str(refused.exception())
        last = pool.submit(meet, Place("127.0.0.1", port, 3, 2), {})
        assert sorted(first.result().connections) == [1, 2]
        assert last.result().port == first.result().port


def _fails(future: Any) -> bool:
    """Whether it has failed within a second."""
    try:
        return future.exception(1) is not None
    except TimeoutError:
        return False


def test_strangers_are_left_out(port: int):
    """Whoever says something else than a process does is not counted."""
    places = [Place("127.0.0.1", port, 2, i) for i in range(2)]
    done = threading.Event()

    def intrude() -> None:
        while not done.is_set():
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=1) as stream:
                    stream.sendall(b"GET / HTTP/1.0\n\n")
                    done.set()
            except OSError:
                done.wait(0.01)

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(meet, places[0], {})
        intrude()
        other = pool.submit(meet, places[1], {})
        assert list(first.result().connections) == [1]
        assert list(other.result().connections) == [0]
