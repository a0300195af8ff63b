"""Makes one run of `scores.jsonl` again, and says whether it has the same scores.

python experiments/bottleneck/again.py METHOD FOLD SEED GENERATIONS

for example `tied default 0 30`. That takes the versions of the run's line, a processor of its kind
and as many devices. Elsewhere roundings differ, and grow as a body falls.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import methods  # noqa: F401 - a run may be of its classes.

import hebbax
from hebbax import devices
from hebbax.comparison import archive
from hebbax.config import FORMAT, Config

SCORES = Path(__file__).with_name("scores.jsonl")


def main() -> None:
    """Finds the line, makes the run, and compares."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("method")
    parser.add_argument("fold")
    parser.add_argument("seed", type=int)
    parser.add_argument("generations", type=int)
    parser.add_argument("--scores", type=Path, default=SCORES)
    options = parser.parse_args()
    wanted = {name: getattr(options, name) for name in ("method", "fold", "seed", "generations")}
    found = [line for line in archive.read(options.scores) if wanted.items() <= line.items()]
    if not found:
        sys.exit(f"{options.scores} has no run of {wanted}")
    devices.use_compilation_cache()
    hebbax.use_cpu_cores(len(found[0]["environment"][0]["devices"]))
    largest = 0.0
    for name, then, now in make_again(found[0]):
        print(f"{name}: {then!r} then, {now!r} now")
        largest = max(largest, abs(now - then))
    sys.exit(f"the scores differ, by {largest:g} at most" if largest else 0)


def make_again(line: dict[str, Any]) -> list[tuple[str, float, float]]:
    """Each variation with its score of then and of now."""
    scores = hebbax.evaluate(train_again(line), line["episodes"])
    return [
        (score.variation, then["mean"], score.mean)
        for score, then in zip(scores, line["scores"]["mode"], strict=True)
    ]


def train_again(line: dict[str, Any], run_dir: Path | None = None) -> hebbax.Result:
    """The run of a line, in a folder if it is to be kept."""
    return hebbax.train(Config.from_dict({"format": FORMAT, "config": line["config"]}), run_dir)


if __name__ == "__main__":
    main()
