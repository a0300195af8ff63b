"""What a step costs more in one program than in another: ratios that hold on a noisy machine.

The programs that are compared run one after the other in the same process, again and again, in the
reverse order every other turn. A ratio is the median of each turn's own, with its quartiles. It
writes `benchmarks/results/in-turn-DEVICE.json`.

Programs
    quadruped: lifetimes of the paper's 1,000 steps without the search around them, none of which
        ends early; of the paper's plastic policy, of a policy that only repeats an inherited
        action, which is physics alone, and of the plastic policy in four times the default body
        instead of four bodies.
    car: generations of the paper's plastic driver, search included, in several populations; races
        whose 84 x 84 pixels are drawn, on a CPU 16 at a time on each core, or all at once; and
        races without a view.

Floor
    Plasticity moves 4 bytes for each coefficient of a rule once for all variations, and reads and
    writes each weight once: over the measured bandwidth of one core that is the least time a step
    of network and plasticity can take.
"""

import argparse
import json
import statistics
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import car_racing
import harness
import quadruped
import rates
from harness import fields
from stand_ins import NUM_VARIATIONS

CORES = 2  # Of a CPU.
RATIO = fields("median low high")
FIELDS = fields("environment turns microseconds", ratios={"*": RATIO})

# What is compared: the time of a step in the first program to that in the second.
BODIES = ("bullet", "brax")
QUADRUPED_RATIOS = {
    "network, plasticity and physics to physics alone": ("hebbian", "physics"),
    "stacked bodies to one body": ("hebbian", "one_body"),
}
CAR_RATIOS = {
    "loop, population 64 to 16": ("loop 64", "loop 16"),
    "loop, population 200 to 16": ("loop 200", "loop 16"),
    "view, 256 races to 64": ("view 256", "view 64"),
    "view, 256 races at once to 64": ("view at once 256", "view 64"),
    "physics, 256 races to 64": ("physics 256", "physics 64"),
}


class Program(NamedTuple):
    """What is called, and how many steps of lifetimes a call takes."""

    run: Callable[[], Any]
    num_steps: int


def main() -> None:
    parser = harness.arguments(__doc__, turns=(12, 2))
    parser.add_argument("--only", default="bullet,brax,car", help="what is compared")
    options = parser.parse_args()
    cores = harness.cores_here(CORES)
    harness.take_cores(cores)
    ratios, microseconds = {}, {}
    for group in options.only.split(","):
        programs = make_drivers(options) if group == "car" else make_quadrupeds(group, options)
        microseconds[group] = turns = take_turns(programs, options.turns)
        compared = CAR_RATIOS if group == "car" else QUADRUPED_RATIOS
        for name, (first, second) in compared.items():
            pairs = zip(turns[first], turns[second], strict=True)
            ratios[f"{group}: {name}"] = quartiles([one / other for one, other in pairs])
            print(f"{group}: {name}: {ratios[f'{group}: {name}']}", flush=True)
    if cores is not None:  # The floor is a CPU's.
        ratios |= compare_with_floor(microseconds, cores)
    print(json.dumps(ratios, indent=2))
    results = {"turns": options.turns, "ratios": ratios, "microseconds": microseconds}
    harness.write(options, "in-turn-{device}", results, FIELDS)


def compare_with_floor(
    microseconds: Mapping[str, Mapping[str, list[float]]], cores: int
) -> dict[str, dict[str, float]]:
    """The time of network and plasticity to the least that they can take."""
    floor = 1e6 * quadruped.plasticity_bytes() / rates.copy_bytes_per_second()
    found = {}
    for body in [body for body in BODIES if body in microseconds]:
        turns = zip(microseconds[body]["hebbian"], microseconds[body]["physics"], strict=True)
        # Each core lives its share of the steps.
        found[f"{body}: network and plasticity to their floor"] = quartiles(
            [cores * (both - alone) / floor for both, alone in turns]
        )
    return found


def make_quadrupeds(body: str, options: argparse.Namespace) -> dict[str, Program]:
    """Lifetimes of each kind."""
    population, steps = (2, 10) if options.tiny else (64, 1000)
    cases = [
        quadruped.Case(name, body=body, population=population, steps=steps)
        for name in ("physics", "hebbian", "one_body")
    ]
    return {case.name: Program(quadruped.compile_lifetimes(case), case.num_steps) for case in cases}


def make_drivers(options: argparse.Namespace) -> dict[str, Program]:
    """Generations by population, and races by their number; a trial has two of each."""
    programs = {}
    for population in (16, 64, 200):
        size, steps = (2, 10) if options.tiny else (population, 50)
        loop = car_racing.compile_loop(car_racing.Case("loop", batch=size, steps=steps))
        programs[f"loop {population}"] = Program(loop.run, size * NUM_VARIATIONS * steps)
    for name, batch, steps in (
        ("view", 64, 100),
        ("view", 256, 100),
        ("view at once", 256, 100),
        ("physics", 64, 1000),
        ("physics", 256, 1000),
    ):
        size, steps = (2, 10) if options.tiny else (batch, steps)
        reset, compile_drive = car_racing.make_races(car_racing.Case(name, batch=size))
        races, _ = compile_drive(reset(), car_racing.ZOOM_STEPS)()
        programs[f"{name} {batch}"] = Program(compile_drive(races, steps), size * steps)
    return programs


def take_turns(programs: Mapping[str, Program], num_turns: int) -> dict[str, list[float]]:
    """Microseconds for a step of each program, in each turn."""
    for program in programs.values():
        harness.seconds_of(program.run)  # Warms up.
    microseconds: dict[str, list[float]] = {name: [] for name in programs}
    for turn in range(num_turns):
        for name, program in sorted(programs.items(), reverse=turn % 2 == 1):
            seconds = harness.seconds_of(program.run)
            microseconds[name].append(1e6 * seconds / program.num_steps)
    return microseconds


def quartiles(values: list[float]) -> dict[str, float]:
    """The median, and what a quarter of the values is below and above."""
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return {"median": median, "low": low, "high": high}


if __name__ == "__main__":
    main()
