"""Why shared rules fail or learn: how much of a population's gradient is signal.

python experiments/bottleneck/signal_to_noise.py

Of each method, at its first genome and after a training of 30 generations (fold and seed 0): ten
populations of the same genome. Their gradients g_i have a signal and noise,

    signal^2 = mean_i <g_i, mean_{j != i} g_j>,    noise^2 = mean_i |g_i|^2 - signal^2,

in which no population is in the mean that it is compared with; the error of their ratio is the
jackknife's over populations, and knows nothing of other genomes. If fitness were linear and without
noise of its own, (signal / noise)^2 would be P / 2N: P / 2 mirrored pairs, each of which sees one
of N directions. N is 2,880 with noise on every synapse's rule and 180 with noise on rules. Groups
that are drawn anew in every generation do not change it: what a population sees in 180 directions
is in 180 others for the next. Episodes scatter, which makes the ratio smaller.

Beside it stands what one step of the tuned search gains, from the same state: the mean return of
the mode in the training bodies after it less that before, over 256 episodes that are the same for
all. It writes `signal_to_noise.json`.
"""

import dataclasses
from pathlib import Path
from types import MappingProxyType
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from methods import FOLDER, tuned

import hebbax
from hebbax import devices
from hebbax.config import Config
from hebbax.evolution import programs
from hebbax.evolution.evaluation import episode_keys, finite_means, run_episodes
from hebbax.evolution.generation import RunData, TrainingState, compile_generation, initial_state
from hebbax.files import write_json
from hebbax.genomes.base import learned_of
from hebbax.strategies import Schedule, Sgd

# In how many directions gradients of one genome have noise.
DIRECTIONS = MappingProxyType({"direct": 2880, "tied": 180, "fixed": 2880, "direct-grouped": 2880})
POPULATIONS = 10
EPISODES = 256
GENERATIONS = 30


def main() -> None:
    """Measures every method in both states."""
    devices.use_compilation_cache()
    hebbax.use_cpu_cores()
    rows: list[dict[str, Any]] = []
    for method, directions in DIRECTIONS.items():
        config = dataclasses.replace(tuned(method), generations=GENERATIONS)
        trained: Any = hebbax.train(config, FOLDER / "signal" / method).state
        for name, state in (("first", initial_state(config)), ("trained", trained)):
            with programs.shared():
                row = signal_to_noise(config, state) | {"gains": gains(config, state)}
            predicted = config.strategy.population_size / 2 / directions
            rows.append({"method": method, "state": name, "predicted": predicted, **row})
            print(rows[-1], flush=True)
    write_json(Path(__file__).with_suffix(".json"), rows)


def signal_to_noise(config: Config, state: TrainingState) -> dict[str, float]:
    """What of a population's gradient is signal, see `split`; of how many numbers."""
    # A step of plain gradient ascent of length one is the gradient.
    ascent = dataclasses.replace(config.strategy, optimizer=Sgd(Schedule(1.0)))
    config = dataclasses.replace(config, strategy=ascent)
    start = initial_state(config, state.search.genome).replace(wiring=state.wiring)
    before = flat(start)
    gradients = np.stack([flat(after) - before for after in populations(config, start)])
    return split(gradients) | {"numbers": before.size}


def split(gradients: np.ndarray) -> dict[str, float]:
    """Squared signal, squared noise, their ratio and its error, of gradients [populations, N]."""
    signal, noise = squares(gradients)
    count = len(gradients)
    without = [squares(np.delete(gradients, i, axis=0)) for i in range(count)]
    error = np.sqrt(count - 1) * np.std([one / other for one, other in without])
    return {"signal": signal, "noise": noise, "ratio": signal / noise, "error": float(error)}


def squares(gradients: np.ndarray) -> tuple[float, float]:
    """Squared signal and squared noise."""
    others = (np.sum(gradients, axis=0) - gradients) / (len(gradients) - 1)
    signal = float(np.mean(np.sum(gradients * others, axis=1)))
    return signal, float(np.mean(np.sum(np.square(gradients), axis=1))) - signal


def gains(config: Config, state: TrainingState) -> list[float]:
    """What one step gains, for each population."""
    before = score(config, state)
    return [score(config, after) - before for after in populations(config, state)]


def populations(config: Config, state: TrainingState) -> list[TrainingState]:
    """The states after one generation of each population, all from the same state."""
    mesh = devices.population_mesh(config.strategy.population_size)
    program = compile_generation(config, mesh)
    data, state = devices.put_everywhere((RunData.of(config), state), mesh)
    # Generations that no run of 30 has made.
    indices = devices.put_everywhere(1000 + jnp.arange(POPULATIONS), mesh)
    return [program(data, state, index)[0] for index in indices]


def score(config: Config, state: TrainingState) -> float:
    """The mean return of the mode in the training bodies."""
    keys, mode = episode_keys(config, EPISODES), state.search.genome.mode()
    means = finite_means(config, run_episodes(config, keys, mode, state.wiring, is_shared=True))
    return float(np.mean([means[name] for name in config.training_names]))


def flat(state: TrainingState) -> np.ndarray:
    """The learned numbers of a state's genome."""
    return np.asarray(ravel_pytree(learned_of(state.search.genome))[0], np.float64)


if __name__ == "__main__":
    main()
