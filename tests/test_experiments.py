"""The experiments: every method can be made, and has a fold to be held out."""

import runpy
from pathlib import Path

import pytest

EXPERIMENTS = Path(__file__).parents[1] / "experiments"
SCRIPTS = sorted(path for path in EXPERIMENTS.rglob("*.py"))
PARTS = (
    "Hypothesis:",
    "Command:",
    "Hardware:",
    "Time:",
    "Expected:",
    "Last reproduced:",
    "Source:",
)


def test_all_experiments_are_seen():
    """The paper's three, and two small ones."""
    assert [str(path.relative_to(EXPERIMENTS)) for path in SCRIPTS] == [
        *("genomic_bottleneck_car.py", "genomic_bottleneck_quadruped.py", "najarro_quadruped.py"),
        *("small/genomic_bottleneck_car.py", "small/genomic_bottleneck_quadruped.py"),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_experiment_is_described_and_its_methods_can_be_made(script: Path):
    """A reader finds what a file is to show and how.

    All methods share their task, and stand for different things.
    """
    module = runpy.run_path(str(script))
    assert [part for part in PARTS if part not in module["__doc__"]] == []
    configs = {name: make() for name, make in module["METHODS"].items()}
    assert len({config.task for config in configs.values()}) == 1
    assert len({config.generations for config in configs.values()}) == 1
    assert len({config.strategy.population_size for config in configs.values()}) == 1
    assert len(set(configs.values())) == len(configs)
