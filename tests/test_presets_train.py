"""Every preset trains.

Its policy, genome and strategy fit together and its task, at a size that takes seconds.

Worlds take half a minute to compile, so most presets train in a stand-in that has the shapes and
the variations of theirs; one in the car's own, while `test_paper_population` has the quadruped's.
"""

import dataclasses
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hebbax
from hebbax import presets
from hebbax.genomes.joint import Joint
from hebbax.genomes.shared import SharedRules
from hebbax.policies.convolutional import Convolutional

GENERATIONS = 5
IN_ITS_OWN_WORLD = "car-shared-rho16"
# In small worlds presets of other numbers of synapses per rule are alike; one of each task is as
# good as all.
SLOW = [
    name
    for name in presets.PRESETS
    if "-rho" in name
    and name not in ("quadruped-shared-rho16", "car-shared-rho32", "car-tied-rho16")
]


@dataclasses.dataclass(frozen=True)
class StandIn:
    """A world of noise with the senses, actions and variations of another.

    task: the other.
    """

    task: Any

    @property
    def variations(self) -> dict[str, jax.Array]:
        return {
            name: jnp.asarray(float(number)) for number, name in enumerate(self.task.variations)
        }

    @property
    def observation_shape(self) -> tuple[int, ...]:
        return self.task.observation_shape

    @property
    def action_size(self) -> int:
        return self.task.action_size

    @property
    def max_steps(self) -> int:
        return self.task.max_steps

    def reset(self, key: jax.Array, variation: jax.Array) -> tuple[jax.Array, jax.Array]:
        observation = variation + jax.random.normal(key, self.observation_shape)
        return observation, observation

    def step(
        self, state: jax.Array, action: jax.Array, variation: jax.Array
    ) -> tuple[jax.Array, ...]:
        del variation
        return state, state, jnp.sum(action), jnp.asarray(False)


def shrink(config: hebbax.Config) -> hebbax.Config:
    """The same with small networks, four individuals and two steps in an episode.

    Never more synapses per rule than there are.
    """
    task = dataclasses.replace(
        config.task,
        episode_steps=2,
        **({"view_size": 16} if config.policy.__class__ is Convolutional else {"burn_in_steps": 0}),
    )
    policy = shrink_policy(config.policy)
    shape = policy.parameters(task)
    num_synapses = sum(
        math.prod(leaf.shape[1:])
        for leaf in jax.tree.leaves(shape.head if isinstance(policy, Convolutional) else shape)
    )
    return dataclasses.replace(
        config,
        task=task,
        policy=policy,
        genome=shrink_genome(config.genome, num_synapses),
        strategy=dataclasses.replace(config.strategy, population_size=4),
        generations=GENERATIONS,
    )


def shrink_policy(policy: Any) -> Any:
    if isinstance(policy, Convolutional):
        return Convolutional(shrink_policy(policy.head))
    return dataclasses.replace(policy, hidden_sizes=(4,) if policy.hidden_sizes else ())


def shrink_genome(genome: Any, num_synapses: int) -> Any:
    if isinstance(genome, Joint):
        return Joint(
            tuple((name, shrink_genome(part, num_synapses)) for name, part in genome.parts)
        )
    return (
        dataclasses.replace(genome, rho=min(genome.rho, num_synapses))
        if isinstance(genome, SharedRules)
        else genome
    )


@pytest.mark.usefixtures("lenient_promotion")  # for Brax's physics
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in presets.PRESETS],
)
def test_presets_train(name: str):
    """Five generations end with finite fitness, and the genome has moved.

    Mutation: a mirrored strategy for shared rules.
    """
    config = shrink(presets.PRESETS[name]())
    if name != IN_ITS_OWN_WORLD:
        config = dataclasses.replace(config, task=StandIn(config.task))
    result = hebbax.train(config)
    assert len(result.history) == GENERATIONS
    assert all(
        np.isfinite(metrics["fitness_mean"]) and metrics["update_norm"] > 0
        for metrics in result.history
    )
