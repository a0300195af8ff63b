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
from collections.abc import Callable
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
        "| variations | learned | straight | its gas | least gain of a seed | standard errors "
        "over races | over seeds |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in (("training", results["training"]), ("held out", results["held_out"])):
        errors = (
            f"{row['gain_in_standard_errors_over_races']:.1f} | "
            f"{row['gain_in_standard_errors_over_seeds']:.1f}"
        )
        means = (
            f"{row['score']:.1f} | {row['straight_score']:.1f} | {row['straight_gas']:g} | "
            f"{row['least_gain_of_a_seed']:.1f}"
        )
        lines.append(f"| {name} | {means} | {errors} |")
    return "\n".join(
        [
            *lines,
            "",
            "The score of the genome's mean, 100 lifetimes in each variation:",
            "",
            *scores(runs),
        ]
    )


def _minutes(runs: list[dict[str, Any]]) -> float:
    return max(run["train_seconds"] + run["evaluate_seconds"] for run in runs) / 60


def scores(runs: list[dict[str, Any]]) -> list[str]:
    """Each seed's score in every variation."""
    lines = [
        "| variation | " + " | ".join(f"seed {run['seed']}" for run in runs) + " |",
        "|---|" + "---|" * len(runs),
    ]
    for place, score in enumerate(runs[0]["scores"]):
        mark = " (held out)" if score["is_held_out"] else ""
        cells = [
            f"{run['scores'][place]['mean']:.1f} [{run['scores'][place]['low']:.1f}, "
            f"{run['scores'][place]['high']:.1f}]"
            for run in runs
        ]
        lines.append(f"| `{score['variation']}`{mark} | " + " | ".join(cells) + " |")
    return lines


def speed(results: dict[str, Any]) -> str:
    """Steps per second of the main cases, and the ratios."""
    lines = [
        "| quadruped, steps per second | " + " | ".join(("one core", "two cores")) + " |",
        "|---|---|---|",
    ]
    rows = {
        (row["name"], row["body"], row["population"], row["cores"]): row for row in results["cases"]
    }
    kinds = {key[:3]: None for key in rows}
    names = {
        "hebbian": "plastic policy",
        "physics": "physics alone",
        "gymnasium": "gymnasium's Ant-v5, plastic policy in NumPy",
    }
    for name, body, population in kinds:
        if name not in names:
            continue
        speeds = [rows.get((name, body, population, cores)) for cores in (1, 2)]
        place = "" if name == "gymnasium" else f", `{body}` body, {population} x 4"
        lines.append(
            f"| {names[name]}{place} | "
            + " | ".join(f"{row['steps_per_second']:,.0f}" if row else "" for row in speeds)
            + " |"
        )
    return "\n".join(lines)


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
            f"On {environment['cores']} cores ({environment['devices'][0]}), Python "
            f"{environment['python']}, {versions}; {environment['started'][:10]}. "
            f"The highest peak memory of any case is {peak:.1f} GB.",
            "",
            speed(results),
            "",
            "| ratio | |",
            "|---|---|",
            *(f"| {name} | {value:.2f} |" for name, value in results["ratios"].items()),
        ]
    )


def in_turn(results: dict[str, Any]) -> str:
    """Ratios of programs that ran in turn, with their quartiles."""
    environment = results["environment"]
    return "\n".join(
        [
            f"On {environment['cores']} cores ({environment['devices'][0]}), {results['turns']} "
            f"turns, commit {environment['git_commit']}; "
            f"{environment['started'][:10]}.",
            "",
            "| time of a step | median | quartiles |",
            "|---|---|---|",
            *(
                f"| {name} | {ratio['median']:.2f} | {ratio['low']:.2f} to {ratio['high']:.2f} |"
                for name, ratio in results["ratios"].items()
            ),
        ]
    )


def genomes(results: dict[str, Any]) -> str:
    """Seconds per individual of gradient and samples, memory, and the ratios."""
    environment = results["environment"]
    rows = {
        (row["name"], row["network"], row["num_rules"], row["cores"]): row
        for row in results["cases"]
    }
    lines = [
        f"On {environment['cores']} cores ({environment['devices'][0]}), Python "
        f"{environment['python']}, jax {environment['packages']['jax']}; "
        f"{environment['started'][:10]}.",
        "",
        "| milliseconds per individual | one core | two cores | memory above genome and gradient, "
        "two cores |",
        "|---|---|---|---|",
    ]
    for name, network, num_rules in {key[:3]: None for key in rows}:
        one, two = (rows.get((name, network, num_rules, cores)) for cores in (1, 2))
        cells = [f"{1e3 * row['seconds_per_individual']:,.1f}" if row else "" for row in (one, two)]
        memory = (
            f"{two['memory_above_bytes'] / 1e9:.2f} GB, at the peak "
            f"{two['peak_memory_bytes'] / 1e9:.1f} GB in all"
            if two
            else ""
        )
        size = (
            f"population {(two or one)['population']}"
            if name != "evostrat"
            else "sample and gradient"
        )
        lines.append(
            f"| {name}, {network}, M = {num_rules:,}, {size} | {' | '.join(cells)} | {memory} |"
        )
    return "\n".join(
        [
            *lines,
            "",
            "| ratio | |",
            "|---|---|",
            *(f"| {name} | {value:.2f} |" for name, value in results["ratios"].items()),
        ]
    )


def natural(results: dict[str, Any]) -> str:
    """Squared steps by the number of rules."""
    lines = [
        "| rules M | plain: rules | plain: assignment | natural: rules | natural: assignment |",
        "|---|---|---|---|---|",
    ]
    for row in results["rows"]:
        figures = (
            row[f"{step}_{part}"]
            for step in ("plain", "natural")
            for part in ("rules", "assignment")
        )
        lines.append(
            f"| {row['num_rules']} | " + " | ".join(f"{figure:.3g}" for figure in figures) + " |"
        )
    return "\n".join(lines)


def coverage(results: dict[str, Any]) -> str:
    """How often intervals contain the truth."""
    runs = list(next(iter(results["coverage"].values())))
    return "\n".join(
        [
            "| runs in each fold | " + " | ".join(runs) + " |",
            "|---|" + "---|" * len(runs),
            *(
                f"| {name} | " + " | ".join(f"{share:.1%}" for share in shares.values()) + " |"
                for name, shares in results["coverage"].items()
            ),
            "",
            f"{results['simulations']:,} simulations with {results['resamples']} resamples each; a "
            "standard error is "
            f"{results['standard_error']:.1%}.",
        ]
    )


def car_speed(results: dict[str, Any]) -> str:
    """The racer's steps per second by batch, and the ratios."""
    rows = {(row["name"], row["batch"], row["cores"]): row for row in results["cases"]}
    kinds = {
        "physics": "no view",
        "state": "numbers",
        "view": "84 x 84 pixels",
        "view at once": "84 x 84 pixels, all races at once",
        "envpool": "EnvPool's, 96 x 96 pixels",
    }
    lines = [
        f"Measured at commit {results['environment']['git_commit']}.",
        "",
        "| steps per second, two cores | 16 races | 64 | 256 |",
        "|---|---|---|---|",
    ]
    for name, what in kinds.items():
        cells = [rows.get((name, batch, 2)) for batch in (16, 64, 256)]
        lines.append(
            f"| {what} | "
            + " | ".join(f"{row['steps_per_second']:,.0f}" if row else "" for row in cells)
            + " |"
        )
    ratios = [
        f"| {name} | {value:.2f} |"
        for name, value in results["ratios"].items()
        if "the paper's time" not in name
    ]
    return "\n".join([*lines, "", "| ratio | |", "|---|---|", *ratios])


def car_loop(results: dict[str, Any]) -> str:
    """The whole loop's cost of a step with the paper's plastic policy, by population."""
    lines = [
        "| population, in four variations | steps per second | µs per step and core | the paper's "
        "time to ours | peak memory |",
        "|---|---|---|---|---|",
    ]
    for row in results["cases"]:
        if row["name"] == "loop":
            ratio = results["ratios"][
                f"loop: the paper's time to ours, population {row['batch']}, {row['cores']} cores"
            ]
            cells = (
                f"{row['steps_per_second']:,.0f} | {row['microseconds_per_step_and_core']:.0f} | "
                f"{ratio:.1f} | {row['peak_memory_bytes'] / 1e9:.1f} GB"
            )
            lines.append(
                f"| {row['batch']}, {'one core' if row['cores'] == 1 else 'two cores'} | {cells} |"
            )
    return "\n".join(lines) if len(lines) > 2 else NO_RESULT


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
    lines = [
        f"| one race on one core, commit {results['environment']['git_commit']} | µs |",
        "|---|---|",
    ]
    return "\n".join(
        [
            *lines,
            *(f"| {what} | {row[f'{name}_microseconds']:.0f} |" for name, what in names.items()),
        ]
    )


def box2d(results: dict[str, Any]) -> str:
    """How near the racer comes to Box2D live.

    Of each race's largest difference the median and the worst.
    """
    parts = {name: part for name, part in results.items() if isinstance(part, dict)}
    columns = next(iter(parts.values()))
    lines = [
        "| median and worst of the races | " + " | ".join(parts) + " |",
        "|---|" + "---|" * len(parts),
    ]
    for column in columns:
        cells = [
            f"{part[column]['median']:.0e}, {part[column]['largest']:.0e}"
            for part in parts.values()
        ]
        lines.append(f"| {column} | " + " | ".join(cells) + " |")
    counts = [
        f"{name[0].upper()}{name[1:]}: {value}."
        for name, value in results.items()
        if name.startswith(("races with", "steps of"))
    ]
    return "\n".join([*lines, "", " ".join(counts)])


def device(lines: list[dict[str, Any]]) -> str:
    """Generations on an accelerator, beside the first record of it."""
    about = next(line for line in lines if line["name"] == "device")
    first = {
        (line["name"], line.get("population")): line
        for line in read(RESULTS / "device-nvidia-h200-first.jsonl")
    }
    rows = [
        f"On one {about['devices'][0]}, Python {about['python']}, jax {about['packages']['jax']}; "
        f"{about['started'][:10]}. Four variations, 200 steps.",
        "",
        "| | population | steps per second | at first | seconds of a generation | memory of its "
        "program |",
        "|---|---|---|---|---|---|",
    ]
    for line in lines:
        if line.get("episode_steps") == 200:
            before = first.get((line["name"], line["population"]), {}).get("steps_per_second", "")
            rows.append(
                f"| {line['name']} | {line['population']:,} | {line['steps_per_second']:,} | "
                f"{before:,} | "
                f"{statistics.median(line['generation_seconds']):.2f} | "
                f"{line['program_bytes'] / 1e9:.1f} GB |"
            )
    rows += [
        "",
        "| largest difference from the CPU | after 1 step | 5 steps | 20 steps (network), 10 "
        "(world) |",
        "|---|---|---|---|",
    ]
    for line in lines:
        if line["name"].startswith("agreement"):
            what = (
                "observation"
                if "observation_1" in line
                else "action"
                if "action_1" in line
                else None
            )
            if what:
                last = line["action_20"] if what == "action" else line["observation_10"]
                rows.append(
                    f"| {line['name'][11:]} | {line[f'{what}_1']:.0e} | {line[f'{what}_5']:.0e} | "
                    f"{last:.0e} |"
                )
    return "\n".join(rows)


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
    rows = [
        (f"`{body}`, {name}", list(counts.values()))
        for body, bounds in results["non_finite"].items()
        for name, counts in bounds.items()
    ]
    spins = list(rows[0][1][0])
    num_throws = results["throws"] * len(rows[0][1])
    lines = [
        f"| not finite of {num_throws} throws, spin in rad/s | "
        f"{' | '.join(f'{float(spin):.0f}' for spin in spins)} |",
        "|---|" + "---|" * len(spins),
    ]
    lines += [
        f"| {title} | {' | '.join(str(sum(one[spin] for one in counts)) for spin in spins)} |"
        for title, counts in rows
    ]
    return "\n".join(lines)


def experiment(results: dict[str, Any]) -> str:
    """Interquartile means of an experiment's methods, with their intervals."""
    plain: list[dict[str, Any]] = [
        {name: math.nan if value is None else value for name, value in row.items()}
        for row in results["rows"]
    ]
    rows = [Row(**row) for row in plain]
    runs = list(dict.fromkeys(Run(row.method, row.fold, row.seed, Path()) for row in rows))
    scores = {(one.method, one.is_held_out): one for one in summarise(Results(runs, rows, []))}
    lines = [
        "| method | held out | 95% interval | trained on | 95% interval | runs |",
        "|---|---|---|---|---|---|",
    ]
    for method in dict.fromkeys(run.method for run in runs):
        pair = scores[method, True], scores[method, False]
        cells = [
            cell
            for one in pair
            for cell in (
                f"{one.iqm:.1f}",
                "" if math.isnan(one.low) else f"[{one.low:.1f}, {one.high:.1f}]",
            )
        ]
        lines.append(f"| {method} | {' | '.join(cells)} | {pair[0].num_runs} |")
    return "\n".join(lines)


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
