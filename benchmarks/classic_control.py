"""Whether plastic networks learn gymnax's classic control, beside static ones.

What `hebbax train --task gymnax:NAME` does, with three seeds; a score is the mean return of the
genome's mode over 100 episodes. An environment counts as learned at the score that is usual for it.
It writes `benchmarks/results/classic-control.json`.
"""

import dataclasses
import time
from collections.abc import Mapping
from typing import Any

import harness
import numpy as np
from harness import fields

import hebbax
from hebbax.evolution import programs
from hebbax.presets import for_task

LEARNED: Mapping[str, float] = {
    "CartPole-v1": 475.0,
    "Acrobot-v1": -100.0,
    "MountainCarContinuous-v0": 90.0,
    "Pendulum-v1": -200.0,
}
EPISODES = 100
FIELDS = fields("environment generations population seeds episodes") | {
    "rows": fields("name policy usual scores learned seconds first_generation_learned")
}


def main() -> None:
    options = harness.arguments(
        __doc__, generations=(200, 3), population=(128, 8), seeds=(3, 1)
    ).parse_args()
    harness.take_cores(harness.cores_here(2))
    rows = []
    for name in LEARNED:
        for policy in ("hebbian", "static"):
            rows.append(
                {
                    "name": name,
                    "policy": policy,
                    "usual": LEARNED[name],
                    **measure(name, policy, options),
                }
            )
            print(rows[-1], flush=True)
    results: dict[str, Any] = {
        name: getattr(options, name) for name in ("generations", "population", "seeds")
    }
    results |= {"episodes": EPISODES, "rows": rows}
    harness.write(options, "classic-control", results, FIELDS)


def measure(name: str, policy: str, options: Any) -> dict[str, Any]:
    """The scores of all seeds, and the median first generation whose mean fitness is enough."""
    config = for_task(f"gymnax:{name}", policy)
    strategy = dataclasses.replace(config.strategy, population_size=options.population)
    config = dataclasses.replace(config, strategy=strategy, generations=options.generations)
    scores, firsts, started = [], [], time.perf_counter()
    with programs.shared():
        for seed in range(options.seeds):
            result = hebbax.train(dataclasses.replace(config, seed=seed))
            scores.append(hebbax.evaluate(result, EPISODES)[0].mean)
            fitness = np.asarray([metrics["fitness_mean"] for metrics in result.history])
            enough = np.flatnonzero(fitness >= LEARNED[name])
            firsts.append(int(enough[0]) if enough.size else options.generations)
    median = int(np.median(firsts))
    return {
        "scores": scores,
        "learned": bool(np.mean(scores) >= LEARNED[name]),
        "seconds": (time.perf_counter() - started) / options.seeds,
        "first_generation_learned": median if median < options.generations else None,
    }


if __name__ == "__main__":
    main()
