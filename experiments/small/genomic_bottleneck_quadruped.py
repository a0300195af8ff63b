"""The genomic bottleneck on the quadruped, sized for two CPU cores.

Hypothesis: that of ../genomic_bottleneck_quadruped.py. At this size it cannot be decided: a run is
    a thousandth of the paper's, ten seconds of life in Brax's
lighter body, 15 generations of 128 individuals, one layer of 224 synapses. What can be seen is
whether every method and every step of the comparison work, which methods begin to learn at all
within 1.5 million steps, and how far seeds and folds scatter.

Settings: all methods have the same bodies, population, generations and optimiser (Adam), and pairs
    or a population that lives with the same random
numbers. Evolved weights (static, lstm) begin with a deviation of 0.1, their search noise is 0.1 and
their learning rate 0.05; rules have 0.03 for all three, because larger ones saturate the network
within a few steps. Rules that are shared are not mirrored, for a mixture cannot be. With 224
synapses a rho of 128 makes two rules, and a rho of N one. The LSTM has 16 cells in front of its
layer, which makes 3,200 weights.

Command: python experiments/small/genomic_bottleneck_quadruped.py
    The same command goes on where it was stopped.
Hardware: two CPU cores.
Time: 60 runs of 1.5 million steps, 0.2 million more to score each, and a compilation for each
    method: 85 minutes, with other programs beside it for the most part.
Expected: static weights and the LSTM learn, to interquartile means of about 20 in the variation
    held out and 20 to 30 in those trained on; individual rules half as fast, to about 9 in both.
    Rules that are shared stay near zero, wherever their assignment comes from. No method but static
    weights loses much from the variations that it was trained on to the one that it was not; with
    intervals of five to ten points around each figure, more cannot be said.
Last reproduced: 2026-11-26 at commit b945710,
experiments/results/small-genomic-bottleneck-quadruped.

Source: Palm, Najarro and Risi 2021, https://arxiv.org/abs/2011.06811.
"""

from functools import partial

from hebbax.cli import run_experiment
from hebbax.config import Config
from hebbax.genomes.normal import Normal
from hebbax.genomes.shared import FixedRules, SharedRules
from hebbax.policies.hebbian import Hebbian
from hebbax.policies.lstm import LSTM
from hebbax.policies.static import Static
from hebbax.strategies.optimizers import Adam
from hebbax.strategies.schedule import Schedule
from hebbax.strategies.score_function import ScoreFunction
from hebbax.tasks.quadruped import Quadruped

SYNAPSES = 28 * 8
POPULATION = 128

small = partial(
    Config,
    task=Quadruped(body="brax", episode_steps=200, burn_in_steps=0),
    generations=15,
    common_random_numbers="pairs",
)
plastic = partial(small, policy=Hebbian(hidden_sizes=()))
mirrored = partial(ScoreFunction, population_size=POPULATION)

WEIGHTS = mirrored(std=Schedule(0.1), optimizer=Adam(Schedule(0.05)))
RULES = mirrored(std=Schedule(0.03), optimizer=Adam(Schedule(0.03)))
SHARED_RULES = ScoreFunction(
    population_size=POPULATION,
    is_mirrored=False,
    std=Schedule(0.03),
    optimizer=Adam(Schedule(0.03)),
)
# A mixture has no pairs.
shared = partial(plastic, strategy=SHARED_RULES, common_random_numbers="population")

METHODS = {
    "static": partial(
        small, policy=Static(hidden_sizes=()), genome=Normal(init_scale=0.1), strategy=WEIGHTS
    ),
    "lstm": partial(
        small, policy=LSTM(hidden_sizes=(16,)), genome=Normal(init_scale=0.1), strategy=WEIGHTS
    ),
    "individual": partial(plastic, genome=Normal(init_scale=0.03), strategy=RULES),
    "shared-rho128": partial(shared, genome=SharedRules(rho=128, init_scale=0.03)),
    "shared-rhon": partial(shared, genome=SharedRules(rho=SYNAPSES, init_scale=0.03)),
    "fixed-rho128": partial(shared, genome=FixedRules(rho=128, init_scale=0.03)),
}

if __name__ == "__main__":
    run_experiment(METHODS, "runs/small-genomic-bottleneck-quadruped")
