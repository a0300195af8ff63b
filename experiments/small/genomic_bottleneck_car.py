"""The genomic bottleneck on car racing, sized for two CPU cores.

Hypothesis: that of ../genomic_bottleneck_car.py. At this size it cannot be decided: one fold, a
    picture of 32 x 32 pixels, races of four seconds, 30
generations of 64 individuals, one plastic layer of 216 synapses behind the filters. What can be
seen is whether every method and every step of the comparison work from pixels on, and which methods
begin to drive at all.

Settings: all methods have the same roads, population, generations and optimiser (Adam), search
    noise and learning rate 0.05 around initial means with a
deviation of 0.05, and a population that lives with the same random numbers. Individual rules and
weights are mirrored; where rules are shared nothing is, for a mixture cannot be. With 216 synapses
a rho of 128 makes two rules. Plastic weights are divided by their layer's largest magnitude.

Command: python experiments/small/genomic_bottleneck_car.py
    The same command goes on where it was stopped.
Hardware: two CPU cores.
Time: 8 runs; 16 minutes.
Expected: static weights and individual rules drive, with mean returns of 140 to 170 in the
    variations that they were trained on; under the push that they have not met, both seeds of the
    individual rules keep 149, while static weights have 43 and 147. Rules that are shared do not
    learn to drive, wherever their assignment comes from. Two seeds in one fold say no more than
    that.
Last reproduced: 2026-11-26 at commit de14c81, experiments/results/small-genomic-bottleneck-car.

Source: Palm, Najarro and Risi 2021, https://arxiv.org/abs/2011.06811.
"""

from functools import partial

from hebbax.cli import run_experiment
from hebbax.config import Config
from hebbax.genomes.joint import Joint
from hebbax.genomes.normal import Normal
from hebbax.genomes.shared import FixedRules, SharedRules
from hebbax.policies.convolutional import Convolutional
from hebbax.policies.hebbian import Hebbian
from hebbax.policies.static import Static
from hebbax.strategies.optimizers import Adam
from hebbax.strategies.schedule import Schedule
from hebbax.strategies.score_function import ScoreFunction
from hebbax.tasks.car_racing import CarRacing

INDIVIDUAL = Normal(init_scale=0.05)

small = partial(
    Config,
    task=CarRacing(view_size=32, episode_steps=200),
    generations=30,
    common_random_numbers="population",
)
# A bounded layer keeps for long what its first updates made of it: random weights must not drown
# them.
plastic = partial(
    small,
    policy=Convolutional(
        Hebbian(hidden_sizes=(), initial_range=0.01, bound="largest", is_output_linear=True)
    ),
)
search = partial(
    ScoreFunction,
    population_size=64,
    std=Schedule(0.05),
    optimizer=Adam(Schedule(0.05)),
)


METHODS = {
    "static": partial(
        small,
        policy=Convolutional(Static(hidden_sizes=(), is_output_linear=True)),
        genome=INDIVIDUAL,
        strategy=search(),
    ),
    "individual": partial(plastic, genome=INDIVIDUAL, strategy=search()),
    "shared-rho128": partial(
        plastic,
        genome=Joint((("filters", INDIVIDUAL), ("head", SharedRules(rho=128, init_scale=0.05)))),
        strategy=search(is_mirrored=False),
    ),
    "fixed-rho128": partial(
        plastic,
        genome=Joint((("filters", INDIVIDUAL), ("head", FixedRules(rho=128, init_scale=0.05)))),
        strategy=search(is_mirrored=False),
    ),
}

if __name__ == "__main__":
    run_experiment(METHODS, "runs/small-genomic-bottleneck-car", folds=("force_east",))
