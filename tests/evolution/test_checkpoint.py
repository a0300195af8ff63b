"""Checkpoints: only complete ones count, and a damaged one is named and left alone."""

import os
import shutil
import tempfile
import threading
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import orbax.checkpoint as ocp
import pytest
from orbax.checkpoint.args import StandardSave

import hebbax
from hebbax.evolution.checkpoint import KEPT, Checkpoints
from hebbax.evolution.result import Result
from small_run import contents, is_equal, newest_checkpoint, small_config, without_clock


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, Path]:
    """A run of six generations, whose checkpoints are 4 and 6."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    return hebbax.train(small_config(generations=6), folder), folder


@pytest.fixture
def run_dir(finished: tuple[Result, Path], tmp_path: Path) -> Path:
    """A copy of the run, to be damaged."""
    return Path(shutil.copytree(finished[1], tmp_path / "run"))


LIMIT = 60  # s


def state_of(value: float) -> dict[str, jax.Array]:
    return {"means": jnp.full((2, 3), value), "generation": jnp.asarray(int(value), jnp.int32)}


def test_newest_checkpoint_is_restored(tmp_path: Path):
    """What was saved last comes back bit for bit; older ones make room."""
    checkpoints = Checkpoints(tmp_path)
    assert checkpoints.restore_newest(state_of(0.0)) is None
    for generation in (2, 4, 6, 8):
        checkpoints.save(generation, state_of(generation + 0.1))
    checkpoints.close()
    assert {path.name for path in tmp_path.iterdir()} == {"6", "8"}
    assert KEPT == 2
    again = Checkpoints(tmp_path)
    assert is_equal(again.restore_newest(state_of(0.0)), (8, state_of(8.1)))
    again.close()


def test_reading_writes_nothing(tmp_path: Path):
    """A folder that is only read is not even created."""
    checkpoints = Checkpoints(tmp_path / "nothing", is_read_only=True)
    assert checkpoints.restore_newest(state_of(0.0)) is None
    checkpoints.close()
    assert not (tmp_path / "nothing").exists()


def test_half_written_checkpoints_are_ignored(finished: tuple[Result, Path], run_dir: Path):
    """What a killed process left under another name is not loaded, nor in the way.

    Mutation: counting every folder that begins with a number takes generation 8 for the newest.
    """
    shutil.copytree(
        run_dir / "checkpoints" / "6", run_dir / "checkpoints" / "8.orbax-checkpoint-tmp"
    )
    # A mark that newer versions of orbax leave in what is complete.
    (run_dir / "checkpoints" / "8.orbax-checkpoint-tmp" / "commit_success.txt").unlink(
        missing_ok=True
    )
    (run_dir / "checkpoints" / "10.orbax-checkpoint-tmp").mkdir()
    with (run_dir / "metrics.jsonl").open("a") as stream:
        stream.write('{"generation": 6, "fitness_me')
    assert hebbax.evaluate(run_dir, 2) == hebbax.evaluate(finished[0], 2)

    longer = hebbax.train(small_config(generations=8), run_dir)
    assert without_clock(longer.history[:6]) == without_clock(finished[0].history)
    assert [metrics["generation"] for metrics in longer.history] == list(range(8))
    assert newest_checkpoint(run_dir) == 8


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.write_bytes(content)


@pytest.mark.parametrize("damage", [cut, flip, os.remove])
@pytest.mark.parametrize("place", ["default/d/*", "default/manifest.ocdbt", "default/_METADATA"])
def test_damaged_checkpoint_is_named_and_nothing_is_overwritten(run_dir: Path, damage, place: str):
    """A damaged checkpoint ends in an error with its path; the folder stays as it is.

    Its data, index or description is cut, changed or gone.

    Mutation: noting the start of the process before the checkpoint is read writes config.json and
    environment.json.
    """
    [file] = (run_dir / "checkpoints" / "6").glob(place)
    damage(file)
    before = contents(run_dir)
    for use in (
        lambda: hebbax.train(small_config(generations=8), run_dir),
        lambda: hebbax.evaluate(run_dir),
    ):
        with pytest.raises(
            ValueError, match="is damaged or from another version of hebbax"
        ) as error:
            use()
        assert str(run_dir / "checkpoints" / "6") in str(error.value)
        assert len(str(error.value)) < 700, "the reason is told, not the whole specification"
        assert contents(run_dir) == before


def test_older_checkpoint_replaces_a_damaged_one(finished: tuple[Result, Path], run_dir: Path):
    """As the error says.

    With the damaged checkpoint removed the run goes on from the one before, to the same numbers.
    """
    shutil.rmtree(run_dir / "checkpoints" / "6")
    seen = []
    again = hebbax.train(
        small_config(generations=6),
        run_dir,
        callbacks=[lambda metrics, handle: seen.append(metrics)],
    )
    assert [metrics["generation"] for metrics in seen] == [4, 5]
    assert without_clock(again.history) == without_clock(finished[0].history)
    assert is_equal(again.genome, finished[0].genome)


def test_checkpoint_of_another_shape_is_refused(tmp_path: Path):
    """A checkpoint of arrays of other shapes is not bent into place.

    Another version might write them.
    """
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(2, state_of(1.0))
    other = {**state_of(0.0), "means": jnp.zeros((2, 4))}
    with pytest.raises(ValueError, match="is damaged or from another version"):
        checkpoints.restore_newest(other)
    with pytest.raises(ValueError, match="is damaged or from another version"):
        checkpoints.restore_newest({"means": jnp.zeros((2, 3))})
    checkpoints.close()


@pytest.mark.parametrize(
    "name",
    [
        "lr[0.1]",
        "a*",
        "what?",
        "größe 3 %s",
        "{a,b}",
        "a\\b",
        "#'$HOME\"\n",
        b"\xff".decode(errors="surrogateescape"),
    ],
)
def test_any_path_will_do(tmp_path: Path, name: str):
    """A checkpoint in a folder of any legal name comes back.

    Also beside folders that the name matches as a pattern.

    Mutation: orbax given the path itself cannot read the first, and reads numbers of `ab` for those
    of `a*`.
    """
    beside = Checkpoints(tmp_path / "ab" / "checkpoints")
    beside.save(2, state_of(1.0))
    folder = tmp_path / name / "checkpoints"
    checkpoints = Checkpoints(folder)
    for generation in (2, 4, 6):
        checkpoints.save(generation, state_of(generation + 0.5))
    checkpoints.close()
    again = Checkpoints(folder, is_read_only=True)
    assert is_equal(again.restore_newest(state_of(0.0)), (6, state_of(6.5)))
    again.close()
    assert {path.name for path in folder.iterdir()} == {"4", "6"}
    assert is_equal(beside.restore_newest(state_of(0.0)), (2, state_of(1.0)))
    beside.close()
    assert not list(Path(tempfile.gettempdir()).glob("hebbax-*"))


def test_unreadable_checkpoint_replaces_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A checkpoint that cannot be read back, or holds other numbers, is an error.

    The older ones stay, and the newest of them counts.

    Mutation: without reading back, generations 2 and 4 are gone in the end and only broken ones are
    left.
    """
    checkpoints = Checkpoints(tmp_path)
    for generation in (2, 4):
        checkpoints.save(generation, state_of(generation))
    checkpoints.wait()
    save = checkpoints._manager.save

    def save_badly(generation: int, **arguments: Any) -> None:
        save(generation, **arguments)
        [file] = (tmp_path / str(generation)).glob("default/d/*")
        cut(file)

    monkeypatch.setattr(checkpoints._manager, "save", save_badly)
    for _ in range(2):
        checkpoints.save(6, state_of(6.0))
        with pytest.raises(OSError, match="6 was written, but cannot be read: "):
            checkpoints.wait()
    monkeypatch.setattr(
        checkpoints._manager,
        "save",
        lambda generation, **_: save(generation, args=StandardSave(state_of(0.0))),
    )
    checkpoints.save(6, state_of(6.0))
    with pytest.raises(OSError, match="6 was written, but holds other numbers"):
        checkpoints.save(8, state_of(8.0))
    assert {path.name for path in tmp_path.iterdir()} == {"2", "4"}
    assert is_equal(checkpoints.restore_newest(state_of(0.0)), (4, state_of(4.0)))
    checkpoints.close()


def test_nothing_waits_for_a_checkpoint_but_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """`save` comes back while it is written; what is asked of the folder waits for it.

    Mutations: written at once; `latest` of the folder alone; `close` that leaves it half-written.
    """
    checkpoints = Checkpoints(tmp_path)
    save, may_go_on = checkpoints._manager.save, threading.Event()

    def save_slowly(generation: int, **arguments: Any) -> None:
        assert may_go_on.wait(LIMIT)
        save(generation, **arguments)

    monkeypatch.setattr(checkpoints._manager, "save", save_slowly)
    checkpoints.save(2, state_of(2.0))
    assert not list(tmp_path.iterdir())
    may_go_on.set()
    assert checkpoints.latest() == 2
    may_go_on.clear()
    checkpoints.save(4, state_of(4.0))
    threading.Timer(0.1, may_go_on.set).start()
    checkpoints.close()
    assert {path.name for path in tmp_path.iterdir()} == {"2", "4"}


def test_training_ends_with_what_could_not_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A checkpoint that fails in the background ends the training with its error.

    Mutation: an error that nobody asks for.
    """

    def fail(*_: Any, **__: Any) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(ocp.CheckpointManager, "save", fail)
    with pytest.raises(OSError, match="no space left"):
        hebbax.train(small_config(generations=2), tmp_path)


def test_run_is_read_while_it_goes_on(tmp_path: Path):
    """A checkpoint that its run replaces while it is about to be read is no damage.

    The newest is read.

    Mutation: a reader that keeps the list of its beginning says that generation 2 is damaged.
    """
    writer = Checkpoints(tmp_path)
    writer.save(2, state_of(2.0))
    writer.wait()
    reader = Checkpoints(tmp_path, is_read_only=True)
    for generation in (4, 6):
        writer.save(generation, state_of(generation))
    writer.wait()
    assert is_equal(reader.restore_newest(state_of(0.0)), (6, state_of(6.0)))
    reader.close()
    writer.close()


def test_file_in_place_of_the_folder_is_named(finished: tuple[Result, Path], run_dir: Path):
    """A run whose checkpoints are no folder is refused."""
    shutil.rmtree(run_dir / "checkpoints")
    (run_dir / "checkpoints").touch()
    before = contents(run_dir)
    with pytest.raises(
        ValueError, match="checkpoints is a file, but must be the folder of the checkpoints"
    ):
        hebbax.train(finished[0].config, run_dir)
    assert contents(run_dir) == before
