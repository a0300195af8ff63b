"""What survives of a run: checkpoints of everything that its next generation needs.

A checkpoint appears under its final name only when it is complete; what a killed process leaves half-written has another name and is ignored.
"""

import functools
import logging
import sys
import textwrap
from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp
from jaxtyping import PyTree

KEPT = 2  # Checkpoints on disk: the newest, and the one before it.
LATE_READS = ("Event loop is closed", "Encountered error while reading array")


class Checkpoints:
    """The checkpoints in one folder, numbered by the generations that they have behind them."""

    def __init__(self, folder: Path, *, is_read_only: bool = False) -> None:
        """Opens the folder, or creates it unless it shall only be read."""
        logging.getLogger("absl").setLevel(logging.ERROR)
        self._folder = folder
        options = ocp.CheckpointManagerOptions(max_to_keep=KEPT, enable_async_checkpointing=False, create=True, read_only=is_read_only)
        if folder.is_file():
            raise ValueError(f"{folder} is a file, but must be the folder of the checkpoints")
        self._manager = ocp.CheckpointManager(folder.absolute(), options=options)

    def save(self, generation: int, state: PyTree) -> None:
        """Writes a checkpoint, and waits until it is complete."""
        self._manager.save(generation, args=ocp.args.StandardSave(state), force=True)

    def latest(self) -> int | None:
        """The generations behind the newest complete checkpoint; None where there is none."""
        return self._manager.latest_step()

    def restore(self, like: PyTree) -> PyTree:
        """Reads the newest checkpoint.

        Args:
            like: a state of the same run, whose structure, shapes and devices the restored one takes.

        Raises:
            ValueError: if the checkpoint cannot be read.
        """
        generation = self.latest()
        _silence_late_reads()
        try:
            return self._manager.restore(generation, args=ocp.args.StandardRestore(jax.tree.map(ocp.utils.to_shape_dtype_struct, like)))
        except Exception as error:  # orbax, tensorstore and zarr each raise their own.
            raise ValueError(
                f"{self._folder / str(generation)} is damaged or from another version of hebbax ({type(error).__name__}: {_first_words(error)}); "
                f"remove it to resume from an older checkpoint, or start a new run in another folder"
            ) from error

    def close(self) -> None:
        """Waits for what is being written."""
        self._manager.close()


def _first_words(error: Exception) -> str:
    """The beginning of an error: tensorstore appends its whole specification."""
    return textwrap.shorten(str(error), width=160)


@functools.cache
def _silence_late_reads() -> None:
    """Keeps quiet about what a failed reading leaves behind.

    orbax reads all arrays at once and gives up when the first cannot be read. The others report to an event loop that is closed by then, or have
    nobody to report to, and Python would print a trace for each.
    """
    report = sys.unraisablehook

    def report_others(unraisable: Any) -> None:
        if not str(unraisable.exc_value).startswith(LATE_READS):
            report(unraisable)

    sys.unraisablehook = report_others
