"""Makes the runs of README.md, part by part, as far as they are not in its files.

python experiments/bottleneck/run.py PART... [--methods NAME...] [--folds NAME...]
    [--time-limit MINUTES] [--together]

Processes that share a machine need a `--folder` each. An accelerator is filled by `--together`.
"""

import argparse
import dataclasses
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from genome_lines import look
from methods import (
    FOLD,
    FOLDER,
    FOUR_SEEDS,
    FURTHER,
    METHODS,
    NOISE,
    PRIMARY,
    RATE,
    SCALE,
    TUNED,
    make_ablations,
    make_afterthought,
    make_assignments,
    make_sizes,
    tuned,
)

import hebbax
from hebbax import devices
from hebbax.comparison import Tuning
from hebbax.config import Config
from hebbax.evolution import DivergedError, TimeLimitError, time_limit
from hebbax.files import write_json, write_whole

Part = Callable[[Any], None]  # Of what was asked for: folder, methods, together.

HERE = Path(__file__).parent
ARCHIVES = ("tuning.jsonl", "scores.jsonl", "genomes.jsonl")
EPISODES = 256


def main() -> None:
    """Runs the parts in turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="+", choices=PARTS)
    parser.add_argument("--methods", nargs="+", metavar="NAME", help="all unless named")
    parser.add_argument("--folds", nargs="+", metavar="NAME", help="the part's unless named")
    parser.add_argument("--time-limit", type=float, metavar="MINUTES")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--together", action="store_true", help="runs of a method in one program")
    options = parser.parse_args()
    devices.use_compilation_cache()
    hebbax.use_cpu_cores()
    failures = []
    # Committed files change when all is done: until then every run notes a clean commit.
    merge_lines(options.folder, [HERE, options.folder])
    try:
        with time_limit(options.time_limit):
            for part in options.parts:
                try:
                    PARTS[part](options)
                except DivergedError as error:  # The other parts must not wait for it.
                    failures.append(f"{part}: {error}")
    except TimeLimitError as error:
        sys.stderr.write(f"{error}; the same command goes on\n")
        sys.exit(124)
    finally:
        merge_lines(HERE, [HERE, options.folder])
    sys.exit("\n".join(failures) or 0)


def merge_lines(target: Path, folders: Sequence[Path]) -> None:
    """Writes what the archives of some folders have, each line once, into a folder's own."""
    target.mkdir(parents=True, exist_ok=True)
    for name in ARCHIVES:
        files = [folder / name for folder in folders if (folder / name).exists()]
        lines = dict.fromkeys(line for file in files for line in file.read_text().splitlines())
        write_whole(target / name, "".join(f"{line}\n" for line in lines))


def tune(options: Any) -> None:
    """Noise, rate and scale of every method; `tuned.json` has them when all are tuned."""
    found = {}
    for method in options.methods or METHODS:
        choices = {f"{NOISE} + {RATE} + {SCALE}": [0.01, 0.03, 0.1, 0.3]}
        by_noise = search(method, METHODS[method](), choices, "noise", options)
        [noise] = by_noise.best.values
        rates = {RATE: [round(factor * noise, 4) for factor in (0.3, 1, 3)]}
        [rate] = search(method, by_noise.config, rates, "rate", options).best.values
        found[method] = {NOISE: noise, RATE: rate, SCALE: noise}
    if found.keys() == METHODS.keys():
        write_json(TUNED, found)


def search(
    method: str, config: Config, space: Mapping[str, Sequence[float]], name: str, options: Any
) -> Tuning:
    """One of the two searches of a method, over all of its choices."""
    return hebbax.tune(
        dataclasses.replace(config, generations=15),
        space,
        budget=10_000,
        folder=options.folder / "tuning" / method / name,
        name=method,
        seeds=(100, 101, 102, 103) if method in FOUR_SEEDS else (100, 101),
        archive=options.folder / "tuning.jsonl",
        together=options.together,
    )


def compare(
    make: Callable[[], dict[str, Config]], seeds: int, folds: str | list[str], *lengths: int
) -> Part:
    """A part that is a sweep, scored after each of some numbers of generations."""

    def run(options: Any) -> None:
        for generations in lengths:
            methods = {
                name: dataclasses.replace(config, generations=generations)
                for name, config in make().items()
                if not options.methods or name in options.methods
            }
            if methods:
                hebbax.sweep(
                    methods,
                    options.folder / "main",
                    options.folds or folds,
                    seeds,
                    EPISODES,
                    archive=options.folder / "scores.jsonl",
                    together=options.together,
                )

    return run


def look_at_genomes(options: Any) -> None:
    """How small genomes of the primary methods are, and what they do within an episode."""
    file = options.folder / "genomes.jsonl"
    look(options.folder / "main", file, options.methods or PRIMARY)


def tuned_methods(*names: str) -> Callable[[], dict[str, Config]]:
    """Methods with their tuned numbers."""
    return lambda: {name: tuned(name) for name in names}


PARTS: dict[str, Part] = {
    "tuning": tune,
    "short": compare(tuned_methods(*METHODS), 3, "all", 30),
    "long": compare(tuned_methods(*PRIMARY), 3, "all", 30, 100),
    "further": compare(tuned_methods(*FURTHER), 3, "all", 30, 100),
    "ablations": compare(make_ablations, 1, "all", 30),
    "assignments": compare(make_assignments, 3, [FOLD], 30),
    "curve": compare(make_sizes, 1, "all", 30),
    "afterthought": compare(make_afterthought, 1, "all", 30),
    "look": look_at_genomes,
}

if __name__ == "__main__":
    main()
