"""Whether rules that the reward modulates find what nothing else tells of.

A point must find which of four goals pays in this episode; it sees its own place alone. Plastic
networks with evolved first weights, whose rules use the reward, its surprise or a neuron, stand
beside rules without them and static weights, all with 16 hidden neurons and the same search. A
score is the mean return of a genome's mode over 100 episodes in each of three variations, all of
which were trained on. It writes `benchmarks/results/modulated-rules.json`.
"""

import dataclasses
from typing import Any

import harness
import numpy as np
from harness import fields

import hebbax
from hebbax.evolution import programs
from hebbax.rules import ABCD, Modulated
from hebbax.statistics import bootstrap_interval, difference_interval, mean
from hebbax.tasks import HiddenGoal

HIDDEN = (16,)
REWARD_FREE = str(ABCD())
POLICIES: dict[str, Any] = {
    "static": hebbax.Static(HIDDEN),
    **{
        str(rule): hebbax.Hebbian(
            HIDDEN,
            rule=rule,
            has_evolved_weights=True,
            has_modulator=getattr(rule, "needs_modulator", False),
        )
        for rule in (ABCD(), *(Modulated(by=by) for by in ("reward", "surprise", "neuron")))
    },
}
FIELDS = fields("environment generations population seeds episodes") | {
    "rows": fields("name scores mean interval to_reward_free")
}
EPISODES = 100


def main() -> None:
    options = harness.arguments(
        __doc__, generations=(150, 5), population=(256, 8), seeds=(5, 2)
    ).parse_args()
    harness.take_cores(harness.cores_here(2))
    scores = {}
    for name, policy in POLICIES.items():
        scores[name] = measure(policy, options)
        print(name, scores[name], flush=True)
    rows = [
        {
            "name": name,
            "scores": found.tolist(),
            "mean": float(found.mean()),
            "interval": bootstrap_interval(found),
            "to_reward_free": difference_interval([found], [scores[REWARD_FREE]], mean),
        }
        for name, found in scores.items()
    ]
    results = {name: getattr(options, name) for name in ("generations", "population", "seeds")}
    harness.write(
        options, "modulated-rules", {**results, "episodes": EPISODES, "rows": rows}, FIELDS
    )


def measure(policy: Any, options: Any) -> np.ndarray:
    """The scores of all seeds."""
    strategy = hebbax.ScoreFunction(
        options.population,
        std=hebbax.Schedule(0.1),
        optimizer=hebbax.Adam(hebbax.Schedule(0.03)),
    )
    config = hebbax.Config(
        HiddenGoal(),
        policy,
        hebbax.Normal(init_scale=0.1),
        strategy,
        common_random_numbers="pairs",
        generations=options.generations,
    )
    scores = []
    with programs.shared():
        for seed in range(options.seeds):
            result = hebbax.train(dataclasses.replace(config, seed=seed))
            scores.append(np.mean([score.mean for score in hebbax.evaluate(result, EPISODES)]))
    return np.asarray(scores)


if __name__ == "__main__":
    main()
