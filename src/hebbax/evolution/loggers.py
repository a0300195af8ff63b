"""Callbacks that take down a run's metrics for TensorBoard and for Weights & Biases.

What is taken down of a generation has its number as its step. A logger begins with the generations
that the run has behind it, so that nothing is missing that a killed process has taken along.
"""

import importlib
import json
from pathlib import Path
from typing import Any, Literal, final

from hebbax.config import Config
from hebbax.evolution.result import Metrics
from hebbax.evolution.run import Handle
from hebbax.files import local_path, write_whole
from hebbax.types import checks

FLUSH_SECONDS = 1  # What TensorBoard shows is so old, and what a killed process takes along.


@final
class TensorBoard:
    """Takes down a run's metrics for TensorBoard, and its configuration as a text.

    A callback of `hebbax.train`, which closes it. A resumed run goes on in the same folder, in a
    new file, which has all generations from the first on; TensorBoard shows none twice.

    Args:
        folder: of this run alone; it is made with the first generation.

    Raises:
        ModuleNotFoundError: if tensorboardX is not installed.

    Examples:
        >>> import hebbax
        >>> task, policy = hebbax.tasks.Point(), hebbax.Hebbian(hidden_sizes=())
        >>> strategy = hebbax.ScoreFunction(population_size=4)
        >>> config = hebbax.Config(task, policy, hebbax.Normal(), strategy, generations=2)
        >>> logger = hebbax.loggers.TensorBoard("runs/point/tensorboard")
        >>> result = hebbax.train(config, "runs/point", callbacks=[logger])
    """

    def __init__(self, folder: str | Path) -> None:
        """Prepares it; nothing is written yet."""
        self._folder = local_path(folder, "folder")
        self._module = _load("tensorboardX", "TensorBoard", "tensorboard")
        self._writer: Any = None
        self._config: Config | None = None

    def __call__(self, metrics: Metrics, handle: Handle) -> None:
        """Takes down a generation."""
        if self._writer is None:
            self._config, self._writer = handle.config, self._open(handle, metrics["generation"])
        _refuse_second_run(self, self._config, handle)
        self._write(self._writer, metrics, handle)

    def close(self) -> None:
        """Writes what is left, and closes the file."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _write(self, writer: Any, metrics: Metrics, handle: Handle) -> None:
        for name, number in to_scalars(metrics, handle.config.held_out).items():
            writer.add_scalar(name, number, metrics["generation"])

    def _open(self, handle: Handle, generation: int) -> Any:
        # The names of files have the second in which they are made; two of one second differ by
        # their suffix. What earlier files have from the purged step on is hidden.
        writer = self._module.SummaryWriter(
            str(self._folder),
            purge_step=0,
            flush_secs=FLUSH_SECONDS,
            filename_suffix=f".{generation}",
        )
        # Indented by four columns, which Markdown leaves as it is.
        plain = json.dumps(handle.config.to_dict()["config"], indent=4)
        writer.add_text("config", f"    {plain}".replace("\n", "\n    "))
        for metrics in handle.result().history[:generation]:
            self._write(writer, metrics, handle)
        return writer


@final
class WeightsAndBiases:
    """Takes down a run's metrics and its configuration for Weights & Biases.

    A callback of `hebbax.train`, which closes it. Its files are in `wandb/` of the run's folder, or
    of the current one if the run has none. A resumed run goes on under the same id, which the file
    `wandb-id` of its folder keeps; offline in new files, which have all generations from the first
    on.

    Args:
        project: the name of the project.
        mode: `"offline"` sends nothing, and leaves files that `wandb sync` sends later; `"online"`
            sends what is taken down at once.

    Raises:
        ModuleNotFoundError: if wandb is not installed.
    """

    def __init__(
        self, project: str = "hebbax", mode: Literal["offline", "online"] = "offline"
    ) -> None:
        """Prepares it; the run there is made with the first generation."""
        self._project = project
        self._mode = checks.choice("offline", "online")("mode", mode)
        self._module = _load("wandb", "WeightsAndBiases", "wandb")
        self._run: Any = None
        self._config: Config | None = None

    def __call__(self, metrics: Metrics, handle: Handle) -> None:
        """Takes down a generation."""
        if self._run is None:
            self._config, self._run = handle.config, self._open(handle, metrics["generation"])
        _refuse_second_run(self, self._config, handle)
        self._log(self._run, metrics, handle)

    def close(self) -> None:
        """Writes or sends what is left."""
        if self._run is not None:
            self._run.finish()
            self._run = None

    def _log(self, run: Any, metrics: Metrics, handle: Handle) -> None:
        scalars = to_scalars(metrics, handle.config.held_out)
        # Else the last one would wait for the next.
        run.log(scalars, step=metrics["generation"], commit=True)

    def _open(self, handle: Handle, generation: int) -> Any:
        folder = handle.folder or Path()
        file = folder / "wandb-id"
        # A run that begins anew is another one: its steps begin at 0.
        is_known = generation > 0 and handle.folder is not None and file.exists()
        run = self._module.init(
            project=self._project,
            dir=str(folder),
            id=file.read_text() if is_known else None,
            mode=self._mode,
            resume="allow",
            config=handle.config.to_dict()["config"],
            allow_val_change=True,  # A resumed run may have more generations.
            reinit="create_new",  # Beside a run that the program may have already.
        )
        if handle.folder is not None:
            write_whole(file, run.id)
        # Offline the first step is 0, online the one after the last that was sent.
        for metrics in handle.result().history[run.step : generation]:
            self._log(run, metrics, handle)
        return run


def to_scalars(metrics: Metrics, held_out: str | None) -> dict[str, int | float]:
    """The numbers of a generation's metrics by the names that they have on a dashboard.

    Such as `fitness_mean`, `returns/light`, `scores/trained_on/light` and `scores/held_out/heavy`.
    """
    scalars = {}
    for name, value in metrics.items():
        if isinstance(value, dict):
            for variation, number in value.items():
                part = "held_out" if variation == held_out else "trained_on"
                where = f"{part}/{variation}" if name == "scores" else variation
                scalars[f"{name}/{where}"] = number
        elif isinstance(value, int | float) and name != "generation":
            scalars[name] = value
    return scalars


def _refuse_second_run(logger: Any, config: Config | None, handle: Handle) -> None:
    """Refuses another run than that which the logger has begun with."""
    if handle.config is not config:
        raise ValueError(
            f"callbacks has one {type(logger).__name__}, but it hears of several runs; it takes "
            "down one: train them one by one, each with a logger of its own"
        )


def _load(module: str, logger: str, extra: str) -> Any:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{logger} needs {error.name}, which is not installed: pip install 'hebbax[{extra}]'",
            name=error.name,
        ) from error
