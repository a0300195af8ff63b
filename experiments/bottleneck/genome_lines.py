"""What genomes say beyond their scores: lines of `genomes.jsonl`, and answers from them."""

import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from methods import PRIMARY
from within_episodes import MOMENTS, look_within

import hebbax
from hebbax.comparison import results
from hebbax.comparison.results.rows import Run, newest_checkpoint
from hebbax.evolution import measure_bits
from hebbax.evolution.environment import describe_environment
from hebbax.files import to_json, write_whole
from hebbax.statistics import bootstrap_interval

BITS_EPISODES = 64  # In each variation, for each of seven widths.
FLOAT_BITS = 32
Line = dict[str, Any]


def look(sweep_folder: Path, file: Path, methods: Sequence[str]) -> None:
    """Adds a line for each run of some methods that has a checkpoint and no line yet."""
    lines = read(file)
    for run in results.read_sweep(sweep_folder)["runs"]:
        if run.method in methods and newest_checkpoint(run):
            line = look_at(run, lines)
            if line is not None:
                lines.append(line)
                write_whole(file, "".join(f"{to_json(one)}\n" for one in lines))


def look_at(run: Run, lines: Sequence[Line]) -> Line | None:
    """The line of a run; None if it is there already."""
    result = hebbax.load(run.path)
    generations = len(result.history)
    key = {"method": run.method, "generations": generations, "fold": run.fold, "seed": run.seed}
    if any(key.items() <= line.items() for line in lines):
        return None
    bits = measure_bits(result, BITS_EPISODES)
    return key | {
        "numbers": bits.numbers,
        "bits": {where: bits.bits(where) for where in bits.exact},
        "within": look_within(result),
        "environment": describe_environment(),
    }


def read(file: Path) -> list[Line]:
    """All lines of a file; none if it is not there."""
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def bits(lines: Sequence[Line]) -> list[dict[str, Any]]:
    """How many bits keep a genome's held-out score within 5%: of each method the median.

    A run whose score no rounding keeps needs all the bits that its numbers are stored with.
    """
    rows = []
    for method, chosen in _longest(lines).items():
        rounded = [line["bits"]["held out"] for line in chosen]
        stored = FLOAT_BITS * chosen[0]["numbers"]
        rows.append(
            {
                "method": method,
                "runs": len(rounded),
                "numbers": chosen[0]["numbers"],
                "kept": sum(size is not None for size in rounded),
                "bits": statistics.median(size or stored for size in rounded),
            }
        )
    return rows


def within(lines: Sequence[Line]) -> list[dict[str, Any]]:
    """What events change in the return of an episode from then on, a row for each moment.

    Means over runs and their intervals, beside the return without an event, also by parts of an
    episode, and the share of drift.
    """
    rows = []
    for method, chosen in _longest(lines).items():
        returns = {
            event: np.asarray([line["within"]["returns"][event] for line in chosen])
            for event in chosen[0]["within"]["returns"]
        }
        drift = [line["within"]["drift_share"] for line in chosen]
        for moment, parts in MOMENTS.items():
            # [runs] each: what is left of an episode.
            left = {
                event.removesuffix(f" at {moment}"): np.sum(values[:, parts:], axis=1)
                for event, values in returns.items()
                if event == "intact" or event.endswith(f" at {moment}")
            }
            intact = left.pop("intact")
            row = {"method": method, "moment": moment, "runs": len(chosen)}
            row |= {"parts": np.mean(returns["intact"], axis=0).tolist(), "intact": _mean(intact)}
            row["changes"] = {event: _mean(values - intact) for event, values in left.items()}
            if "stopped" in left:
                row["drift_share"] = _mean(np.asarray(drift))
                # What plasticity makes of a leg that breaks.
                row["adapted"] = _mean(left["broken"] - left["broken-stopped"])
            rows.append(row)
    return rows


def _longest(lines: Sequence[Line]) -> dict[str, list[Line]]:
    """The runs of each primary method with the most generations that it has."""
    found = {}
    for method in PRIMARY:
        own = [line for line in lines if line["method"] == method]
        most = max((line["generations"] for line in own), default=0)
        if own:
            found[method] = [line for line in own if line["generations"] == most]
    return found


def _mean(values: np.ndarray) -> list[float]:
    return [float(np.mean(values)), *bootstrap_interval(values)]
