"""Writes measured numbers into the pages that quote them.

README.md, pages of docs/ and that of the bottleneck's experiment, between `<!-- name -->` and
`<!-- /name -->`.

Run it after a benchmark has written its JSON into `benchmarks/results/`, or an experiment's report
was copied into `experiments/results/`; nothing between the marks is written by hand.
"""

import functools
import json
import math
import re
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bottleneck_tables
from pages import row_of, table, table_of, wrapped

from hebbax.comparison.results import Results, Row, Run, summarise

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
EXPERIMENTS = ROOT / "experiments" / "results"
BOTTLENECK = ROOT / "experiments" / "bottleneck"
NO_RESULT = "No result yet."
OF_SCORES = "The score of the genome's mean, 100 lifetimes in each variation:"


def main() -> None:
    """Fills every mark, and says so where there is no result yet."""
    docs = sorted((ROOT / "docs").glob("*.md"))
    for page in (ROOT / "README.md", BOTTLENECK / "README.md", *docs):
        text = page.read_text()
        for name, (file, make) in TABLES.items():
            made = make(read(RESULTS / file)) if (RESULTS / file).exists() else []
            lines = "\n".join(wrapped(line) for line in made or [NO_RESULT])
            text = re.sub(
                rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)",
                lambda found, lines=lines: f"{found[1]}{lines}\n{found[2]}",
                text,
                flags=re.S,
            )
        page.write_text(text)


def read(file: Path) -> Any:
    """A benchmark's results: of one JSON, or a list of one for each line."""
    text = file.read_text()
    is_lines = file.suffix == ".jsonl"
    return [json.loads(line) for line in text.splitlines()] if is_lines else json.loads(text)


def ratios_of(results: dict[str, Any], without: str = "nothing") -> list[str]:
    """A table of a benchmark's ratios."""
    pairs = ((name, f"{value:.2f}") for name, value in results["ratios"].items())
    return table("| ratio | |", (pair for pair in pairs if without not in pair[0]))


def cases_by(results: dict[str, Any], *names: str) -> dict[tuple[Any, ...], dict[str, Any]]:
    """A benchmark's cases by some of their fields."""
    return {tuple(row[name] for name in names): row for row in results["cases"]}


def steps_per_second(row: dict[str, Any] | None) -> str:
    return f"{row['steps_per_second']:,.0f}" if row else ""


def machine(results: dict[str, Any], *details: str) -> str:
    """Where and when a benchmark ran."""
    about = results["environment"]
    where = f"On {about['cores']} cores ({about['devices'][0]})"
    return f"{', '.join([where, *details])}; {about['started'][:10]}."


def versions(results: dict[str, Any], *packages: str) -> list[str]:
    about = results["environment"]
    return [
        f"Python {about['python']}",
        *(f"{name} {about['packages'][name]}" for name in packages),
    ]


def commit(results: dict[str, Any]) -> str:
    return results["environment"]["git_commit"]


def demo(results: dict[str, Any]) -> list[str]:
    """Whether the demo learns, and what it reaches."""
    errors = (
        ", {gain_in_standard_errors_over_generations:.0f} standard errors "
        "({gain_in_standard_errors_over_seeds:.1f} over the seeds alone)"
    )
    text = f"{_learning(results, errors.format(**results))} {OF_SCORES}"
    return [text, "", *scores(results["runs"])]


def car_demo(results: dict[str, Any]) -> list[str]:
    """Whether the racer's demo learns, and how far it is from a driver that goes straight."""
    learned = table_of(
        ({"name": name.replace("_", " "), **results[name]} for name in ("training", "held_out")),
        {
            "variations": "{name}",
            "learned": "{score:.1f}",
            "straight": "{straight_score:.1f}",
            "its gas": "{straight_gas:g}",
            "least gain of a seed": "{least_gain_of_a_seed:.1f}",
            "standard errors over races": "{gain_in_standard_errors_over_races:.1f}",
            "over seeds": "{gain_in_standard_errors_over_seeds:.1f}",
        },
    )
    text = (
        f"{_learning(results)} Against drivers that never steer, the best of several constant "
        "gases, on the same tracks:"
    )
    return [text, "", *learned, "", OF_SCORES, "", *scores(results["runs"])]


def _learning(results: dict[str, Any], errors: str = "") -> str:
    runs = results["runs"]
    most = max(run["train_seconds"] + run["evaluate_seconds"] for run in runs) / 60
    return (
        f"Over {len(runs)} seeds the population's mean fitness rises from {results['first']:.1f} "
        f"in the first five generations to {results['last']:.1f} in the last five{errors}; "
        f"training and evaluation take at most {most:.0f} minutes on two cores. Measured at commit "
        f"{commit(results)}."
    )


def scores(runs: list[dict[str, Any]]) -> list[str]:
    """Each seed's score in every variation."""
    return table(
        row_of("variation", *(f"seed {run['seed']}" for run in runs)),
        (
            (
                f"`{of_seeds[0]['variation']}`" + " (held out)" * of_seeds[0]["is_held_out"],
                *map("{mean:.1f} [{low:.1f}, {high:.1f}]".format_map, of_seeds),
            )
            for of_seeds in zip(*(run["scores"] for run in runs), strict=True)
        ),
    )


def speed(results: dict[str, Any]) -> list[str]:
    """Steps per second of the main cases."""
    cases = cases_by(results, "name", "body", "population", "cores")
    names = {
        "hebbian": "plastic policy, `{}` body, {} x 4",
        "physics": "physics alone, `{}` body, {} x 4",
        "gymnasium": "gymnasium's Ant-v5, plastic policy in NumPy",
    }
    return table(
        "| quadruped, steps per second | one core | two cores |",
        (
            (
                names[kind[0]].format(*kind[1:]),
                *(steps_per_second(cases.get((*kind, n))) for n in (1, 2)),
            )
            for kind in dict.fromkeys(case[:3] for case in cases)
            if kind[0] in names
        ),
    )


def measured(results: dict[str, Any]) -> list[str]:
    """All ratios, with where and when they were measured."""
    peak = max(row["peak_memory_bytes"] for row in results["cases"]) / 1e9
    text = (
        f"{machine(results, *versions(results, 'jax', 'brax', 'mujoco-mjx'))} The highest peak "
        f"memory of any case is {peak:.1f} GB."
    )
    return [text, "", *speed(results), "", *ratios_of(results)]


def in_turn(results: dict[str, Any]) -> list[str]:
    """Ratios of programs that ran in turn, with their quartiles."""
    return [
        machine(results, f"{results['turns']} turns", f"commit {commit(results)}"),
        "",
        *table_of(
            ({"name": name, **ratio} for name, ratio in results["ratios"].items()),
            {
                "time of a step": "{name}",
                "median": "{median:.2f}",
                "quartiles": "{low:.2f} to {high:.2f}",
            },
        ),
    ]


def encodings(results: dict[str, Any]) -> list[str]:
    """The time of a step and the memory with each encoding, beside `Direct`."""
    about = f"{results['turns']} turns, commit {commit(results)}"
    rows = (
        {
            "name": name,
            "time": results["microseconds"][name],
            "memory": results["temporary_bytes"][name] / 1e6,
            **ratio,
        }
        for name, ratio in results["ratios"].items()
    )
    columns = {
        "encoding": "`{name}`",
        "microseconds": "{time:.2f}",
        "to `Direct()`": "{median:.2f}",
        "quartiles": "{low:.2f} to {high:.2f}",
        "temporary memory": "{memory:.1f} MB",
    }
    least = f"The floor is {results['floor_microseconds']:.2f} microseconds."
    return [f"{machine(results, about)} {least}", "", *table_of(rows, columns)]


def genomes(results: dict[str, Any]) -> list[str]:
    """Seconds per individual of gradient and samples, memory, and the ratios."""
    cases = cases_by(results, "name", "network", "num_rules", "cores")
    rows = []
    for name, network, num_rules in dict.fromkeys(case[:3] for case in cases):
        one, two = (cases.get((name, network, num_rules, cores)) for cores in (1, 2))
        memory = two and (
            f"{two['memory_above_bytes'] / 1e9:.2f} GB, at the peak "
            f"{two['peak_memory_bytes'] / 1e9:.1f} GB in all"
        )
        cells = (f"{1e3 * row['seconds_per_individual']:,.1f}" if row else "" for row in (one, two))
        is_peer = name == "evostrat"
        size = "sample and gradient" if is_peer else f"population {(two or one)['population']}"
        rows.append((f"{name}, {network}, M = {num_rules:,}, {size}", *cells, memory or ""))
    header = (
        "| milliseconds per individual | one core | two cores | memory above genome and gradient, "
        "two cores |"
    )
    text = machine(results, *versions(results, "jax"))
    return [text, "", *table(header, rows), "", *ratios_of(results)]


def natural(results: dict[str, Any]) -> list[str]:
    """Squared steps by the number of rules."""
    # Until `Natural` and `EvenSteps` were told apart, `natural` was what `even` is now.
    steps = [step for step in ("plain", "natural", "even") if f"{step}_rules" in results["rows"][0]]
    columns = {
        f"{step}: {part}": f"{{{step}_{part}:.3g}}"
        for step in steps
        for part in ("rules", "assignment")
    }
    return table_of(results["rows"], {"rules M": "{num_rules}", **columns})


def coverage(results: dict[str, Any]) -> list[str]:
    """How often intervals contain the truth."""
    shares = results["coverage"]
    made = table(
        row_of("runs in each fold", *next(iter(shares.values()))),
        ((name, *map("{:.1%}".format, shares[name].values())) for name in shares),
    )
    text = (
        "{simulations:,} simulations with {resamples} resamples each; a standard error is "
        "{standard_error:.1%}."
    )
    return [*made, "", text.format(**results)]


def car_speed(results: dict[str, Any]) -> list[str]:
    """The racer's steps per second, and the ratios."""
    cases = cases_by(results, "name", "batch", "cores")
    kinds = {
        "physics": "no view",
        "state": "numbers",
        "view": "84 x 84 pixels",
        "envpool": "EnvPool's, 96 x 96 pixels",
    }
    speeds = table(
        "| steps per second | one core, 32 races | two cores, 64 |",
        (
            (what, *(steps_per_second(cases.get((name, 32 * n, n))) for n in (1, 2)))
            for name, what in kinds.items()
        ),
    )
    text = f"Measured at commit {commit(results)}."
    return [text, "", *speeds, "", *ratios_of(results, without="the paper's time")]


def lanes(results: dict[str, Any]) -> list[str]:
    """What share of the steps an episode needed, in each way to run a population."""
    columns = {
        "preset, generations": "`{preset}`, {generations}",
        "mean steps": "{mean_steps:.0f}",
        "all at once": "{all_at_once:.2f}",
        "chunks of four": "{chunks:.2f}",
        "filled up by individuals": "{by_individual:.2f}",
        "filled up by episodes": "{by_episode:.2f}",
    }
    return [f"At commit {commit(results)}.", "", *table_of(results["rows"], columns)]


def modulated(results: dict[str, Any]) -> list[str]:
    """What rules find with the reward and without it."""
    rows = (
        {
            **row,
            "seeds": ", ".join(f"{score:.1f}" for score in row["scores"]),
            "low": row["to_reward_free"][0],
            "high": row["to_reward_free"][1],
        }
        for row in results["rows"]
    )
    columns = {
        "policy or rule": "`{name}`",
        "score of each seed": "{seeds}",
        "mean": "{mean:.1f}",
        "more than `ABCD`, 95%": "{low:.1f} to {high:.1f}",
    }
    return [f"At commit {commit(results)}.", "", *table_of(rows, columns)]


def hidden_direction(results: dict[str, Any]) -> list[str]:
    """What a quadruped gains whose rules use the reward."""
    rows = (
        {**row, "seeds": ", ".join(f"{score:.1f}" for score in row["scores"])}
        for row in results["rows"]
    )
    columns = {
        "rule": "`{name}`",
        "score of each seed": "{seeds}",
        "mean fitness of the first five generations": "{first:.1f}",
        "of the last five": "{last:.1f}",
    }
    return [f"At commit {commit(results)}.", "", *table_of(rows, columns)]


def classic_control(results: dict[str, Any]) -> list[str]:
    """What plastic and static networks score in classic control."""
    rows = (
        {
            **row,
            "seeds": ", ".join(f"{score:.0f}" for score in row["scores"]),
            "word": "yes" if row["learned"] else "no",
            "minutes": row["seconds"] / 60,
        }
        for row in results["rows"]
    )
    columns = {
        "environment": "`{name}`",
        "network": "{policy}",
        "score of each seed": "{seeds}",
        "usual": "{usual:.0f}",
        "reached": "{word}",
        "generation": "{first_generation_learned}",
        "minutes a seed": "{minutes:.1f}",
    }
    return [f"At commit {commit(results)}.", "", *table_of(rows, columns)]


def traffic(results: dict[str, Any]) -> list[str]:
    """What devices tell one another, by genome and encoding."""
    on_paper = list(next(iter(results["cases"].values()))["sent_bytes"])
    columns = " | ".join(f"sent by one of {number}" for number in on_paper)
    rows = (
        [
            f"`{name}`" if "(" in name else name,
            f"{row['gathered_bytes']:,}",
            f"{row['added_bytes']:,}",
            f"{row['to_floor']:.2f}",
            *(f"{sent:,.0f}" for sent in row["sent_bytes"].values()),
        ]
        for name, row in results["cases"].items()
    )
    return [
        *table(f"| bytes a generation | gathered | added up | to the floor | {columns} |", rows),
        "",
        f"Population {results['population']}, compiled for {results['devices']} devices. The floor "
        "is the fitness and what the optimiser moves, 4 bytes each.",
    ]


def many_numbers(results: dict[str, Any]) -> list[str]:
    """How far numbers of other places are from one's."""
    rows = (
        [
            name,
            *(
                f"{row[when][what]:.1g}"
                for when in ("first", "last")
                for what in ("genome", "fitness")
            ),
        ]
        for name, row in results["differences"].items()
    )
    return table(
        "| processes and devices | genome after 1 generation | fitness | genome after 20 | "
        "fitness |",
        rows,
    )


def many_overhead(results: dict[str, Any]) -> list[str]:
    """What a distributed run costs a single process."""
    ratio = results["overhead"]
    return [
        f"{ratio['median']:.3f} ({ratio['low']:.3f} to {ratio['high']:.3f}) times the time of a "
        f"generation of {results['seconds']:.2f} s, the median of {results['turns']} turns and its "
        f"quartiles. {machine(results)}"
    ]


def launches(lines: list[dict[str, Any]]) -> list[str]:
    """Kernels of a policy step on a device, and what launching them takes at least."""
    profiles = [line for line in lines if "kernels" in line]
    rows = (
        {
            **line,
            "each": line["kernels"] / line["episode_steps"],
            "microseconds": 1e6 * line["kernel_median_seconds"],
            "launches": 1e3 * line["kernels"] * line["kernel_median_seconds"],
            "measured": 1e3 * statistics.median(line["generation_seconds"]),
        }
        for line in profiles
    )
    columns = {
        "ten steps of": "{name}",
        "population": "{population:,}",
        "kernels in a step": "{each:,.0f}",
        "µs of the median kernel": "{microseconds:.1f}",
        "their product, ms": "{launches:.0f}",
        "measured, ms": "{measured:.0f}",
    }
    return table_of(rows, columns)


def car_loop(results: dict[str, Any]) -> list[str]:
    """The whole loop's cost of a step with the paper's plastic policy, by population."""
    ratio = "loop: the paper's time to ours, population {batch}, {cores} cores"
    return table_of(
        (
            {
                **row,
                "on": "one core" if row["cores"] == 1 else "two cores",
                "ratio": results["ratios"][ratio.format(**row)],
                "gigabytes": row["peak_memory_bytes"] / 1e9,
            }
            for row in results["cases"]
            if row["name"] == "loop"
        ),
        {
            "population, in four variations": "{batch}, {on}",
            "steps per second": "{steps_per_second:,.0f}",
            "µs per step and core": "{microseconds_per_step_and_core:.0f}",
            "the paper's time to ours": "{ratio:.1f}",
            "peak memory": "{gigabytes:.1f} GB",
        },
    )


def car_parts(results: dict[str, Any]) -> list[str]:
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
    return table(
        f"| one race on one core, commit {commit(results)} | µs |",
        ((what, f"{row[f'{name}_microseconds']:.0f}") for name, what in names.items()),
    )


def box2d(results: dict[str, Any]) -> list[str]:
    """How near the racer comes to Box2D live.

    Of each race's largest difference the median and the worst.
    """
    parts = {name: part for name, part in results.items() if isinstance(part, dict)}
    rows = (
        (column, *("{median:.0e}, {largest:.0e}".format(**part[column]) for part in parts.values()))
        for column in next(iter(parts.values()))
    )
    counts = (
        f"{name[0].upper()}{name[1:]}: {value}."
        for name, value in results.items()
        if name.startswith(("races with", "steps of"))
    )
    return [*table(row_of("median and worst of the races", *parts), rows), "", " ".join(counts)]


def device(lines: list[dict[str, Any]]) -> list[str]:
    """Generations on an accelerator, beside the first record of it."""
    about = next(line for line in lines if line["name"] == "device")
    first = {
        (line["name"], line["population"]): f"{line['steps_per_second']:,}"
        for line in read(RESULTS / "device-nvidia-h200-first.jsonl")
        if "population" in line
    }
    speeds = table(
        "| | population | steps | steps per second | at first | seconds of a generation | memory "
        "of its program |",
        (
            (
                line["name"].removesuffix(", 1,000 steps"),
                f"{line['population']:,}",
                f"{line['episode_steps']:,}",
                f"{line['steps_per_second']:,}",
                first.get((line["name"], line["population"]), ""),
                f"{statistics.median(line['generation_seconds']):.2f}",
                f"{line['program_bytes'] / 1e9:.1f} GB",
            )
            for line in lines
            if line.get("episode_steps", 0) >= 200  # Not those of a profile.
        ),
    )
    kinds = (
        ("observation_1", "observation_5", "observation_10"),
        ("action_1", "action_5", "action_20"),
    )
    differences = table(
        "| largest difference from the CPU | after 1 step | 5 steps | 20 steps (network), 10 "
        "(world) |",
        (
            (line["name"].removeprefix("agreement: "), *(f"{line[one]:.0e}" for one in figures))
            for line in lines
            for figures in kinds
            if figures[0] in line
        ),
    )
    text = (
        f"On one {about['devices'][0]}, Python {about['python']}, jax {about['packages']['jax']}; "
        f"{about['started'][:10]}. Four variations."
    )
    return [text, "", *speeds, "", *differences]


def device_speed(lines: list[dict[str, Any]]) -> list[str]:
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
    return [
        f"On one {device}, with the paper's networks: {quadruped:,} quadruped steps a second "
        f"(4,096 individuals in four bodies), {car:,} racer steps from pixels (512 drivers in four "
        "variations, most of whom end early)."
    ]


def thrown(results: dict[str, Any]) -> list[str]:
    """How many thrown bodies of all variations left the finite numbers, by their spin."""
    counts = {
        f"`{body}`, {name}": list(of_variations.values())
        for body, bounds in results["non_finite"].items()
        for name, of_variations in bounds.items()
    }
    spins, *_ = variations = next(iter(counts.values()))
    return table(
        row_of(
            f"not finite of {results['throws'] * len(variations)} throws, spin in rad/s",
            *(f"{float(spin):.0f}" for spin in spins),
        ),
        (
            (name, *(str(sum(one[spin] for one in of_variations)) for spin in spins))
            for name, of_variations in counts.items()
        ),
    )


def experiment(results: dict[str, Any]) -> list[str]:
    """Interquartile means of an experiment's methods, with their intervals."""
    rows = [
        Row(**{name: math.nan if value is None else value for name, value in row.items()})
        for row in results["rows"]
    ]
    runs = list(dict.fromkeys(Run(row.method, row.fold, row.seed, Path()) for row in rows))
    scores = {(one.method, one.is_held_out): one for one in summarise(Results(runs, rows, []))}

    def cells(one: Any) -> tuple[str, str]:
        interval = "" if math.isnan(one.low) else f"[{one.low:.1f}, {one.high:.1f}]"
        return f"{one.iqm:.1f}", interval

    return table(
        "| method | held out | 95% interval | trained on | 95% interval | runs |",
        (
            (
                method,
                *cells(scores[method, True]),
                *cells(scores[method, False]),
                str(scores[method, True].num_runs),
            )
            for method in dict.fromkeys(run.method for run in runs)
        ),
    )


def learning(kind: str, results: dict[str, Any]) -> list[str]:
    """What each rule or encoding writes, and what it gains on the point."""
    columns = {
        kind.removesuffix("s"): "`{name}`",
        "quadruped's numbers": "{quadruped:,}",
        "driver's numbers": "{car:,}",
        "fitness of the first five generations": "{first:.1f}",
        "of the last five": "{last:.1f}",
        "gain in standard errors": "{standard_errors:.1f}",
        "learns": "{word}",
    }
    rows = (
        row | row["numbers"] | {"word": "yes" if row["learns"] else "no"} for row in results[kind]
    )
    return table_of(rows, columns)


TABLES: dict[str, tuple[str, Callable[[Any], list[str]]]] = {
    "demo": ("demo-cpu.json", demo),
    "speed": ("quadruped-cpu.json", speed),
    "genomes": ("genomes-cpu.json", genomes),
    "natural": ("natural-steps.json", natural),
    "coverage": ("interval-coverage.json", coverage),
    "measured": ("quadruped-cpu.json", measured),
    "in-turn": ("in-turn-cpu.json", in_turn),
    "encoding-speed": ("encoding-costs-cpu.json", encodings),
    "car-demo": ("car-demo-cpu.json", car_demo),
    "box2d": ("box2d-agreement.json", box2d),
    "car-loop": ("car-racing-cpu.json", car_loop),
    "car-parts": ("car-racing-cpu.json", car_parts),
    "device-speed": ("device-nvidia-h200.jsonl", device_speed),
    "device": ("device-nvidia-h200.jsonl", device),
    "traffic": ("traffic-cpu.json", traffic),
    "many-numbers": ("many-processes-cpu.json", many_numbers),
    "many-overhead": ("many-processes-cpu.json", many_overhead),
    "launches": ("device-nvidia-h200.jsonl", launches),
    "lanes": ("idle-lanes.json", lanes),
    "modulated": ("modulated-rules.json", modulated),
    "hidden-direction": ("hidden-direction.json", hidden_direction),
    "classic-control": ("classic-control.json", classic_control),
    "thrown": ("thrown-bodies.json", thrown),
    "rules": ("rules-and-encodings.json", functools.partial(learning, "rules")),
    "encodings": ("rules-and-encodings.json", functools.partial(learning, "encodings")),
    "small-quadruped": (
        f"{EXPERIMENTS}/small-genomic-bottleneck-quadruped/results.json",
        experiment,
    ),
    "small-car": (f"{EXPERIMENTS}/small-genomic-bottleneck-car/results.json", experiment),
    "car-speed": ("car-racing-cpu.json", car_speed),
    "bottleneck-tuning": (f"{BOTTLENECK}/tuning.jsonl", bottleneck_tables.tuning),
    "bottleneck-permuted": (
        f"{BOTTLENECK}/permuted_outputs.json",
        bottleneck_tables.permuted_outputs,
    ),
    "bottleneck-signal": (
        f"{BOTTLENECK}/signal_to_noise.json",
        bottleneck_tables.signal_to_noise,
    ),
    **{
        f"bottleneck-{name}": (f"{BOTTLENECK}/answers.json", make)
        for name, make in bottleneck_tables.OF_ANSWERS.items()
    },
}

if __name__ == "__main__":
    main()
