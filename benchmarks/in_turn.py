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
        whose 84 x 84 pixels are drawn, 16 at a time on each core or all at once; and races without
        a view.

Floor
    Plasticity moves 4 bytes for each coefficient of a rule once for all variations, and reads and
    writes each weight once: over the measured bandwidth of one core that is the least time a step
    of network and plasticity can take.
"""

import argparse
import dataclasses
import json
import statistics
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import car_racing
import quadruped

import hebbax
from hebbax.files import write_json

RESULTS = Path(__file__).parent / "results"
CORES = 2
POPULATION = 64
QUADRUPED_STEPS = 1000
LOOP_STEPS = 50
RACE_STEPS = {"view": 100, "view at once": 100, "physics": 1000}

# What is compared: the time of a step in the first program to that in the second.
RATIOS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    **{
        body: {
            "network, plasticity and physics to physics alone": ("hebbian", "physics"),
            "stacked bodies to one body": ("hebbian", "one_body"),
        }
        for body in ("bullet", "brax")
    },
    "car": {
        "loop, population 64 to 16": ("loop 64", "loop 16"),
        "loop, population 200 to 16": ("loop 200", "loop 16"),
        "view, 256 races to 64": ("view 256", "view 64"),
        "view, 256 races at once to 64": ("view at once 256", "view 64"),
        "physics, 256 races to 64": ("physics 256", "physics 64"),
    },
}


@dataclasses.dataclass(frozen=True)
class Program:
    """What is called, and how many steps of lifetimes a call takes."""

    run: Callable[[], Any]
    num_steps: int


def main() -> None:
    """Measures all ratios."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--turns", type=int, default=12)
    options = parser.parse_args()
    hebbax.use_cpu_cores(CORES)

    from hebbax.evolution.run_dir import describe_environment

    ratios, microseconds = {}, {}
    for group, pairs in RATIOS.items():
        programs = make_drivers() if group == "car" else make_quadrupeds(group)
        microseconds[group] = turns = take_turns(programs, options.turns)
        for name, (first, second) in pairs.items():
            ratios[f"{group}: {name}"] = quartiles(
                [one / other for one, other in zip(turns[first], turns[second], strict=True)]
            )
            print(f"{group}: {name}: {ratios[f'{group}: {name}']}", flush=True)
    floor = 1e6 * quadruped.plasticity_bytes() / quadruped.measure_rates()["copy_bytes_per_second"]
    for body in ("bullet", "brax"):
        both, alone = microseconds[body]["hebbian"], microseconds[body]["physics"]
        # Each core lives every second step.
        ratios[f"{body}: network and plasticity to their floor"] = quartiles(
            [CORES * (one - other) / floor for one, other in zip(both, alone, strict=True)]
        )
    environment = describe_environment()
    results = {
        "environment": environment,
        "turns": options.turns,
        "ratios": ratios,
        "microseconds": microseconds,
    }
    file = RESULTS / f"in-turn-{environment['devices'][0].replace(' ', '-')}.json"
    write_json(file, results)
    print(json.dumps(ratios, indent=2), f"\nwritten to {file}")


def make_quadrupeds(body: str) -> dict[str, Program]:
    """Lifetimes of each kind."""
    case = quadruped.Case("hebbian", body=body, population=POPULATION, steps=QUADRUPED_STEPS)
    num_steps = POPULATION * quadruped.NUM_VARIATIONS * QUADRUPED_STEPS
    return {
        name: Program(quadruped.compile_lifetimes(dataclasses.replace(case, name=name)), num_steps)
        for name in ("physics", "hebbian", "one_body")
    }


def make_drivers() -> dict[str, Program]:
    """Generations by population, and races by their number."""
    programs = {}
    for population in (16, 64, 200):
        run = car_racing.compile_loop(car_racing.Case("loop", batch=population, steps=LOOP_STEPS))
        programs[f"loop {population}"] = Program(
            run, population * car_racing.NUM_VARIATIONS * LOOP_STEPS
        )
    for name, batch in (
        ("view", 64),
        ("view", 256),
        ("view at once", 256),
        ("physics", 64),
        ("physics", 256),
    ):
        reset, compile_drive = car_racing.make_races(car_racing.Case(name, batch=batch))
        races, _ = compile_drive(reset(), car_racing.ZOOM_STEPS)()
        programs[f"{name} {batch}"] = Program(
            compile_drive(races, RACE_STEPS[name]), batch * RACE_STEPS[name]
        )
    return programs


def take_turns(programs: Mapping[str, Program], num_turns: int) -> dict[str, list[float]]:
    """Microseconds for a step of each program, in each turn."""
    for program in programs.values():
        car_racing.seconds_of(program.run)  # Warms up.
    microseconds: dict[str, list[float]] = {name: [] for name in programs}
    for turn in range(num_turns):
        for name, program in sorted(programs.items(), reverse=turn % 2 == 1):
            microseconds[name].append(1e6 * car_racing.seconds_of(program.run) / program.num_steps)
    return microseconds


def quartiles(values: list[float]) -> dict[str, float]:
    """The median, and what a quarter of the values is below and above."""
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return {"median": median, "low": low, "high": high}


if __name__ == "__main__":
    main()
