"""Many processes that work as one: who they are, what they agree on, and who of them was lost.

Each runs the same program on a mesh of all their devices. The first one alone writes and prints.
Beside JAX's own channels each has a connection with the first, which carries what they agree on; a
process alone agrees with itself, so that nobody else asks how many there are.
"""

import contextlib
import faulthandler
import functools
import queue
import time
from collections.abc import Iterator, Mapping
from typing import Any, final

from hebbax import devices
from hebbax.evolution import meeting
from hebbax.evolution.connections import Connection
from hebbax.evolution.meeting import Place

STEP = 0.05  # s, between two looks at whether somebody was lost.
LAST_WORDS = 60  # s, which a process has to keep its state after another was lost.
NEWS_TIME = 5.0  # s, for which an error of JAX may be ahead of the news why it came.


class LostProcessError(RuntimeError):
    """Another process was lost, so that this one cannot go on; what was done is kept."""


@final
class Group:
    """The processes, seen from one of them.

    place: which it is.
    connections: with each other one for the first, with the first for the others.
    loss: who was lost and how, in words; None while all are there.
    is_at_work: whether all do something together.
    """

    def __init__(self, place: Place, connections: Mapping[int, Connection]) -> None:
        self.place, self.connections = place, connections
        self.loss: str | None = None
        self.is_at_work = False
        self._gone: dict[int, str] = {}
        for index, connection in connections.items():
            connection.watch(
                functools.partial(self._note, index),
                functools.partial(self._note, index, {"gone": f"process {index} was lost"}),
            )

    def _note(self, index: int, message: Any) -> bool:
        """Takes down what is no answer, but news of somebody who is gone.

        Who is gone when all is done is no loss; the main thread knows.
        """
        if isinstance(message, dict):
            self._gone.setdefault(index, message["gone"])
        return isinstance(message, dict)

    def lose(self, sentence: str) -> None:
        """Takes down a loss, the first one alone, and tells the others."""
        if self.loss:
            return
        self.loss = sentence
        # However this ends: without Python's help, for the main thread may be stuck in a device.
        faulthandler.dump_traceback_later(LAST_WORDS, exit=True)
        if self.place.process == 0:
            self.say_goodbye(sentence)

    def say_goodbye(self, reason: str) -> None:
        """Tells the others that this process works with them no longer, and why."""
        for connection in self.connections.values():
            with contextlib.suppress(OSError):
                connection.send({"gone": reason})

    def gather(self, value: Any) -> list[Any]:
        """What each process has, in their order. All must call it; values are plain ones."""
        if self.place.process == 0:
            values = [value, *(self._answer(i) for i in range(1, self.place.num_processes))]
            for connection in self.connections.values():
                self._send(connection, values)
            return values
        self._send(self.connections[0], [value])
        return self._answer(0, is_whole=True)

    def _send(self, connection: Connection, values: list[Any]) -> None:
        # Where it cannot be sent, the thread that listens has the news.
        with contextlib.suppress(OSError):
            connection.send(values)

    def _answer(self, index: int, *, is_whole: bool = False) -> Any:
        while True:
            # Asked first: what came before the goodbye is an answer still.
            is_gone = bool(self._gone)
            try:
                values = self.connections[index].answer(STEP)
            except queue.Empty:
                if is_gone or self.loss:
                    self.raise_if_lost()
                continue
            return values if is_whole else values[0]

    def raise_if_lost(self) -> None:
        """Raises `LostProcessError` if somebody is gone, while all are at work."""
        if self._gone:
            self.lose(next(iter(self._gone.values())))
        if self.loss:
            raise LostProcessError(self.loss)


_group: Group | None = None


def set_group(group: Group) -> None:
    """Makes this process one of a group, for as long as it lives."""
    global _group
    _group = group


def group() -> Group | None:
    """The processes that this one has joined; None if it is alone."""
    return _group


def is_joined() -> bool:
    """Whether this process has joined others."""
    return _group is not None


def is_first() -> bool:
    """Whether this process prints: it is the first, or alone."""
    return _group is None or _group.place.process == 0


def is_writer() -> bool:
    """Whether this process owns folders: of those that work together the first one does."""
    return not devices.are_spread() or is_first()


def agree(facts: Mapping[str, Any]) -> None:
    """Refuses facts that differ between the processes, in all of them.

    Raises:
        ValueError: it names the first that differs.
    """
    first, *others = gather(dict(facts))
    for index, theirs in enumerate(others, 1):
        if differing := meeting.difference(first, theirs, index):
            raise ValueError(differing)


def gather(value: Any) -> list[Any]:
    """What each process has, in their order; outside of `together` this one's alone.

    All must call it; values are plain ones.
    """
    return _group.gather(value) if _group and devices.are_spread() else [value]


def share(value: Any) -> Any:
    """What the first process has. All must call it; the values of the others do not count."""
    return gather(value)[0]


@contextlib.contextmanager
def all_or_none() -> Iterator[None]:
    """What is done within it, all processes have done afterwards; an error in one is one in all.

    Raises:
        ValueError: what another process raised.
    """
    try:
        yield
    except LostProcessError:
        raise
    except BaseException as error:
        gather(str(error) or type(error).__name__)
        raise
    for index, problem in enumerate(gather(None)):
        if problem is not None:
            raise ValueError(f"process {index}: {problem}")


@contextlib.contextmanager
def first_before_others() -> Iterator[None]:
    """As `all_or_none`, but the others wait until the first is done with it."""
    if not is_writer():
        with all_or_none():
            pass
    with all_or_none():
        yield
    if is_writer():
        with all_or_none():
            pass


def raise_if_lost() -> None:
    """Within `together`, raises `LostProcessError` if a process is gone."""
    if _group is not None and devices.are_spread():
        _group.raise_if_lost()


def await_news() -> None:
    """Waits a little for the news that a process is gone, as `raise_if_lost` tells it.

    JAX's collectives may fail before.
    """
    deadline = time.monotonic() + NEWS_TIME
    while devices.are_spread() and time.monotonic() < deadline:
        raise_if_lost()
        time.sleep(STEP)
