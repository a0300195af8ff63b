"""What each encoding costs, beside `Direct`: the time of a step, and the memory.

Lifetimes of the paper's plastic network for the quadruped, 1,000 steps in four variations, without
physics: the senses depend on the last action alone. An encoding that can be read in every step is
measured so and read once. The programs run one after the other in one process, again and again, in
the reverse order every other turn; a ratio is the median of each turn's own, with its quartiles. It
writes `benchmarks/results/encoding-costs-DEVICE.json`.

With physics, network and plasticity are a sixth of a step on a CPU (`in_turn.py`), so that a ratio
of 1.3 here is one of 1.05 there.

Floor
    A synapse takes 7 operations in a step with `ABCD`, whose products with the rate are made once
    in a lifetime, over a core's rate in a matrix product.
"""

from typing import Any
from unittest import mock

import harness
import quadruped
import rates
from harness import fields
from in_turn import RATIO, Program, quartiles, take_turns
from stand_ins import NoPhysics

from hebbax import platforms
from hebbax.encodings import Direct, LowRank, PerNeuron, Tied
from hebbax.presets import QUADRUPED_SYNAPSES

CORES = 2  # Of a CPU.
OPERATIONS = 7  # Of a synapse in a step.
ENCODINGS = {
    "Direct()": Direct(),
    "Tied(rho=16)": Tied(rho=16),
    "Tied(rho=16, is_signed=True)": Tied(rho=16, is_signed=True),
    'Tied(rho=16, by="layer")': Tied(rho=16, by="layer"),
    "PerNeuron()": PerNeuron(),
    'PerNeuron("nchl")': PerNeuron("nchl"),
    "LowRank()": LowRank(),
}
FIELDS = fields(
    "environment turns population microseconds temporary_bytes floor_microseconds",
    ratios={"*": RATIO},
)


def main() -> None:
    """Lets all encodings take turns."""
    options = harness.arguments(__doc__, turns=(20, 2), population=(64, 4)).parse_args()
    cores = harness.cores_here(CORES)
    harness.take_cores(cores)
    task = NoPhysics(max_steps=10 if options.tiny else 1000)
    case = quadruped.Case("hebbian", population=options.population, steps=task.max_steps)
    programs = {}
    for name, one in ENCODINGS.items():
        # Once and in every step, whatever the hardware's own choice is.
        for reads_each_step in (False, True)[: 1 + one.reads_each_step]:
            sizes = platforms.sizes()._replace(reads_each_step=reads_each_step)
            with mock.patch.object(platforms, "sizes", lambda sizes=sizes: sizes):
                lifetimes = quadruped.compile_lifetimes(case, encoding=one, task=task)
            when = ", in every step" if reads_each_step else ""
            programs[f"{name}{when}"] = Program(lifetimes, case.num_steps)
    turns = take_turns(programs, options.turns)
    direct = turns["Direct()"]
    results = {
        "turns": options.turns,
        "population": options.population,
        "ratios": {
            name: quartiles([one / other for one, other in zip(times, direct, strict=True)])
            for name, times in turns.items()
        },
        "microseconds": {name: quartiles(times)["median"] for name, times in turns.items()},
        "temporary_bytes": {name: temporary(program) for name, program in programs.items()},
        "floor_microseconds": None if cores is None else floor(cores),
    }
    print(results["ratios"], results["microseconds"])
    harness.write(options, "encoding-costs-{device}", results, FIELDS)


def temporary(program: Program) -> int:
    """Bytes that XLA plans for a program on each device, beside data and results."""
    compiled: Any = program.run
    return compiled.func.memory_analysis().temp_size_in_bytes


def floor(cores: int) -> float:
    """The least microseconds for a step of one lifetime, each core living its share of them."""
    operations = OPERATIONS * QUADRUPED_SYNAPSES
    return 1e6 * operations / rates.operations_per_second() / cores


if __name__ == "__main__":
    main()
