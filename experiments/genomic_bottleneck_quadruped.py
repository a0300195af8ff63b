"""The genomic bottleneck on the quadruped, at the paper's size.

Hypothesis: networks whose synapses share a few rules are forced to learn within their episode and
    do better in a body that they were not evolved in than
networks with a rule for each synapse, as few genes do in animals. The paper finds no such gain. Its
mixture was trained on one body and its assignment barely moved, so the question stands open; fixed
random sharing tells whether an assignment that evolves is better than one that is drawn.

Command: python experiments/genomic_bottleneck_quadruped.py [METHOD...] [--folds VARIATION...]
    [--seeds N] [--together] [--slurm PARTITION] The same command goes on where it was stopped, and
    more methods, folds and seeds can be added later.
Hardware: an accelerator, or a SLURM cluster of them.
Time: a run is 500 generations of 500 individuals in four bodies for 960 steps, 960 million steps if
    no episode ends early. All 14 methods in five folds with two seeds are 140 runs. On two CPU
    cores, at the 27,750 steps per second of docs/benchmarks.md, one run takes about ten hours.
Expected: in the paper's figures the static network reaches 1545 in its training bodies and shared
    rules about 0 in every configuration.
Last reproduced: never at this size.

Source: Palm, Najarro and Risi 2021, https://arxiv.org/abs/2011.06811.
"""

import dataclasses
from collections.abc import Callable

from hebbax.cli import run_experiment
from hebbax.config import Config
from hebbax.genomes.shared import FixedRules
from hebbax.presets import PRESETS, quadruped_shared

RHOS = (16, 32, 64, 128, 256)


def fixed(rho: int) -> Callable[[], Config]:
    """Rules shared by an assignment that is drawn once.

    All else is as with an assignment that evolves.
    """
    return lambda: dataclasses.replace(quadruped_shared(rho)(), genome=FixedRules(rho=rho))


METHODS = {
    "static": PRESETS["quadruped-static"],
    "lstm": PRESETS["quadruped-lstm"],
    "individual": PRESETS["quadruped-hebbian"],
    **{f"shared-rho{rho}": PRESETS[f"quadruped-shared-rho{rho}"] for rho in (*RHOS, "n")},
    **{f"fixed-rho{rho}": fixed(rho) for rho in RHOS},
}

if __name__ == "__main__":
    run_experiment(METHODS, "runs/genomic-bottleneck-quadruped")
