"""Walking on with a leg that was never damaged before: Najarro and Risi's quadruped.

Hypothesis: plastic networks evolved on the whole body and on one with a damaged front right leg
    walk on with a damaged front left leg, which they have
never seen; static networks of the same size, better on the bodies they were evolved on, do not.

Command: python experiments/najarro_quadruped.py [METHOD...] [--seeds N] [--together] [--slurm
    PARTITION] The same command goes on where it was stopped, and more seeds can be added later.
Hardware: an accelerator; or two CPU cores and patience.
Time: a run is 500 generations of 500 individuals in two bodies for 960 steps, 480 million steps if
    no episode ends early. Two methods with two seeds are four runs. On two CPU cores, at the
    27,750 steps per second of docs/benchmarks.md, one run takes about five hours.
Expected: Najarro and Risi report 1051 +- 113 (plastic) and 1604 +- 171 (static) for the whole body,
    452 and 68 for the unseen damage.
Last reproduced: never at this size.

Source: Najarro and Risi 2020, https://arxiv.org/abs/2007.02686.
"""

import dataclasses
from collections.abc import Callable

from hebbax.cli import run_experiment
from hebbax.config import Config
from hebbax.presets import quadruped_hebbian, quadruped_static
from hebbax.tasks.quadruped import Quadruped

UNSEEN = "damaged_front_left"


def in_three_bodies(make: Callable[[], Config]) -> Callable[[], Config]:
    """The same method on the whole body and two damaged ones."""
    return lambda: dataclasses.replace(
        make(), task=Quadruped(variation_set="najarro"), held_out=UNSEEN
    )


METHODS = {
    "individual": in_three_bodies(quadruped_hebbian),
    "static": in_three_bodies(quadruped_static),
}

if __name__ == "__main__":
    run_experiment(METHODS, "runs/najarro-quadruped", folds=(UNSEEN,))
