"""Messages between two ends of a connection."""

import queue
import threading
from collections.abc import Iterator

import pytest

from hebbax.evolution.connections import Connection
from tcp_pair import tcp_pair


@pytest.fixture
def ends() -> Iterator[tuple[Connection, Connection]]:
    """Of a connection."""
    one, other = (Connection(stream, 5.0) for stream in tcp_pair())
    yield one, other
    one.close()
    other.close()


def test_messages_come_in_order(ends: tuple[Connection, Connection]):
    """Whatever JSON can say."""
    messages = [{"a": [1, None]}, [], "x\ny", 0.5]
    for message in messages:
        ends[0].send(message)
    assert [ends[1].receive() for _ in messages] == messages


def test_news_are_told_apart_and_the_end_is_heard(ends: tuple[Connection, Connection]):
    """By the thread that listens."""
    news, is_over = [], threading.Event()

    def note(message: object) -> bool:
        if isinstance(message, dict):
            news.append(message)
        return isinstance(message, dict)

    ends[1].watch(note, is_over.set)
    for message in ([1], {"gone": "x"}, [2]):
        ends[0].send(message)
    assert [ends[1].answer(5.0), ends[1].answer(5.0)] == [[1], [2]]
    assert news == [{"gone": "x"}]
    assert not is_over.is_set()
    ends[0].close()
    assert is_over.wait(5.0)
    with pytest.raises(queue.Empty):
        ends[1].answer(0.01)


def test_what_is_no_message_ends_the_connection(ends: tuple[Connection, Connection]):
    """A stranger's words."""
    ends[0]._stream.sendall(b"hello\n")
    with pytest.raises(ConnectionError, match="what came is no message"):
        ends[1].receive()
