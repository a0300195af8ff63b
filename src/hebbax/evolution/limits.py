"""What a search takes of a device's memory, and how many individuals run at a time."""

import functools
import math
from collections.abc import Callable
from typing import Any, TypeVar

import jax
from jaxtyping import PyTree

from hebbax import devices, platforms
from hebbax.evolution import interfaces, processes
from hebbax.evolution.episode import Setup
from hebbax.genomes.base import GenomeSpec
from hebbax.strategies.base import Strategy
from hebbax.types import shapes_of

Program = TypeVar("Program", bound=Any)

HEADROOM = 0.9  # Of the memory that a chunk may fill, which grows a little faster than its size.


def chunk_size(setup: Setup, num_variations: int, num_runs: int = 1) -> int | None:
    """How many individuals of each of some runs run at a time on a device; None for all.

    Runs that go together share a chunk, of which each has one individual at least.
    """
    size = setup.chunk_size or _suitable_chunk(individual_bytes(setup, num_variations))
    return size and max(1, size // num_runs)


def compile_to_fit(
    compile_chunk: Callable[[int | None], Program], size: int | None, share: int, num_bytes: int
) -> Program:
    """Compiles a program for as many individuals at a time as a device's free memory holds.

    What a program needs is known when it is compiled. On a CPU, whose chunks are small, nothing is
    compiled twice.

    Args:
        compile_chunk: compiles it for a number of individuals at a time; None for all.
        size: what is wished for, as `chunk_size` has it.
        share: individuals on a device.
        num_bytes: the least that one of them needs.

    Raises:
        ValueError: if the memory does not hold one individual.
    """
    if platforms.is_cpu():
        return compile_chunk(size)
    # The least of all processes', whose programs must be the same.
    free = min(processes.gather(devices.free_bytes()))
    at_a_time = min(share, size or share)
    if at_a_time * num_bytes > free:
        at_a_time = max(1, free // num_bytes)
    while True:
        program = compile_chunk(at_a_time if at_a_time < share else None)
        analysis = program.memory_analysis()
        needed = analysis.temp_size_in_bytes + analysis.output_size_in_bytes
        if needed <= free:
            return program
        if at_a_time == 1:
            raise ValueError(
                f"a program with one individual at a time takes {needed / 1e9:.1f} GB beside its "
                f"arguments, but {free / 1e9:.1f} GB are free; choose a smaller network, "
                "population or genome, or fewer runs together"
            )
        at_a_time = max(1, min(at_a_time - 1, int(HEADROOM * at_a_time * free / needed)))


def _suitable_chunk(num_bytes: int) -> int | None:
    """What suits the hardware, for individuals of so many bytes."""
    sizes = platforms.sizes()
    if sizes.chunk is None or sizes.chunk_bytes is None:
        return sizes.chunk
    return min(sizes.chunk, max(1, sizes.chunk_bytes // max(1, num_bytes)))


# A comparison has many runs that differ in what this does not depend on.
@functools.lru_cache(maxsize=16)
def individual_bytes(setup: Setup, num_variations: int) -> int:
    """Bytes of what is kept of one individual, and of its memories in all its episodes.

    What normalisation adds up of each episode is memory, too.
    """
    key = jax.random.key(0)
    wiring = jax.eval_shape(lambda: setup.wire(key))
    kept = jax.eval_shape(setup.express, wiring, shapes_of(setup.genotype_shape))
    memory = jax.eval_shape(
        lambda wiring, kept: setup.policy.reset(key, setup.read(wiring, kept)), wiring, kept
    )
    seen = 2 * 4 * math.prod(setup.task.observation_shape) if setup.normalize_observations else 0
    return num_bytes(kept) + num_variations * (num_bytes(memory) + seen)


def search_bytes(setup: Setup, genome: GenomeSpec, strategy: Strategy) -> tuple[int, int]:
    """Bytes of a strategy's state and of a population's genotypes.

    Found by tracing, which refuses what does not fit; nothing is computed.
    """
    return _search_bytes(setup, genome, strategy, jax.config.read("jax_enable_x64"))


@functools.lru_cache(maxsize=16)
def _search_bytes(
    setup: Setup, genome: GenomeSpec, strategy: Strategy, is_x64: bool
) -> tuple[int, int]:
    interfaces.fit_policy(setup.policy, setup.task)
    genotype_shape = interfaces.fit_encoding(setup.encoding, setup.parameters)
    state, population = interfaces.fit_strategy(
        strategy, interfaces.fit_genome(genome, genotype_shape)
    )
    return num_bytes(state), num_bytes(population)


def num_bytes(shapes: PyTree) -> int:
    """Bytes of a tree of arrays, or of their shapes."""
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(shapes))
