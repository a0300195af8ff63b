"""How a process ends before its time, and what it says then."""

import contextlib
import os
import signal
import sys
from typing import NoReturn

# The exit code by which shells know a process that SIGTERM ended.
TERMINATED = 128 + signal.SIGTERM


def say(sentence: str) -> None:
    """Says something on stderr, above a progress bar if there is one.

    A sentence that cannot be said ends nothing.
    """
    # Closed, or interrupted in the middle of another sentence.
    with contextlib.suppress(OSError, RuntimeError, ValueError):
        print(sentence, file=sys.stderr, flush=True)


def end_process(code: int) -> NoReturn:
    """Ends the process at once.

    Python's own way out waits for what the devices are computing, and JAX's for other processes.
    """
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
    os._exit(code)


def end_as_terminated() -> NoReturn:
    """Ends the process as SIGTERM does by default."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.raise_signal(signal.SIGTERM)
    os._exit(TERMINATED)  # By default no signal ends the first process of a container.
