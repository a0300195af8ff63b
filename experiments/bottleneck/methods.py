"""What is compared, see README.md: the methods with their tuned numbers, and variants of them."""

import dataclasses
import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import jax
from jaxtyping import Array, Float, PyTree

from hebbax.comparison.tuning import with_values
from hebbax.config import Config
from hebbax.encodings import LowRank, PerNeuron, Tied
from hebbax.genomes import FixedRules, Normal, SharedNoise, SharedRules
from hebbax.policies import Hebbian, Static
from hebbax.rules import ABCD, Signals
from hebbax.strategies import Adam, Schedule, ScoreFunction
from hebbax.tasks import Quadruped
from hebbax.types import PRNGKey

FOLDER = Path("runs/bottleneck")  # Of runs and their checkpoints.
TUNED = Path(__file__).with_name("tuned.json")
NOISE = "strategy.std.initial"
RATE = "strategy.optimizer.learning_rate.initial"
SCALE = "genome.init_scale"
FOLD = "long_front_legs"  # What is held out while methods are tuned.
HIDDEN_SIZES = (16,)
NUM_RULES = 36

direct = partial(
    Config,
    task=Quadruped(body="brax", episode_steps=150, burn_in_steps=0),
    policy=Hebbian(HIDDEN_SIZES),
    genome=Normal(init_scale=0.1),
    strategy=ScoreFunction(128, std=Schedule(0.1), optimizer=Adam(Schedule(0.1))),
    common_random_numbers="pairs",
    held_out=FOLD,
    generations=30,
)
static = partial(direct, policy=Static(HIDDEN_SIZES))

PRIMARY = ("direct", "tied", "static")
FURTHER = ("per-neuron", "static-tied")  # Which go on too, as small genomes that find much early.
FOUR_SEEDS = (*PRIMARY, "static-tied")  # What hypotheses are read from is tuned on four seeds.
METHODS: Mapping[str, partial[Config]] = MappingProxyType(
    {
        "direct": direct,
        "tied": partial(direct, encoding=Tied(num_rules=NUM_RULES)),
        "static": static,
        "static-tied": partial(static, encoding=Tied(num_rules=NUM_RULES)),
        "direct-grouped": partial(
            direct, genome=SharedNoise(Tied(num_rules=NUM_RULES), init_scale=0.1)
        ),
        "fixed": partial(direct, genome=FixedRules(num_rules=NUM_RULES, init_scale=0.1)),
        "per-neuron": partial(direct, encoding=PerNeuron()),
    }
)
CURVE: Mapping[str, Any] = MappingProxyType(
    {
        "tied-144": Tied(num_rules=144),
        "tied-9": Tied(num_rules=9),
        "tied-1": Tied(num_rules=1),
        "rank-1": LowRank(),
        "post-neuron": PerNeuron(side="post"),
    }
)


@dataclasses.dataclass(frozen=True)
class OnlyConstant:
    """w_ij + eta_ij D_ij: a drift that knows nothing of what happens in an episode."""

    coefficients = ("eta", "D")

    def init(self, weights: Float[Array, "pre post"]) -> tuple[()]:
        """The rule remembers nothing of its own."""
        return ()

    def update(
        self,
        weights: Float[Array, "pre post"],
        trace: tuple[()],
        coefficients: Float[Array, "2 pre post"],
        signals: Signals,
    ) -> tuple[Float[Array, "pre post"], tuple[()]]:
        """Adds eta D."""
        return weights + coefficients[0] * coefficients[1], trace


@dataclasses.dataclass(frozen=True)
class FixedFirstWeights:
    """A plastic network whose first weights are the same in every episode."""

    policy: Hebbian
    seed: int = 0

    def parameters(self, task: Quadruped) -> PyTree:
        """The policy's."""
        return self.policy.parameters(task)

    def reset(self, key: PRNGKey, phenotype: PyTree) -> PyTree:
        """The first weights of one episode, whatever the key."""
        return self.policy.reset(jax.random.key(self.seed), phenotype)

    def act(
        self, phenotype: PyTree, memory: PyTree, observation: Array, reward: Array
    ) -> tuple[Array, PyTree]:
        """The policy's."""
        return self.policy.act(phenotype, memory, observation, reward)

    def plastic_weights(self, memory: PyTree) -> tuple[Array, ...]:
        """The policy's."""
        return self.policy.plastic_weights(memory)


ABLATIONS: Mapping[str, Any] = MappingProxyType(
    {
        "no-constant": Hebbian(HIDDEN_SIZES, rule=ABCD("ABC")),
        "only-constant": Hebbian(HIDDEN_SIZES, rule=OnlyConstant()),
        "fixed-first-weights": FixedFirstWeights(Hebbian(HIDDEN_SIZES)),
    }
)


def tuned(method: str) -> Config:
    """A method with the numbers that its tuning found.

    Raises:
        ValueError: if it is not tuned yet.
    """
    found = json.loads(TUNED.read_text()) if TUNED.exists() else {}
    if method not in found:
        raise ValueError(f"{method} is not tuned yet; run the part `tuning` first")
    return with_values(METHODS[method](), found[method])


def make_ablations() -> dict[str, Config]:
    """The plastic primary methods with each part of the rule left out."""
    return {
        f"{method}-{name}": dataclasses.replace(tuned(method), policy=policy)
        for method in PRIMARY
        if method != "static"
        for name, policy in ABLATIONS.items()
    }


def make_assignments() -> dict[str, Config]:
    """`tied` with three assignments that stay the same for all seeds."""
    return {
        f"tied-assignment-{seed}": dataclasses.replace(
            tuned("tied"), encoding=Tied(num_rules=NUM_RULES, assignment_seed=seed)
        )
        for seed in range(3)
    }


def make_sizes() -> dict[str, Config]:
    """`tied` with other encodings, smaller and larger."""
    return {
        name: dataclasses.replace(tuned("tied"), encoding=encoding)
        for name, encoding in CURVE.items()
    }


def mixture(**strategy: Any) -> Config:
    """The paper's mixture and search, in which nothing is tuned."""
    return direct(
        genome=SharedRules(num_rules=NUM_RULES),
        strategy=ScoreFunction(128, is_mirrored=False, **strategy),
        common_random_numbers="nobody",
    )


def make_afterthought() -> dict[str, Config]:
    """The paper's mixture, and the same with the optimiser that its authors tried last.

    That is Adam at a rate of 1, which halves in each fifth of a run of 30 generations, smoothly.
    Noise and initial rules are the paper's.
    """
    adam = Adam(Schedule(1.0, decay=0.5 ** (1 / 6)))
    return {"mixture": mixture(), "mixture-adam": mixture(optimizer=adam)}
