"""Who works in a folder: one process, or one thread of it, at a time."""

import contextlib
import datetime
import errno
import fcntl
import os
import socket
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

LOCK = ".lock"
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)  # What file systems without locks say.


@contextlib.contextmanager
def owned(folder: Path) -> Iterator[None]:
    """Keeps everybody else out of a folder. The operating system lets go of it when the process ends, however it ends.

    Args:
        folder: is there.

    Raises:
        ValueError: if somebody else owns the folder; the error says who.
    """
    with (folder / LOCK).open("a+", encoding="utf-8") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(f"{folder} is being worked on by {_owner(stream)}; wait for it, or end it first") from None
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
            warnings.warn(
                f"{folder} is on a file system without locks ({error}): see to it that no other process works in it", stacklevel=3
            )
        stream.truncate(0)
        stream.write(_myself())
        stream.flush()
        # The file stays when the owner goes: to remove it could take away the lock of the next one.
        yield


def _owner(stream: TextIO) -> str:
    stream.seek(0)
    return stream.read().strip() or "another process"


def _myself() -> str:
    thread = threading.current_thread()
    which = "" if thread is threading.main_thread() else f", thread {thread.name}"
    return f"process {os.getpid()} on {socket.gethostname()}{which}, since {datetime.datetime.now().astimezone().isoformat(timespec='seconds')}"
