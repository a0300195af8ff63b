"""Whether a quadruped finds by its reward which way pays.

Brax's body on flat ground; in half of the episodes walking along +x pays, in the others along -x,
and no sense tells which. Plastic networks with evolved first weights, whose rules use the reward,
stand beside rules without it, all with 16 hidden neurons and the same search. A score is the mean
return of a genome's mode over 100 episodes in each of the four bodies that it was trained on. It
writes `benchmarks/results/hidden-direction.json`.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import harness
import jax
import jax.numpy as jnp
import numpy as np
from harness import fields

import hebbax
from hebbax.evolution import programs
from hebbax.rules import ABCD, Modulated
from hebbax.types import Struct

RULES = (ABCD(), Modulated(by="reward"), Modulated(by="surprise"))
EPISODES = 100
FIELDS = fields("environment generations population seeds episodes episode_steps") | {
    "rows": fields("name scores mean first last")
}


class Walk(Struct):
    """An episode.

    state: the quadruped's.
    sign: `[]` 1 where +x pays, -1 where -x does.
    """

    state: Any
    sign: jax.Array


@dataclasses.dataclass(frozen=True)
class HiddenDirection:
    """A quadruped that is paid for one of two ways, and not told which."""

    task: hebbax.Quadruped

    @property
    def variations(self) -> Mapping[str, Any]:
        return self.task.variations

    @property
    def observation_shape(self) -> tuple[int, ...]:
        return self.task.observation_shape

    @property
    def action_size(self) -> int:
        return self.task.action_size

    @property
    def max_steps(self) -> int:
        return self.task.max_steps

    def reset(self, key: Any, variation: Any) -> tuple[Walk, Any]:
        body_key, sign_key = jax.random.split(key)
        state, observation = self.task.reset(body_key, variation)
        sign = jnp.where(jax.random.bernoulli(sign_key), 1.0, -1.0)
        return Walk(state, sign), observation

    def step(self, state: Walk, action: Any, variation: Any) -> tuple[Walk, Any, Any, Any]:
        after, observation, reward, is_end = self.task.step(state.state, action, variation)
        return Walk(after, state.sign), observation, state.sign * reward, is_end


def main() -> None:
    options = harness.arguments(
        __doc__, generations=(40, 2), population=(64, 4), seeds=(2, 1), steps=(150, 5)
    ).parse_args()
    harness.take_cores(harness.cores_here(2))
    rows = []
    for rule in RULES:
        rows.append({"name": str(rule), **measure(rule, options)})
        print(rows[-1], flush=True)
    results = {name: getattr(options, name) for name in ("generations", "population", "seeds")}
    results |= {"episodes": EPISODES, "episode_steps": options.steps, "rows": rows}
    harness.write(options, "hidden-direction", results, FIELDS)


def measure(rule: Any, options: Any) -> dict[str, Any]:
    """The scores of all seeds, and the mean fitness of the first and the last five generations."""
    config = hebbax.Config(
        HiddenDirection(hebbax.Quadruped("brax", episode_steps=options.steps, burn_in_steps=0)),
        hebbax.Hebbian((16,), rule=rule, has_evolved_weights=True),
        hebbax.Normal(init_scale=0.1),
        hebbax.ScoreFunction(
            options.population,
            std=hebbax.Schedule(0.1),
            optimizer=hebbax.Adam(hebbax.Schedule(0.03)),
        ),
        held_out="long_front_legs",
        common_random_numbers="pairs",
        generations=options.generations,
    )
    scores, fitness = [], []
    with programs.shared():
        for seed in range(options.seeds):
            result = hebbax.train(dataclasses.replace(config, seed=seed))
            found = hebbax.evaluate(result, EPISODES)
            scores.append(float(np.mean([one.mean for one in found if not one.is_held_out])))
            fitness.append([metrics["fitness_mean"] for metrics in result.history])
    means = np.mean(fitness, axis=0)
    return {
        "scores": scores,
        "mean": float(np.mean(scores)),
        "first": float(means[:5].mean()),
        "last": float(means[-5:].mean()),
    }


if __name__ == "__main__":
    main()
