"""Writes measured numbers into the pages that quote them.

README.md and pages of docs/, between `<!-- name -->` and `<!-- /name -->`.

Run it after a benchmark has written its JSON into `benchmarks/results/`, or an experiment's report
was copied into `experiments/results/`; nothing between the marks is written by hand.
"""

import json
import math
import re
import statistics
import textwrap
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from hebbax.comparison.results import Results, Row, Run, summarise

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
EXPERIMENTS = ROOT / "experiments" / "results"
NO_RESULT = "No result yet."


def main() -> None:
    """Fills every mark, and says so where there is no result yet."""
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        text = page.read_text()
        for name, (file, make) in TABLES.items():
            made = make(read(RESULTS / file)) if (RESULTS / file).exists() else NO_RESULT
            table = "\n".join(wrapped(line) for line in made.splitlines())
            text = re.sub(
                rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)",
                lambda found, table=table: found[1] + table + "\n" + found[2],
                text,
                flags=re.S,
            )
        page.write_text(text)


def wrapped(line: str) -> str:
    """A line of prose within a hundred columns; rows of tables stay as they are."""
    return line if line.startswith("|") else textwrap.fill(line, 100, break_on_hyphens=False)


def read(file: Path) -> Any:
    """A benchmark's results: of one JSON, or a list of one for each line."""
    text = file.read_text()
    return (
        [json.loads(line) for line in text.splitlines()]
        if file.suffix == ".jsonl"
        else json.loads(text)
    )


def table(header: str, rows: Iterable[Iterable[str]]) -> list[str]:
    """The lines of a table in Markdown, below a header such as `| one | two |`."""
    return [header, "|" + "---|" * (header.count("|") - 1), *(row_of(*row) for row in rows)]


def row_of(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def ratios_of(ratios: dict[str, float]) -> list[str]:
    """A table of ratios."""
    return table("| ratio | |", ((name, f"{value:.2f}") for name, value in ratios.items()))


def machine(environment: dict[str, Any]) -> str:
    """Where it was measured."""
    return f"On {environment['cores']} cores ({environment['devices'][0]})"


def demo(results: dict[str, Any]) -> str:
    """Whether the demo learns, and what it reaches."""
    runs = results["runs"]
    lines = [
        f"Over {len(runs)} seeds the population's mean fitness rises from {results['first']:.1f} "
        f"in the first five generations to {results['last']:.1f} in the "
        f"last five, {results['gain_in_standard_errors_over_generations']:.0f} standard errors "
        f"({results['gain_in_standard_errors_over_seeds']:.1f} over the seeds alone); training and "
        f"evaluation take at most {_minutes(runs):.0f} minutes on two "
        f"cores. Measured at commit {results['environment']['git_commit']}. The score of the "
        "genome's mean, 100 lifetimes in each variation:",
        "",
        *scores(runs),
    ]
    return "\n".join(lines)


def car_demo(results: dict[str, Any]) -> str:
    """Whether the racer's demo learns, and how far it is from a driver that goes straight."""
    runs, environment = results["runs"], results["environment"]
    lines = [
        f"Over {len(runs)} seeds the population's mean fitness rises from {results['first']:.1f} "
        f"in the first five generations to {results['last']:.1f} in the "
        f"last five; training and evaluation take at most {_minutes(runs):.0f} minutes on two "
        f"cores. Measured at commit {environment['git_commit']}. Against "
        "drivers that never steer, the best of several constant gases, on the same tracks:",
        "",
        *table(
            "| variations | learned | straight | its gas | least gain of a seed | standard errors "
            "over races | over seeds |",
            (
                (
                    name.replace("_", " "),
                    f"{results[name]['score']:.1f}",
                    f"{results[name]['straight_score']:.1f}",
                    f"{results[name]['straight_gas']:g}",
                    f"{results[name]['least_gain_of_a_seed']:.1f}",
                    f"{results[name]['gain_in_standard_errors_over_races']:.1f}",
                    f"{results[name]['gain_in_standard_errors_over_seeds']:.1f}",
                )
                for name in ("training", "held_out")
            ),
        ),
        "",
        "The score of the genome's mean, 100 lifetimes in each variation:",
        "",
        *scores(runs),
    ]
    return "\n".join(lines)


def _minutes(runs: list[dict[str, Any]]) -> float:
    return max(run["train_seconds"] + run["evaluate_seconds"] for run in runs) / 60


def scores(runs: list[dict[str, Any]]) -> list[str]:
    """Each seed's score in every variation."""
    rows = []
    for of_seeds in zip(*(run["scores"] for run in runs), strict=True):
        first = of_seeds[0]
        mark = " (held out)" if first["is_held_out"] else ""
        cells = [f"{one['mean']:.1f} [{one['low']:.1f}, {one['high']:.1f}]" for one in of_seeds]
        rows.append([f"`{first['variation']}`{mark}", *cells])
    return table(row_of("variation", *(f"seed {run['seed']}" for run in runs)), rows)


def speed(results: dict[str, Any]) -> str:
    """Steps per second of the main cases, and the ratios."""
    cases = {
        (
            row["name"],
            row["body"],
            row["population"],
            row["cores"],
        ): f"{row['steps_per_second']:,.0f}"
        for row in results["cases"]
    }
    names = {
        "hebbian": "plastic policy, `{}` body, {} x 4",
        "physics": "physics alone, `{}` body, {} x 4",
        "gymnasium": "gymnasium's Ant-v5, plastic policy in NumPy",
    }
    rows = [
        [names[name].format(body, population)]
        + [cases.get((name, body, population, cores), "") for cores in (1, 2)]
        for name, body, population in dict.fromkeys(key[:3] for key in cases)
        if name in names
    ]
    return "\n".join(table("| quadruped, steps per second | one core | two cores |", rows))


def measured(results: dict[str, Any]) -> str:
    """All ratios, with where and when they were measured."""
    environment = results["environment"]
    versions = ", ".join(
        f"{name} {version}"
        for name, version in environment["packages"].items()
        if name in ("jax", "brax", "mujoco-mjx")
    )
    peak = max(row["peak_memory_bytes"] for row in results["cases"]) / 1e9
    return "\n".join(
        [
            f"{machine(environment)}, Python {environment['python']}, {versions}; "
            f"{environment['started'][:10]}. "
            f"The highest peak memory of any case is {peak:.1f} GB.",
            "",
            speed(results),
            "",
            *ratios_of(results["ratios"]),
        ]
    )


def in_turn(results: dict[str, Any]) -> str:
    """Ratios of programs that ran in turn, with their quartiles."""
    environment = results["environment"]
    return "\n".join(
        [
            f"{machine(environment)}, {results['turns']} turns, "
            f"commit {environment['git_commit']}; {environment['started'][:10]}.",
            "",
            *table(
                "| time of a step | median | quartiles |",
                (
                    (name, f"{ratio['median']:.2f}", f"{ratio['low']:.2f} to {ratio['high']:.2f}")
                    for name, ratio in results["ratios"].items()
                ),
            ),
        ]
    )


def genomes(results: dict[str, Any]) -> str:
    """Seconds per individual of gradient and samples, memory, and the ratios."""
    environment = results["environment"]
    cases = {
        (row["name"], row["network"], row["num_rules"], row["cores"]): row
        for row in results["cases"]
    }
    rows = []
    for name, network, num_rules in dict.fromkeys(key[:3] for key in cases):
        one, two = (cases.get((name, network, num_rules, cores)) for cores in (1, 2))
        cells = [f"{1e3 * row['seconds_per_individual']:,.1f}" if row else "" for row in (one, two)]
        memory = two and (
            f"{two['memory_above_bytes'] / 1e9:.2f} GB, at the peak "
            f"{two['peak_memory_bytes'] / 1e9:.1f} GB in all"
        )
        is_peer = name == "evostrat"
        size = "sample and gradient" if is_peer else f"population {(two or one)['population']}"
        rows.append([f"{name}, {network}, M = {num_rules:,}, {size}", *cells, memory or ""])
    return "\n".join(
        [
            f"{machine(environment)}, Python {environment['python']}, "
            f"jax {environment['packages']['jax']}; {environment['started'][:10]}.",
            "",
            *table(
                "| milliseconds per individual | one core | two cores | memory above genome and "
                "gradient, two cores |",
                rows,
            ),
            "",
            *ratios_of(results["ratios"]),
        ]
    )


def natural(results: dict[str, Any]) -> str:
    """Squared steps by the number of rules."""
    # Until `Natural` and `EvenSteps` were told apart, `natural` was what `even` is now.
    steps = [step for step in ("plain", "natural", "even") if f"{step}_rules" in results["rows"][0]]
    columns = [(step, part) for step in steps for part in ("rules", "assignment")]
    rows = (
        [str(row["num_rules"]), *(f"{row[f'{step}_{part}']:.3g}" for step, part in columns)]
        for row in results["rows"]
    )
    return "\n".join(table(row_of("rules M", *(f"{step}: {part}" for step, part in columns)), rows))


def coverage(results: dict[str, Any]) -> str:
    """How often intervals contain the truth."""
    runs = list(next(iter(results["coverage"].values())))
    return "\n".join(
        [
            *table(
                row_of("runs in each fold", *runs),
                (
                    [name, *(f"{share:.1%}" for share in shares.values())]
                    for name, shares in results["coverage"].items()
                ),
            ),
            "",
            f"{results['simulations']:,} simulations with {results['resamples']} resamples each; a "
            "standard error is "
            f"{results['standard_error']:.1%}.",
        ]
    )


def car_speed(results: dict[str, Any]) -> str:
    """The racer's steps per second by batch, and the ratios."""
    cases = {
        (row["name"], row["batch"], row["cores"]): f"{row['steps_per_second']:,.0f}"
        for row in results["cases"]
        if "steps_per_second" in row
    }
    kinds = {
        "physics": "no view",
        "state": "numbers",
        "view": "84 x 84 pixels",
        "view at once": "84 x 84 pixels, all races at once",
        "envpool": "EnvPool's, 96 x 96 pixels",
    }
    rows = (
        [what, *(cases.get((name, batch, 2), "") for batch in (16, 64, 256))]
        for name, what in kinds.items()
    )
    ratios = {
        name: value for name, value in results["ratios"].items() if "the paper's time" not in name
    }
    return "\n".join(
        [
            f"Measured at commit {results['environment']['git_commit']}.",
            "",
            *table("| steps per second, two cores | 16 races | 64 | 256 |", rows),
            "",
            *ratios_of(ratios),
        ]
    )


def car_loop(results: dict[str, Any]) -> str:
    """The whole loop's cost of a step with the paper's plastic policy, by population."""
    header = (
        "| population, in four variations | steps per second | µs per step and core | the paper's "
        "time to ours | peak memory |"
    )
    ratio = "loop: the paper's time to ours, population {batch}, {cores} cores"
    rows = [
        (
            f"{row['batch']}, {'one core' if row['cores'] == 1 else 'two cores'}",
            f"{row['steps_per_second']:,.0f}",
            f"{row['microseconds_per_step_and_core']:.0f}",
            f"{results['ratios'][ratio.format(**row)]:.1f}",
            f"{row['peak_memory_bytes'] / 1e9:.1f} GB",
        )
        for row in results["cases"]
        if row["name"] == "loop"
    ]
    return "\n".join(table(header, rows)) if rows else NO_RESULT


def car_parts(results: dict[str, Any]) -> str:
    """What a step of the racer and its view are made of."""
    row = next(row for row in results["cases"] if row["name"] == "parts")
    names = {
        "view": "84 x 84 view, all of it",
        "frame": "of which the 96 x 96 frame",
        "road": "of which the road",
        "field": "grass and squares",
        "car": "car",
        "panel": "indicator bar",
        "step": "step of car and contacts",
        "look": "the paper's filters",
        "network_and_plasticity": "the paper's network and plasticity",
    }
    header = f"| one race on one core, commit {results['environment']['git_commit']} | µs |"
    rows = ((what, f"{row[f'{name}_microseconds']:.0f}") for name, what in names.items())
    return "\n".join(table(header, rows))


def box2d(results: dict[str, Any]) -> str:
    """How near the racer comes to Box2D live.

    Of each race's largest difference the median and the worst.
    """
    parts = {name: part for name, part in results.items() if isinstance(part, dict)}
    rows = [
        [column, *(f"{errors['median']:.0e}, {errors['largest']:.0e}" for errors in of_parts)]
        for column, *of_parts in (
            (column, *(part[column] for part in parts.values()))
            for column in next(iter(parts.values()))
        )
    ]
    counts = [
        f"{name[0].upper()}{name[1:]}: {value}."
        for name, value in results.items()
        if name.startswith(("races with", "steps of"))
    ]
    return "\n".join(
        [*table(row_of("median and worst of the races", *parts), rows), "", " ".join(counts)]
    )


def device(lines: list[dict[str, Any]]) -> str:
    """Generations on an accelerator, beside the first record of it."""
    about = next(line for line in lines if line["name"] == "device")
    first = {
        (line["name"], line["population"]): f"{line['steps_per_second']:,}"
        for line in read(RESULTS / "device-nvidia-h200-first.jsonl")
        if "population" in line
    }
    speeds = [
        (
            line["name"],
            f"{line['population']:,}",
            f"{line['steps_per_second']:,}",
            first.get((line["name"], line["population"]), ""),
            f"{statistics.median(line['generation_seconds']):.2f}",
            f"{line['program_bytes'] / 1e9:.1f} GB",
        )
        for line in lines
        if line.get("episode_steps") == 200
    ]
    differences = [
        (line["name"].removeprefix("agreement: "), *(f"{line[figure]:.0e}" for figure in figures))
        for line in lines
        for figures in (
            ("observation_1", "observation_5", "observation_10"),
            ("action_1", "action_5", "action_20"),
        )
        if figures[0] in line
    ]
    return "\n".join(
        [
            f"On one {about['devices'][0]}, Python {about['python']}, "
            f"jax {about['packages']['jax']}; {about['started'][:10]}. "
            "Four variations, 200 steps.",
            "",
            *table(
                "| | population | steps per second | at first | seconds of a generation | memory "
                "of its program |",
                speeds,
            ),
            "",
            *table(
                "| largest difference from the CPU | after 1 step | 5 steps | 20 steps (network), "
                "10 (world) |",
                differences,
            ),
        ]
    )


def device_speed(lines: list[dict[str, Any]]) -> str:
    """An accelerator's speed in a sentence."""
    speeds = {
        (line["name"], line.get("population")): line.get("steps_per_second") for line in lines
    }
    device = next(line for line in lines if line["name"] == "device")["devices"][0]
    # Records up to that of commit 6776601 name the products that hebbax makes by itself.
    quadruped, car = (
        speeds.get((f"{name}, products in float32", population)) or speeds[name, population]
        for name, population in (("quadruped", 4096), ("car", 512))
    )
    return (
        f"On one {device}, with the paper's networks: "
        f"{quadruped:,} quadruped steps a second (4,096 "
        "individuals in four "
        f"bodies), {car:,} racer steps from pixels (512 "
        "drivers in four variations, most of whom end early)."
    )


def thrown(results: dict[str, Any]) -> str:
    """How many thrown bodies of all variations left the finite numbers, by their spin."""
    counts = {
        f"`{body}`, {name}": list(of_variations.values())
        for body, bounds in results["non_finite"].items()
        for name, of_variations in bounds.items()
    }
    variations = next(iter(counts.values()))
    title = f"not finite of {results['throws'] * len(variations)} throws, spin in rad/s"
    rows = (
        [name, *(str(sum(one[spin] for one in of_variations)) for spin in variations[0])]
        for name, of_variations in counts.items()
    )
    return "\n".join(table(row_of(title, *(f"{float(spin):.0f}" for spin in variations[0])), rows))


def experiment(results: dict[str, Any]) -> str:
    """Interquartile means of an experiment's methods, with their intervals."""
    plain: list[dict[str, Any]] = [
        {name: math.nan if value is None else value for name, value in row.items()}
        for row in results["rows"]
    ]
    rows = [Row(**row) for row in plain]
    runs = list(dict.fromkeys(Run(row.method, row.fold, row.seed, Path()) for row in rows))
    scores = {(one.method, one.is_held_out): one for one in summarise(Results(runs, rows, []))}
    table_rows = []
    for method in dict.fromkeys(run.method for run in runs):
        pair = scores[method, True], scores[method, False]
        cells = []
        for one in pair:
            interval = "" if math.isnan(one.low) else f"[{one.low:.1f}, {one.high:.1f}]"
            cells += [f"{one.iqm:.1f}", interval]
        table_rows.append([method, *cells, str(pair[0].num_runs)])
    header = "| method | held out | 95% interval | trained on | 95% interval | runs |"
    return "\n".join(table(header, table_rows))


TABLES: dict[str, tuple[str, Callable[[dict[str, Any]], str]]] = {
    "demo": ("demo-cpu.json", demo),
    "speed": ("quadruped-cpu.json", speed),
    "genomes": ("genomes-cpu.json", genomes),
    "natural": ("natural-steps.json", natural),
    "coverage": ("interval-coverage.json", coverage),
    "measured": ("quadruped-cpu.json", measured),
    "in-turn": ("in-turn-cpu.json", in_turn),
    "car-demo": ("car-demo-cpu.json", car_demo),
    "box2d": ("box2d-agreement.json", box2d),
    "car-loop": ("car-racing-cpu.json", car_loop),
    "car-parts": ("car-racing-cpu.json", car_parts),
    "device-speed": ("device-nvidia-h200.jsonl", device_speed),
    "device": ("device-nvidia-h200.jsonl", device),
    "thrown": ("thrown-bodies.json", thrown),
    "small-quadruped": (
        f"{EXPERIMENTS}/small-genomic-bottleneck-quadruped/results.json",
        experiment,
    ),
    "small-car": (f"{EXPERIMENTS}/small-genomic-bottleneck-car/results.json", experiment),
    "car-speed": ("car-racing-cpu.json", car_speed),
}

if __name__ == "__main__":
    main()
