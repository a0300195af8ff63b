"""A connection between two processes: messages in order, and the news that the other is gone."""

import contextlib
import json
import queue
import socket
import threading
from collections.abc import Callable
from typing import Any, final

# After so many seconds without a sign of life a connection counts as cut.
SILENCE = 30
# Socket options by name, as not every system has all of them.
KEEP_ALIVE = {
    "TCP_KEEPIDLE": 10,
    "TCP_KEEPINTVL": 5,
    "TCP_KEEPCNT": (SILENCE - 10) // 5,
    "TCP_USER_TIMEOUT": 1000 * SILENCE,
}


@final
class Connection:
    """Sends and receives plain values, a JSON line each."""

    def __init__(self, stream: socket.socket, patience: float) -> None:
        """Takes over a stream.

        Args:
            stream: connected.
            patience: seconds that `receive` waits, until `watch` is called.
        """
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in KEEP_ALIVE.items():
            if hasattr(socket, name):
                stream.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        stream.settimeout(patience)
        self._stream = stream
        self._lines = stream.makefile("r", encoding="utf-8", newline="\n")
        self._writing = threading.Lock()
        self._heard: queue.Queue[Any] = queue.Queue()

    def send(self, message: Any) -> None:
        """Sends a value.

        Raises:
            OSError: if the other is gone.
        """
        with self._writing:
            self._stream.sendall((json.dumps(message) + "\n").encode())

    def receive(self) -> Any:
        """Waits for a value.

        Raises:
            OSError: if the other is gone or silent, or says what is no message.
        """
        try:
            line = self._lines.readline()
            if line.endswith("\n"):
                return json.loads(line)
        except ValueError as error:
            raise ConnectionError(f"what came is no message: {error}") from error
        raise ConnectionError("the other side has closed the connection")

    def watch(self, on_news: Callable[[Any], bool], on_end: Callable[[], Any]) -> None:
        """Has a thread receive from now on, so that an end is heard of at once.

        Args:
            on_news: called with each value; says whether it was news, and no answer for `answer`.
            on_end: called when the other is gone.
        """
        self._stream.settimeout(None)

        def listen() -> None:
            try:
                while True:
                    message = self.receive()
                    if not on_news(message):
                        self._heard.put(message)
            except OSError:
                on_end()

        threading.Thread(target=listen, daemon=True).start()

    def answer(self, seconds: float) -> Any:
        """The next value that the thread has received.

        Raises:
            queue.Empty: if there was none for so many seconds.
        """
        return self._heard.get(timeout=seconds)

    def close(self) -> None:
        """Ends the connection, also for a thread that waits for a value."""
        with contextlib.suppress(OSError):  # The other was faster.
            self._stream.shutdown(socket.SHUT_RDWR)
        self._lines.close()
        self._stream.close()
