"""Measures other libraries beside hebbax, in a Python that has them and needs nothing of hebbax.

The scripts that compare with them run it: `python peers.py BENCHMARK CASE`, a case as JSON.
"""

import itertools
import json
import sys
from collections.abc import Callable
from timeit import timeit
from types import SimpleNamespace
from typing import Any

import harness


def main() -> None:
    benchmark, case = sys.argv[1], SimpleNamespace(**json.loads(sys.argv[2]))
    harness.pin(case.cores)
    figures = MEASURES[benchmark, case.name](case)
    harness.say({**figures, "peak_memory_bytes": harness.peak_memory()})


def ant(case: Any) -> dict[str, Any]:
    """gymnasium's Ant-v5 with a plastic policy in NumPy, and alone."""
    import gymnasium
    import numpy as np

    env = gymnasium.make("Ant-v5")
    random = np.random.default_rng(0)
    sizes = [env.observation_space.shape[0], 128, 64, 8]
    rules = [
        0.01 * random.standard_normal((5, pre, post)).astype(np.float32)
        for pre, post in itertools.pairwise(sizes)
    ]
    weights = [random.uniform(-0.1, 0.1, rule.shape[1:]).astype(np.float32) for rule in rules]

    def act(observation: Any) -> Any:
        said = [observation.astype(np.float32)]
        for layer, (eta, a, b, c, d) in zip(weights, rules, strict=True):
            said.append(np.tanh(said[-1] @ layer))
            pre, post = said[-2:]
            layer += eta * (a * np.outer(pre, post) + b * pre[:, None] + c * post[None, :] + d)
        return said[-1]

    def live(choose: Callable[[Any], Any]) -> None:
        observation, _ = env.reset(seed=0)
        for _ in range(case.steps):
            observation, _, is_end, is_cut, _ = env.step(choose(observation))
            if is_end or is_cut:
                observation, _ = env.reset()

    return {
        "steps_per_second": case.steps / timeit(lambda: live(act), number=1),
        "environment_alone_steps_per_second": case.steps
        / timeit(lambda: live(lambda _: env.action_space.sample()), number=1),
    }


def envpool_racing(case: Any) -> dict[str, Any]:
    """EnvPool's CarRacing-v3, as many threads as cores."""
    import envpool
    import numpy as np

    envs = envpool.make_gymnasium("CarRacing-v3", num_envs=case.batch, num_threads=case.cores)
    random = np.random.default_rng(0)
    envs.reset()

    def step() -> None:
        actions = random.uniform([-0.3, 0.0, 0.0], [0.3, 0.4, 0.0], (case.batch, 3))
        envs.step(actions.astype(np.float32))

    timeit(step, number=20)  # Warms up.
    return {
        "steps_per_second": case.batch * case.steps / timeit(step, number=case.steps),
        "version": envpool.__version__,
    }


def gymnasium_racing(case: Any) -> dict[str, Any]:
    """gymnasium's CarRacing-v3, with and without its pixels."""
    import gymnasium

    env = gymnasium.make("CarRacing-v3")
    env.action_space.seed(0)

    def steps_per_second() -> float:
        env.reset(seed=0)
        return case.steps / timeit(lambda: env.step(env.action_space.sample()), number=case.steps)

    with_pixels = steps_per_second()
    env.unwrapped._render = lambda mode: env.observation_space.low
    return {
        "steps_per_second": with_pixels,
        "physics_steps_per_second": steps_per_second(),
        "version": gymnasium.__version__,
    }


def evostrat(case: Any) -> dict[str, Any]:
    """A sample of evostrat's mixture and the gradient of its log-density."""
    import importlib.metadata

    import torch
    from evostrat import GaussianMixturePopulation

    torch.set_num_threads(case.cores)
    synapses = {"quadruped": 12_288, "car": 91_328}[case.network]
    population = GaussianMixturePopulation(
        {"rules": torch.Size((synapses,))},
        torch.Size((case.num_rules, 5)),
        lambda individual: individual,
        std=0.1,
    )

    def sample_and_derive() -> None:
        for _, log_prob in population.sample(case.population):
            torch.autograd.grad(log_prob, population.parameters())

    return {
        "seconds_per_individual": timeit(sample_and_derive, number=1) / case.population,
        "version": importlib.metadata.version("evostrat"),
        "torch": torch.__version__,
    }


MEASURES = {
    ("quadruped", "gymnasium"): ant,
    ("car-racing", "envpool"): envpool_racing,
    ("car-racing", "gymnasium"): gymnasium_racing,
    ("genomes", "evostrat"): evostrat,
}


if __name__ == "__main__":
    main()
