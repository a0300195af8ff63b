"""How many individuals run at a time: what a device's free memory holds."""

from types import SimpleNamespace
from typing import Any

import pytest

import hebbax
from hebbax import devices
from hebbax.evolution import limits
from hebbax.evolution.episode import Setup
from hebbax.evolution.evaluation import evaluate
from small_run import small_config, without_clock


class Compiler:
    """Compiles programs that need 100 bytes, and 30 for each individual at a time."""

    def __init__(self, share: int) -> None:
        self.share = share
        self.asked: list[int | None] = []

    def __call__(self, chunk_size: int | None) -> Any:
        self.asked.append(chunk_size)
        needed = 100 + 30 * (self.share if chunk_size is None else chunk_size)
        figures = SimpleNamespace(temp_size_in_bytes=needed - 20, output_size_in_bytes=20)
        return SimpleNamespace(memory_analysis=lambda: figures, chunk_size=chunk_size)


@pytest.mark.usefixtures("forms_of_accelerators")
@pytest.mark.parametrize(
    ("free", "wish", "least", "found"),
    [
        (1000, None, 10, None),  # All 30 at once.
        (999, None, 10, 26),
        (500, None, 10, 13),
        (500, 8, 10, 8),
        (500, 100, 10, 13),
        (500, None, 30, 12),  # Not compiled for more than there could be.
        (130, None, 10, 1),
    ],
)
def test_chunks_fill_the_free_memory(
    free: int, wish: int | None, least: int, found: int | None, monkeypatch: pytest.MonkeyPatch
):
    """As many as fit, at most as many as are wished for, and no fewer than nine tenths of that.

    Mutations: the temporary memory alone; a wish that does not fit is kept.
    """
    monkeypatch.setattr(devices, "free_bytes", lambda: free)
    compiler = Compiler(share=30)
    assert limits.compile_to_fit(compiler, wish, 30, least).chunk_size == found
    assert len(compiler.asked) <= 3
    if least == 30:
        assert compiler.asked[0] == 16


@pytest.mark.usefixtures("forms_of_accelerators")
def test_one_individual_that_does_not_fit_is_refused(monkeypatch: pytest.MonkeyPatch):
    """With what it takes and what there is. Mutation: an endless search."""
    monkeypatch.setattr(devices, "free_bytes", lambda: 129)
    with pytest.raises(ValueError, match=r"one individual at a time takes .* GB .* are free"):
        limits.compile_to_fit(Compiler(share=30), None, 30, 10)


@pytest.mark.usefixtures("forms_of_accelerators", "unshared_programs")
def test_training_and_evaluation_fit_into_little_memory(monkeypatch: pytest.MonkeyPatch):
    """Where eight individuals do not fit they run in chunks, whose size the metrics tell.

    Mutations: the chunk of the configuration in the metrics; an evaluation of all at once.
    """
    strategy = hebbax.ScoreFunction(population_size=32)
    config = small_config(generations=2, policy=hebbax.Hebbian((64,)), strategy=strategy)
    whole = hebbax.train(config)
    share = devices.share_of(32, devices.population_mesh(32))
    assert {metrics["chunk_size"] for metrics in whole.history} == {share}
    scores = evaluate(whole, episodes=8)
    sizes: list[int] = []
    compile_to_fit = limits.compile_to_fit

    def note(compile_chunk: Any, *arguments: Any) -> Any:
        def compile_and_note(chunk_size: int | None) -> Any:
            program = compile_chunk(chunk_size)
            analysis = program.memory_analysis()
            sizes.append(analysis.temp_size_in_bytes + analysis.output_size_in_bytes)
            return program

        return compile_to_fit(compile_and_note, *arguments)

    monkeypatch.setattr(limits, "compile_to_fit", note)
    hebbax.train(config)
    [needed] = sizes
    monkeypatch.setattr(devices, "free_bytes", lambda: int(0.8 * needed))
    chunked = hebbax.train(config)
    assert all(1 < metrics["chunk_size"] < share for metrics in chunked.history)
    assert sizes[-1] <= 0.8 * needed
    for one, other in zip(*map(without_clock, (whole.history, chunked.history)), strict=True):
        assert one["fitness_mean"] == pytest.approx(other["fitness_mean"], rel=1e-4, abs=1e-4)
    individual = limits.individual_bytes(Setup.of(config), 3)
    monkeypatch.setattr(devices, "free_bytes", lambda: 2 * individual + 1)
    with pytest.raises(ValueError, match="one individual at a time"):
        evaluate(whole, episodes=8)
    monkeypatch.setattr(devices, "free_bytes", lambda: needed)
    assert [score.mean for score in evaluate(whole, episodes=8)] == pytest.approx(
        [score.mean for score in scores], rel=1e-4, abs=1e-4
    )
