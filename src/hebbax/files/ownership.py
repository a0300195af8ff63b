"""Who works in a folder: one process, or one thread of it, at a time."""

import contextlib
import errno
import fcntl
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import IO

LOCK = ".lock"
LOCKS = Path("/proc/locks")  # Linux's list of who holds which lock on this machine.
# What file systems without locks say.
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)


@contextlib.contextmanager
def owned(folder: Path) -> Iterator[None]:
    """Keeps everybody else out of a folder.

    The operating system lets go of it when the process ends, however it ends.

    Args:
        folder: is there.

    Raises:
        ValueError: if somebody else owns the folder; the error says who.
    """
    # The file is empty, and stays when the owner goes: to remove it could take away the lock of the
    # next one.
    with (folder / LOCK).open("ab") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(
                f"{folder} is being worked on by {_owner(stream)}; wait for it, or end it first"
            ) from None
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
            warnings.warn(
                f"{folder} is on a file system without locks ({error}): see to it that no other "
                "process works in it",
                stacklevel=3,
            )
        yield


def _owner(stream: IO[bytes]) -> str:
    """Who holds the lock of a file, in words."""
    inode = str(os.fstat(stream.fileno()).st_ino)
    # Such as "1: FLOCK  ADVISORY  WRITE 1234 08:02:5678 0 EOF".
    locks = [line.split() for line in LOCKS.read_text().splitlines()] if LOCKS.exists() else []
    process = next(
        (
            int(lock[4])
            for lock in locks
            if lock[1] == "FLOCK" and lock[5].rpartition(":")[2] == inode
        ),
        0,
    )
    if process == os.getpid():
        return f"another thread of this process, {process}"
    return f"process {process}" if process > 0 else "another process, perhaps on another machine"
