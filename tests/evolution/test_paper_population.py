"""The paper's population on two devices of a CPU."""

import os
import subprocess
import sys

import pytest

SCRIPT = """
import dataclasses
import hebbax
hebbax.use_cpu_cores(2)
from hebbax.presets import PRESETS
config = PRESETS["quadruped-hebbian"]()
task = dataclasses.replace(config.task, episode_steps=2, burn_in_steps=0)
result = hebbax.train(dataclasses.replace(config, task=task, generations=1))
assert config.strategy.population_size == 500
assert result.history[0]["steps"] == 500 * 4 * 2, result.history
"""
# s; it takes a tenth of that, most of it to compile. Without a pool larger than the cores it never
# ends.
LIMIT = 300


@pytest.mark.slow
def test_one_generation_of_the_papers_population_ends():
    """A generation of 500 x 4 episodes on two devices of the CPU ends.

    Their programs do not wait for each other for ever.

    Mutation: without NPROC in `devices.use_cpu_cores`, devices that take all threads of the pool
    may sleep for ever.
    """
    environment = {name: value for name, value in os.environ.items() if name != "NPROC"}
    subprocess.run([sys.executable, "-c", SCRIPT], env=environment, timeout=LIMIT, check=True)
