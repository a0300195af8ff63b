"""How processes meet: the others come to the first one's address, and say who they are.

They meet before JAX starts: its own service ends processes without a word where one cannot be
reached, where two runs share an address, or where the processes disagree.
"""

import json
import socket
import threading
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from hebbax.evolution.connections import Connection

PATIENCE = 50.0  # s, for which processes wait for one another.
STEP = 0.2  # s, between two attempts.
_TWICE = (
    "process is {0}, but a process {0} has come to {1} before; give each an index of its own, and "
    "each run a port of its own"
)

Facts = Mapping[str, Any]


class Place(NamedTuple):
    """Where processes meet, and which of them this one is.

    host: of the first.
    port: where it listens.
    num_processes: how many there are.
    process: which one this is, counted from 0.
    """

    host: str
    port: int
    num_processes: int
    process: int

    def __str__(self) -> str:
        """The address."""
        return f"{self.host}:{self.port}"


class Met(NamedTuple):
    """What comes of a meeting.

    connections: with each other process for the first one, with the first for the others.
    port: a free one beside the first process, where JAX's service may be.
    """

    connections: dict[int, Connection]
    port: int


def meet(place: Place, facts: Facts) -> Met:
    """Meets the other processes.

    Args:
        place: where, and as which.
        facts: in which all must agree: names and plain values.

    Raises:
        ValueError: in every process, if one does not come within `PATIENCE`, comes twice, or does
            not agree; or if the address cannot be used.
    """
    return _receive_others(place, facts) if place.process == 0 else _come(place, facts)


def difference(first: Facts, other: Facts, process: int) -> str | None:
    """The first fact in which a process differs from the first one, in words; None if none does."""
    for name in dict.fromkeys([*other, *first]):
        if first.get(name) != other.get(name):
            return (
                f"{name} is {json.dumps(first.get(name))}, but {json.dumps(other.get(name))} for "
                f"process {process}: all processes must have the same, or their programs would not "
                "fit together"
            )
    return None


def _come(place: Place, facts: Facts) -> Met:
    """Goes to the first process."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            stream = socket.create_connection((place.host, place.port), timeout=PATIENCE / 4)
            break
        except OSError as error:
            if time.monotonic() > deadline:
                raise ValueError(
                    f"coordinator is {place}, but no process 0 has answered there for "
                    f"{PATIENCE:.0f} s ({error}); start it, give the address that all hosts reach "
                    "it by, and let no firewall close it"
                ) from error
            time.sleep(STEP)
    connection = Connection(stream, 2 * PATIENCE)
    try:
        connection.send(
            {"process": place.process, "processes": place.num_processes, "facts": facts}
        )
        reply = connection.receive()
    except OSError as error:
        connection.close()
        raise ValueError(
            f"coordinator is {place}, which does not answer as a process 0 of hebbax does ({error})"
        ) from error
    if "refused" in reply:
        connection.close()
        raise ValueError(reply["refused"])
    return Met({0: connection}, reply["port"])


def _receive_others(place: Place, facts: Facts) -> Met:
    """Waits for the others as the first process."""
    try:
        # Without SO_REUSEPORT, so that two runs cannot share an address.
        door = socket.create_server(("", place.port), backlog=place.num_processes)
    except (OSError, OverflowError) as error:
        raise ValueError(
            f"coordinator is {place}, but process 0 cannot listen at this port ({error}); another "
            "run may have it: choose another port"
        ) from error
    come, problem = _let_in(door, place, facts)
    port = _free_port()
    reply = {"refused": problem} if problem else {"port": port}
    for connection in come.values():
        _tell(connection, reply)
    if problem:
        for connection in come.values():
            connection.close()
        door.close()
        raise ValueError(problem)
    threading.Thread(target=_turn_away, args=(door, place), daemon=True).start()
    return Met(come, port)


def _let_in(
    door: socket.socket, place: Place, facts: Facts
) -> tuple[dict[int, Connection], str | None]:
    """Waits until the others are there; returns them, and what is wrong with one of them."""
    come: dict[int, Connection] = {}
    problem = None
    deadline = time.monotonic() + PATIENCE
    while len(come) < place.num_processes - 1:
        door.settimeout(max(STEP, deadline - time.monotonic()))
        try:
            guest = Connection(door.accept()[0], PATIENCE / 4)
        except TimeoutError:
            missing = sorted(set(range(1, place.num_processes)) - set(come))
            return come, problem or (
                f"processes is {place.num_processes}, but {_named(missing)} did not come to "
                f"{place} within {PATIENCE:.0f} s; start all of them within this time"
            )
        try:
            hello = guest.receive()
            index, count, theirs = int(hello["process"]), hello["processes"], dict(hello["facts"])
        except (OSError, KeyError, TypeError, ValueError):
            guest.close()  # Whatever it is, it is no process of a run.
            continue
        if index in come:
            _tell(guest, {"refused": _TWICE.format(index, place)})
            guest.close()
            continue
        come[index] = guest
        if not problem and (problem := _refusal(place, facts, index, count, theirs)):
            # Those who come now are told, too.
            deadline = min(deadline, time.monotonic() + PATIENCE / 10)
    return come, problem


def _refusal(place: Place, facts: Facts, index: Any, count: Any, theirs: Facts) -> str | None:
    """Why a process does not belong to the others; None if it does."""
    if count != place.num_processes:
        return (
            f"processes is {count} for process {index}, but {place.num_processes} for process 0; "
            "all must be told the same number"
        )
    return difference(facts, theirs, index)


def _turn_away(door: socket.socket, place: Place) -> None:
    """Tells those who come later that all are here."""
    door.settimeout(None)
    while True:
        try:
            guest = Connection(door.accept()[0], PATIENCE / 4)
        except OSError:
            return
        _tell(
            guest,
            {
                "refused": f"coordinator is {place}, where {place.num_processes} processes are at "
                "work already; choose another port for another run"
            },
        )
        guest.close()


def _tell(connection: Connection, message: Any) -> None:
    """Sends a message to somebody who may be gone."""
    try:
        connection.send(message)
    except OSError:
        connection.close()


def _free_port() -> int:
    with socket.create_server(("", 0)) as server:
        return server.getsockname()[1]


def _named(indices: list[int]) -> str:
    """Some processes in words."""
    few = ", ".join(map(str, indices[:8])) + (" and others" if len(indices) > 8 else "")
    return f"process{'es' if len(indices) > 1 else ''} {few}"
