"""A folder has one owner at a time, whoever asks for it and however the owner ends."""

import errno
import fcntl
import os
import threading
from pathlib import Path
from typing import Any

import pytest

import hebbax
from hebbax.files import ownership
from hebbax.files.ownership import owned
from small_run import contents, newest_checkpoint, small_config, start_python

OWNER = """
import sys, time
from pathlib import Path
from typing import Any
from hebbax.files.ownership import owned
with owned(Path(sys.argv[1])):
    print("mine", flush=True)
    time.sleep(1000)
"""


def test_another_process_is_refused_until_the_owner_is_killed(tmp_path: Path):
    """A folder that a process owns is refused with its number.

    When the process is killed the folder is free.

    Mutation: a lock that is a file which is there or not stays for ever.
    """
    process = start_python(OWNER, tmp_path)
    try:
        assert process.stdout
        assert process.stdout.readline() == "mine\n"
        before = contents(tmp_path)
        with pytest.raises(
            ValueError,
            match=rf"is being worked on by process {process.pid}; wait for it, or end it first",
        ):
            hebbax.train(small_config(), tmp_path)
        assert contents(tmp_path) == before
    finally:
        process.kill()
        process.communicate()
    assert len(hebbax.train(small_config(generations=1), tmp_path).history) == 1


def test_another_thread_is_refused(tmp_path: Path):
    """While a run trains, another thread of the same process cannot train in its folder.

    The run is not disturbed, and the folder is free afterwards.

    Mutation: a lock of the whole process (`lockf`) lets both write.
    """
    errors: list[Exception] = []

    def train_again() -> None:
        try:
            hebbax.train(small_config(), tmp_path)
        except ValueError as error:
            errors.append(error)

    def in_another_thread(*_: Any) -> None:
        thread = threading.Thread(target=train_again)
        thread.start()
        thread.join()

    hebbax.train(small_config(), tmp_path, callbacks=[in_another_thread])
    assert len(errors) == 4
    assert all(
        f"is being worked on by another thread of this process, {os.getpid()};" in str(error)
        for error in errors
    )
    assert newest_checkpoint(tmp_path) == 4
    assert len(hebbax.train(small_config(generations=5), tmp_path).history) == 5


def test_owner_on_another_machine_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Where this machine's kernel does not know who has the lock, the words say so."""
    monkeypatch.setattr(ownership, "LOCKS", tmp_path / "nowhere")
    with (
        owned(tmp_path),
        pytest.raises(ValueError, match="by another process, perhaps on another machine; wait"),
        owned(tmp_path),
    ):
        pass


def test_file_system_without_locks_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Where there are no locks the work goes on with a warning; any other error is one."""

    def refuse(number: int) -> None:
        def flock(*_: object) -> None:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(fcntl, "flock", flock)

    refuse(errno.ENOLCK)
    with pytest.warns(UserWarning, match="is on a file system without locks"), owned(tmp_path):
        pass
    refuse(errno.EIO)
    with pytest.raises(OSError, match=os.strerror(errno.EIO)), owned(tmp_path):
        pass
