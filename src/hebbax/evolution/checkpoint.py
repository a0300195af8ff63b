"""What survives of a run: checkpoints of everything that its next generation needs.

A checkpoint appears under its final name only when it is complete; what a killed process leaves
half-written has another name and is ignored.
"""

import contextlib
import functools
import logging
import re
import sys
import tempfile
import textwrap
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any
from unittest import mock

import jax
import numpy as np
import orbax.checkpoint as ocp
from jaxtyping import PyTree
from orbax.checkpoint._src.futures import signaling_client
from orbax.checkpoint._src.multihost import multihost

KEPT = 2  # Checkpoints on disk: the newest, and the one before it.
PLAIN = re.compile(r"[\w /.+=@~-]*")  # Paths without signs that mean something to anybody.
LATE_READS = ("Event loop is closed", "Encountered error while reading array")


class Checkpoints:
    """The checkpoints in one folder, numbered by the generations that they have behind them."""

    def __init__(self, folder: Path, *, is_read_only: bool = False) -> None:
        """Opens the folder, or creates it unless it shall only be read."""
        logging.getLogger("absl").setLevel(logging.ERROR)
        if folder.is_file():
            raise ValueError(f"{folder} is a file, but must be the folder of the checkpoints")
        if not is_read_only:
            folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._alias = ExitStack()
        self._is_read_only = is_read_only
        self._path = self._plain_path()
        self._manager = self._open()
        self._writer = ThreadPoolExecutor(max_workers=1)
        self._writing: Future[None] | None = None

    def _plain_path(self) -> Path:
        """The folder by a path that orbax can take.

        Brackets and stars it expands as a pattern, and finds other folders or none.
        """
        path = self._folder.absolute()
        if PLAIN.fullmatch(str(path)):
            return path
        link = (
            Path(self._alias.enter_context(tempfile.TemporaryDirectory(prefix="hebbax-")))
            / "checkpoints"
        )
        link.symlink_to(path)
        return link

    def _open(self) -> ocp.CheckpointManager:
        with _by_itself():
            return ocp.CheckpointManager(
                self._path,
                options=ocp.CheckpointManagerOptions(
                    enable_async_checkpointing=False,
                    create=False,
                    read_only=self._is_read_only,
                    multiprocessing_options=ocp.options.MultiprocessingOptions(
                        primary_host=0, active_processes={0}
                    ),
                ),
            )

    def save(self, generation: int, state: PyTree) -> None:
        """Begins to write a checkpoint, which goes on beside what comes next.

        Older ones are removed once it has been read back.

        Raises:
            OSError: if the one before could not be written, or is not what was written; older ones
                are left.
        """
        self.wait()
        self._writing = self._writer.submit(self._write, generation, jax.device_get(state))

    def wait(self) -> None:
        """Waits for what is being written.

        Raises:
            OSError: as for `save`.
        """
        if self._writing:
            writing, self._writing = self._writing, None
            writing.result()

    def _write(self, generation: int, state: PyTree) -> None:
        with _by_itself():
            self._save_and_check(generation, state)

    def _save_and_check(self, generation: int, state: PyTree) -> None:
        self._manager.save(generation, args=ocp.args.StandardSave(state), force=True)
        try:
            read = self._manager.restore(generation, args=ocp.args.StandardRestore(state))
            is_equal = all(map(_is_equal, jax.tree.leaves(read), jax.tree.leaves(state)))
        except Exception as error:  # orbax, tensorstore and zarr each raise their own.
            self._manager.delete(generation)
            raise OSError(
                f"{self._folder / str(generation)} was written, but cannot be read: "
                f"{_first_words(error)}"
            ) from error
        if not is_equal:
            self._manager.delete(generation)
            raise OSError(f"{self._folder / str(generation)} was written, but holds other numbers")
        for old in sorted(self._manager.all_steps())[:-KEPT]:
            self._manager.delete(old)

    def latest(self) -> int | None:
        """The generations behind the newest complete checkpoint; None where there is none."""
        self.wait()
        with _by_itself():
            return self._manager.latest_step()

    def restore_newest(self, like: PyTree) -> tuple[int, PyTree] | None:
        """Reads the newest checkpoint.

        Args:
            like: a state of the same run, whose structure, shapes and devices the restored one
                takes.

        Returns:
            The generations behind it, and the state; None if there is no checkpoint.

        Raises:
            ValueError: if the checkpoint cannot be read.
        """
        _silence_late_reads()
        with _by_itself():
            return self._restore_newest(like)

    def _restore_newest(self, like: PyTree) -> tuple[int, PyTree] | None:
        while (generation := self.latest()) is not None:
            try:
                shapes = jax.tree.map(ocp.utils.to_shape_dtype_struct, like)
                return generation, self._manager.restore(
                    generation, args=ocp.args.StandardRestore(shapes)
                )
            except Exception as error:  # orbax, tensorstore and zarr each raise their own.
                if (self._folder / str(generation)).exists():
                    raise ValueError(
                        f"{self._folder / str(generation)} is damaged or from another version of "
                        f"hebbax ({type(error).__name__}: "
                        f"{_first_words(error)}); remove it to resume from an older checkpoint, or "
                        "start a new run in another folder"
                    ) from error
                # The run goes on elsewhere, and has replaced it by a newer one.
                self._manager.close()
                self._manager = self._open()
        return None

    def close(self) -> None:
        """Waits for what is being written.

        Raises:
            OSError: as for `save`.
        """
        with self._alias, closing(self._manager), self._writer:
            self.wait()


_alone = threading.RLock()


@contextlib.contextmanager
def _by_itself() -> Iterator[None]:
    """Has orbax work in this process as if it had no others.

    All have the whole state, so that there is nothing to write together; and where the first one is
    lost, orbax would wait for it for ever when another writes the last checkpoint.
    """
    if jax.process_count() == 1:
        yield
        return
    with (
        _alone,
        mock.patch.multiple(
            multihost,
            process_index=lambda: 0,
            process_count=lambda: 1,
            is_jax_distributed_client_initialized=lambda: False,
        ),
        mock.patch.object(
            signaling_client,
            "get_signaling_client",
            functools.cache(signaling_client.ThreadSafeKeyValueSignalingClient),
        ),
    ):
        yield


def _is_equal(one: Any, other: Any) -> bool:
    return one.dtype == other.dtype and np.asarray(one).tobytes() == np.asarray(other).tobytes()


def _first_words(error: Exception) -> str:
    """The beginning of an error: tensorstore appends its whole specification."""
    return textwrap.shorten(str(error), width=160)


@functools.cache
def _silence_late_reads() -> None:
    """Keeps quiet about what a failed reading leaves behind.

    orbax reads all arrays at once and gives up when the first cannot be read. The others report to
    an event loop that is closed by then, or have nobody to report to, and Python would print a
    trace for each.
    """
    report = sys.unraisablehook

    def report_others(unraisable: Any) -> None:
        if not str(unraisable.exc_value).startswith(LATE_READS):
            report(unraisable)

    sys.unraisablehook = report_others
