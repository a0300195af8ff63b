"""The genomic bottleneck on car racing, at the paper's size.

Hypothesis: as for the quadruped, networks whose synapses share a few rules do better with a grip or
    a push that they were not evolved with than networks
with a rule for each synapse. Here the filters in front are evolved as plain weights in every
method, so that only the layers behind them differ.

Command: python experiments/genomic_bottleneck_car.py [METHOD...] [--folds VARIATION...] [--seeds N]
    [--together] [--slurm PARTITION] The same command goes on where it was stopped, and more
    methods, folds and seeds can be added later.
Hardware: an accelerator, or a SLURM cluster of them.
Time: a run is 300 generations of 200 individuals on four roads for up to 1,000 steps, 240 million
    steps if no race ends early; most end after 20 steps without a tile until a method drives. All
    14 methods in five folds with two seeds are 140 runs.
Expected: Najarro and Risi report 872 +- 11 for individual rules and 711 +- 16 for the static
    network, without other grips or pushes.
Last reproduced: never at this size.

Source: Palm, Najarro and Risi 2021, https://arxiv.org/abs/2011.06811; Najarro and Risi 2020,
https://arxiv.org/abs/2007.02686.
"""

import dataclasses
from collections.abc import Callable

from hebbax.cli import run_experiment
from hebbax.config import Config
from hebbax.genomes.joint import Joint
from hebbax.genomes.normal import Normal
from hebbax.genomes.shared import FixedRules
from hebbax.presets import PRESETS, car_shared

RHOS = (16, 32, 64, 128, 256)


def fixed(rho: int) -> Callable[[], Config]:
    """Rules shared by an assignment that is drawn once, behind evolved filters.

    All else is as with an assignment that evolves.
    """
    return lambda: dataclasses.replace(
        car_shared(rho)(), genome=Joint((("filters", Normal()), ("head", FixedRules(rho=rho))))
    )


METHODS = {
    "static": PRESETS["car-static"],
    "lstm": PRESETS["car-lstm"],
    "individual": PRESETS["car-hebbian"],
    **{f"shared-rho{rho}": PRESETS[f"car-shared-rho{rho}"] for rho in (*RHOS, "n")},
    **{f"fixed-rho{rho}": fixed(rho) for rho in RHOS},
}

if __name__ == "__main__":
    run_experiment(METHODS, "runs/genomic-bottleneck-car")
