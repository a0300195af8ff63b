"""How far a device's numbers are from those of the CPU in the same process."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from harness import fields
from stand_ins import NoPhysics

import hebbax
from hebbax.policies.convolutional import Convolutional
from hebbax.presets import PRESETS

LINE = fields("name at_seconds")
WORLD = LINE | fields(
    "first_observation equal_numbers observation_1 reward_1 observation_5 reward_5 observation_10 "
    "reward_10"
)
LONG_WORLD = WORLD | fields("observation_50 reward_50")
POLICY = LINE | fields("action_1 action_5 action_20")
MIXTURE = LINE | fields("logits rules")


def compare_world(task: Any, steps: int) -> dict[str, Any]:
    """Differences of states and rewards between this device and the CPU.

    Over one lifetime of random actions in the default variation.
    """
    actions = jax.random.uniform(
        jax.random.key(1), (steps, task.action_size), minval=-0.5, maxval=0.5
    )

    def live(actions: jax.Array, variation: Any) -> Any:
        state, observation = task.reset(jax.random.key(0), variation)

        def step(state: Any, action: jax.Array) -> tuple[Any, Any]:
            state, observation, reward, _ = task.step(state, action, variation)
            return state, (observation, reward)

        return observation, jax.lax.scan(step, state, actions)[1]

    (first, (seen, rewards)), (first_cpu, (seen_cpu, rewards_cpu)) = _on_both(
        live, actions, task.variations["default"]
    )
    differences = np.abs(seen - seen_cpu).reshape(steps, -1).max(axis=1)
    found: dict[str, Any] = {"first_observation": float(np.abs(first - first_cpu).max())}
    for step in (0, 4, 9, steps - 1):
        found[f"observation_{step + 1}"] = float(differences[step])
        found[f"reward_{step + 1}"] = float(np.abs(rewards[step] - rewards_cpu[step]))
    found["equal_numbers"] = float(np.mean(np.isclose(seen[:5], seen_cpu[:5], atol=1.5 / 255)))
    return found


def compare_policy(policy: Any, precision: str) -> dict[str, Any]:
    """Differences of actions between this device and the CPU.

    Over one plastic lifetime of random observations.
    """
    task = hebbax.CarRacing() if isinstance(policy, Convolutional) else NoPhysics(100)
    leaves, structure = jax.tree.flatten(policy.parameters(task))
    keys = jax.random.split(jax.random.key(2), len(leaves))
    phenotype = structure.unflatten(
        [0.1 * jax.random.normal(key, leaf.shape) for key, leaf in zip(keys, leaves, strict=True)]
    )
    observations = jax.random.uniform(jax.random.key(3), (20, *task.observation_shape))

    def live(phenotype: Any, observations: jax.Array) -> jax.Array:
        def step(memory: Any, observation: jax.Array) -> tuple[Any, jax.Array]:
            action, memory = policy.act(phenotype, memory, observation, jnp.float32(0))
            return memory, action

        return jax.lax.scan(step, policy.reset(jax.random.key(4), phenotype), observations)[1]

    with jax.default_matmul_precision(precision):
        actions, actions_cpu = _on_both(live, phenotype, observations)
    differences = np.abs(actions - actions_cpu).max(axis=1)
    return {f"action_{step + 1}": float(differences[step]) for step in (0, 4, 19)}


def compare_mixture() -> dict[str, Any]:
    """The relative error of the mixture's gradient on this device, to the same on the CPU."""
    config: Any = dataclasses.replace(
        PRESETS["quadruped-shared-rho128"](),
        strategy=hebbax.ScoreFunction(population_size=32, is_mirrored=False),
    )
    genome = config.genome.init(jax.random.key(5), config.policy.parameters(config.task))
    genome = genome.with_std(jnp.float32(0.1))
    genotypes = jax.vmap(genome.sample)(jax.random.split(jax.random.key(6), 32))
    weights = jax.random.normal(jax.random.key(7), (32,))

    def gradient(genome: Any, genotypes: Any, weights: jax.Array) -> Any:
        slope = jax.grad(lambda genome: jnp.sum(weights * genome.log_probs(genotypes)))(genome)
        return slope.logits, slope.rules

    both = zip(*_on_both(gradient, genome, genotypes, weights), strict=True)
    return {
        name: float(np.linalg.norm(ours - of_cpu) / np.linalg.norm(of_cpu))
        for name, (ours, of_cpu) in zip(("logits", "rules"), both, strict=True)
    }


def _on_both(function: Callable[..., Any], *arguments: Any) -> list[Any]:
    """What a function says on this device and on the CPU, in float64."""
    arguments = jax.device_get(arguments)
    found = []
    for place in (jax.devices()[0], jax.devices("cpu")[0]):
        with jax.default_device(place):
            answer = jax.device_get(jax.jit(function)(*jax.device_put(arguments, place)))
        found.append(jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), answer))
    return found
