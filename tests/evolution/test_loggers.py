"""Metrics taken down for TensorBoard, read back from its files, and for Weights & Biases."""

import json
import shutil
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import hebbax
from hebbax.evolution.loggers import TensorBoard, WeightsAndBiases, to_scalars
from small_run import small_config

event_pb2 = pytest.importorskip("tensorboardX.proto.event_pb2")


def read_events(folder: Path) -> list[Any]:
    """All events of a folder's files, in the order in which TensorBoard reads them."""
    return [event for file in sorted(folder.iterdir()) for event in _read(file.read_bytes())]


def _read(content: bytes) -> Iterator[Any]:
    """The records of a file: eight bytes of length, four of a sum, the record, four of a sum."""
    while content:
        (length,) = struct.unpack("<Q", content[:8])
        yield event_pb2.Event.FromString(content[12 : 12 + length])
        content = content[16 + length :]


def scalars_of(events: list[Any], tag: str) -> list[tuple[int, float]]:
    return [
        (event.step, value.simple_value)
        for event in events
        for value in event.summary.value
        if value.tag == tag and value.HasField("simple_value")
    ]


def test_names_of_scalars():
    """Scores say whether they are of what is held out.

    What is no number is left out, and so is the step.
    """
    metrics = {
        "generation": 3,
        "fitness_mean": 1.5,
        "non_finite": 0,
        "weights": [1.0, 2.0],
        "returns": {"light": 2.0},
        "scores": {"light": 3.0, "heavy": 4.0},
    }
    assert to_scalars(metrics, "heavy") == {
        "fitness_mean": 1.5,
        "non_finite": 0,
        "returns/light": 2.0,
        "scores/trained_on/light": 3.0,
        "scores/held_out/heavy": 4.0,
    }


def test_tensorboard_has_every_generation(tmp_path: Path):
    """Its files have the numbers of the history, the scores when they are due, and the settings.

    Mutations: steps counted from 1; no closing, without which the last events are not written.
    """
    config = small_config(generations=3, evaluate_every=2, evaluation_episodes=2)
    result = hebbax.train(config, callbacks=[TensorBoard(tmp_path / "events")])
    events = read_events(tmp_path / "events")
    for tag, metric in (("fitness_mean", "fitness_mean"), ("returns/light", "returns")):
        expected = [(metrics["generation"], metrics[metric]) for metrics in result.history]
        expected = [
            (step, value["light"] if isinstance(value, dict) else value) for step, value in expected
        ]
        assert scalars_of(events, tag) == [(step, pytest.approx(value)) for step, value in expected]
    score = result.history[1]["scores"]["heavy"]
    assert scalars_of(events, "scores/held_out/heavy") == [(1, pytest.approx(score))]
    [text] = [
        value.tensor.string_val[0].decode()
        for event in events
        for value in event.summary.value
        if value.tag.startswith("config")
    ]
    assert json.loads(text) == json.loads(json.dumps(config.to_dict()["config"]))


def test_tensorboard_goes_on_with_a_resumed_run(tmp_path: Path):
    """In another file, which has all generations and hides what the first one has.

    Mutations: files of one second overwrite each other; the generations from there on alone.
    """
    run, folder = tmp_path / "run", tmp_path / "run" / "tensorboard"
    hebbax.train(small_config(generations=2), run, [TensorBoard(folder)])
    hebbax.train(small_config(generations=3), run, [TensorBoard(folder)])
    assert len(list(folder.iterdir())) == 2
    events = read_events(folder)
    assert [step for step, _ in scalars_of(events, "fitness_mean")] == [0, 1, 0, 1, 2]
    starts = [event.step for event in events if event.HasField("session_log")]
    assert starts == [0, 0]


@pytest.fixture
def wandb(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What Weights & Biases is asked for, in its place. Its runs are named in their order."""
    asked: list[tuple[Any, ...]] = []

    def init(**options: Any) -> SimpleNamespace:
        asked.append(("init", options))
        return SimpleNamespace(
            id=options["id"] or f"run-{len(asked)}",
            step=2 if options["mode"] == "online" else 0,
            log=lambda numbers, **when: asked.append(("log", numbers, when)),
            finish=lambda: asked.append(("finish",)),
        )

    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(init=init))
    return asked


def test_weights_and_biases_has_every_generation(tmp_path: Path, wandb: list[tuple[Any, ...]]):
    """Offline unless asked otherwise, in the run's folder, and closed at the end."""
    config = small_config(generations=2)
    result = hebbax.train(config, tmp_path, [WeightsAndBiases("hebb")])
    (_, options), *logged, end = wandb
    assert options == {
        "project": "hebb",
        "dir": str(tmp_path),
        "id": None,
        "mode": "offline",
        "resume": "allow",
        "config": config.to_dict()["config"],
        "allow_val_change": True,
        "reinit": "create_new",
    }
    assert logged == [
        ("log", to_scalars(metrics, "heavy"), {"step": i, "commit": True})
        for i, metrics in enumerate(result.history)
    ]
    assert end == ("finish",)


def test_weights_and_biases_goes_on_with_a_resumed_run(
    tmp_path: Path, wandb: list[tuple[Any, ...]]
):
    """Under the id that it had, offline with all generations and online with those not yet sent.

    A run that begins anew, or has no folder, is another. Mutations: the id of an earlier run in the
    place of a new one's; generations that were sent are sent again.
    """
    hebbax.train(small_config(generations=2), tmp_path, [WeightsAndBiases()])
    hebbax.train(small_config(generations=3), tmp_path, [WeightsAndBiases()])
    hebbax.train(small_config(generations=4), tmp_path, [WeightsAndBiases(mode="online")])
    shutil.rmtree(tmp_path / "checkpoints")
    hebbax.train(small_config(generations=1), tmp_path, [WeightsAndBiases()])
    hebbax.train(small_config(generations=1), callbacks=[WeightsAndBiases()])
    begun = [call[1] for call in wandb if call[0] == "init"]
    assert [options["id"] for options in begun] == [None, "run-1", "run-1", None, None]
    assert {options["dir"] for options in begun[:4]} == {str(tmp_path)}
    assert begun[4]["dir"] == "."
    steps = [call[2]["step"] for call in wandb if call[0] == "log"]
    assert steps == [*(0, 1), *(0, 1, 2), *(2, 3), 0, 0]


def test_loggers_are_closed_after_an_error(tmp_path: Path, wandb: list[tuple[Any, ...]]):
    """What was taken down before it is on disk. Mutation: closing at a good end alone."""

    def fail(metrics: dict[str, Any], handle: Any) -> None:
        if metrics["generation"] == 1:
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="the disk is full"):
        hebbax.train(
            small_config(), callbacks=[TensorBoard(tmp_path / "events"), WeightsAndBiases(), fail]
        )
    steps = [step for step, _ in scalars_of(read_events(tmp_path / "events"), "fitness_mean")]
    assert steps == [0, 1]
    assert wandb[-1] == ("finish",)


def test_runs_side_by_side_are_refused(tmp_path: Path, wandb: list[tuple[Any, ...]]):
    """Their numbers would be mixed."""
    heard: list[tuple[Any, Any]] = []
    for seed in (0, 1):
        config = small_config(generations=1, seed=seed)
        hebbax.train(config, callbacks=[lambda *given: heard.append(given)])
    for logger in (TensorBoard(tmp_path / "events"), WeightsAndBiases()):
        logger(*heard[0])
        with pytest.raises(ValueError, match="it hears of several runs; it takes down one"):
            logger(*heard[1])
        logger.close()


@pytest.mark.parametrize(
    ("module", "make", "words"),
    [
        (
            "tensorboardX",
            lambda: TensorBoard("events"),
            "TensorBoard needs tensorboardX, which is not installed: pip install "
            r"'hebbax\[tensorboard\]'",
        ),
        (
            "wandb",
            WeightsAndBiases,
            r"WeightsAndBiases needs wandb, which is not installed: pip install 'hebbax\[wandb\]'",
        ),
    ],
)
def test_missing_package_is_named(
    monkeypatch: pytest.MonkeyPatch, module: str, make: Any, words: str
):
    """Before anything is computed."""
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ModuleNotFoundError, match=words):
        make()


def test_unknown_mode_is_refused(wandb: list[tuple[Any, ...]]):
    with pytest.raises(ValueError, match="mode is 'later', but must be one of offline, online"):
        WeightsAndBiases(mode="later")  # pyright: ignore[reportArgumentType]
    assert wandb == []
