"""What differs between a CPU and an accelerator: sizes that were measured, and which they are here.

Every form of a computation that is chosen by these stands beside a plain one, and tests compare
the two.
"""

from typing import NamedTuple

import jax


class Sizes(NamedTuple):
    """Sizes that suit one kind of hardware.

    chunk: individuals whose episodes run at a time on a device; None for all.
    chunk_bytes: what a chunk may keep and remember; None for any amount.
    block: numbers that are worked on at a time where many more would be too many.
    pens: that draw roads at a time, of which some do not close.
    reads_each_step: whether an encoding that can is read in every step, which takes operations and
        spares memory.
    """

    chunk: int | None
    chunk_bytes: int | None
    block: int
    pens: int
    reads_each_step: bool


# What suits two cores of a CPU, and an H200.
# chunk: four of the paper's plastic quadrupeds, in four bodies each, run faster than eight.
# chunk_bytes: two of the paper's plastic drivers in four variations. With eight, network and
#     plasticity take three times as long.
# block: 512 kB stay in a core's caches with what is made of them; the accelerator's is a guess.
# pens: a core's vectors take eight at a time. Many fill an accelerator as well as few; timed by
#     hand, 2,048 roads took an H200 143 ms with a pen for each and 40 with four.
# reads_each_step: plasticity of the paper's quadruped is bound by a core's operations, 7 for a
#     synapse, and sums of neurons' numbers add 9: twice the time. The accelerator's is a guess.
CPU = Sizes(chunk=4, chunk_bytes=7_000_000, block=2**17, pens=16, reads_each_step=False)
ACCELERATOR = Sizes(chunk=None, chunk_bytes=None, block=2**24, pens=2**13, reads_each_step=True)


def is_cpu() -> bool:
    """Whether programs run on a CPU, where what is needed again should stay in a core's cache.

    Elsewhere few large operations are fast.
    """
    return jax.default_backend() == "cpu"


def sizes() -> Sizes:
    """The sizes that suit the hardware here."""
    return CPU if is_cpu() else ACCELERATOR
