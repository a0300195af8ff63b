"""Configurations by name: the paper's settings, and small ones."""

import dataclasses
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from hebbax.config import Config
from hebbax.encodings.direct import Direct
from hebbax.encodings.parts import Parts
from hebbax.encodings.tied import Tied
from hebbax.genomes.joint import Joint
from hebbax.genomes.normal import Normal
from hebbax.genomes.shared import SharedRules
from hebbax.policies.convolutional import Convolutional
from hebbax.policies.hebbian import Hebbian
from hebbax.policies.lstm import LSTM
from hebbax.policies.static import Static
from hebbax.strategies.optimizers import Adam
from hebbax.strategies.schedule import Schedule
from hebbax.strategies.score_function import ScoreFunction
from hebbax.tasks.brax_task import BraxTask
from hebbax.tasks.car_racing import CarRacing
from hebbax.tasks.gymnax_task import GymnaxTask
from hebbax.tasks.playground_task import PlaygroundTask
from hebbax.tasks.quadruped import Quadruped

RHOS = (16, 32, 64, 128, 256)
# Of the paper's network: a single rule for all of them is the last of its comparison.
QUADRUPED_SYNAPSES = 28 * 128 + 128 * 64 + 64 * 8
CAR_SYNAPSES = 648 * 128 + 128 * 64 + 64 * 3  # Likewise, behind the filters.


def quadruped_hebbian() -> Config:
    """The paper's quadruped: one plasticity rule for every synapse."""
    return Config(
        task=Quadruped(),
        policy=Hebbian(),
        genome=Normal(),
        strategy=ScoreFunction(),
        generations=500,
        held_out="long_front_legs",
        penalty=0.01,
    )


def quadruped_static() -> Config:
    """The paper's static baseline on the quadruped."""
    return dataclasses.replace(quadruped_hebbian(), policy=Static(), penalty=0.0)


def quadruped_lstm() -> Config:
    """The paper's LSTM baseline on the quadruped."""
    return dataclasses.replace(quadruped_static(), policy=LSTM())


def quadruped_shared(rho: int) -> Callable[[], Config]:
    """The paper's quadruped with rules shared through a mixture, one for every `rho` synapses."""
    return _described(
        f"The paper's quadruped: a mixture of plasticity rules, one for every {rho:,} synapses.",
        lambda: dataclasses.replace(
            quadruped_hebbian(),
            genome=SharedRules(rho=rho),
            strategy=ScoreFunction(is_mirrored=False),
        ),
    )


def quadruped_tied(rho: int) -> Callable[[], Config]:
    """The paper's quadruped with rules shared by a random assignment, and noise on the rules."""
    return _described(
        f"The paper's quadruped: {rho:,} synapses share a rule at random, noise is on the rules.",
        lambda: dataclasses.replace(quadruped_hebbian(), encoding=Tied(rho=rho)),
    )


def car_hebbian() -> Config:
    """The paper's car racing: one plasticity rule for every synapse behind evolved filters."""
    return Config(
        task=CarRacing(),
        policy=Convolutional(),
        genome=Normal(),
        strategy=ScoreFunction(population_size=200),
        generations=300,
        held_out="force_east",
        penalty=0.01,
    )


def car_static() -> Config:
    """The paper's static baseline on car racing."""
    return dataclasses.replace(
        car_hebbian(), policy=Convolutional(Static(is_output_linear=True)), penalty=0.0
    )


def car_lstm() -> Config:
    """The paper's LSTM baseline on car racing."""
    return dataclasses.replace(car_static(), policy=Convolutional(LSTM(is_output_linear=True)))


def car_shared(rho: int) -> Callable[[], Config]:
    """The paper's car racing with rules shared through a mixture, one for every `rho` synapses.

    Filters are plain weights.
    """
    return _described(
        f"The paper's car racing: a mixture of plasticity rules, one for every {rho:,} synapses.",
        lambda: dataclasses.replace(
            car_hebbian(),
            genome=Joint((("filters", Normal()), ("head", SharedRules(rho=rho)))),
            strategy=ScoreFunction(population_size=200, is_mirrored=False),
        ),
    )


def car_tied(rho: int) -> Callable[[], Config]:
    """The paper's car racing with rules shared by a random assignment, and noise on the rules.

    Filters are plain weights.
    """
    return _described(
        f"The paper's car racing: {rho:,} synapses share a rule at random, noise is on the rules.",
        lambda: dataclasses.replace(
            car_hebbian(), encoding=Parts((("filters", Direct()), ("head", Tied(rho=rho))))
        ),
    )


def _described(text: str, make: Callable[[], Config]) -> Callable[[], Config]:
    """Gives a function the line that `hebbax presets` shows."""
    make.__doc__ = text
    return make


def quadruped_demo() -> Config:
    """Plasticity that visibly learns in minutes on two CPU cores; not the paper's settings."""
    return Config(
        task=Quadruped(body="brax", episode_steps=120, burn_in_steps=0),
        policy=Hebbian(hidden_sizes=()),
        genome=Normal(init_scale=0.03),
        strategy=ScoreFunction(
            population_size=96,
            std=Schedule(0.05),
            optimizer=Adam(Schedule(0.05)),
        ),
        common_random_numbers="pairs",
        generations=30,
        held_out="long_front_legs",
    )


def car_demo() -> Config:
    """Plasticity that learns in minutes to drive by pixels; not the paper's settings."""
    return Config(
        task=CarRacing(view_size=32, episode_steps=200),
        # A bounded layer keeps for long what its first updates made of it: random weights must not
        # drown them.
        policy=Convolutional(
            Hebbian(hidden_sizes=(), initial_range=0.01, bound="largest", is_output_linear=True)
        ),
        genome=Normal(init_scale=0.05),
        # Each pair has tracks of its own, and noise begins large: chosen by hand, with the push to
        # the west held out.
        strategy=ScoreFunction(
            population_size=64,
            std=Schedule(0.1, decay=0.99),
            optimizer=Adam(Schedule(0.05)),
        ),
        common_random_numbers="pairs",
        generations=120,
        held_out="friction_double",
    )


POLICIES: Mapping[str, Callable[[], Any]] = MappingProxyType(
    {
        "hebbian": lambda: Hebbian((16,), has_evolved_weights=True),
        "static": lambda: Static((16,)),
        "lstm": lambda: LSTM((16,)),
    }
)

LIBRARIES: Mapping[str, Callable[[str, Any], Any]] = MappingProxyType(
    {"brax": BraxTask, "gymnax": GymnaxTask, "playground": PlaygroundTask}
)


def for_task(
    task: str, policy: str = "hebbian", variations: Mapping[str, Mapping[str, float]] | None = None
) -> Config:
    """A configuration to begin with on an environment that has no preset.

    A small network, and a search that suits small tasks; nothing is held out.

    Args:
        task: `gymnax:NAME`, `brax:NAME` or `playground:NAME`, with the name of one of the
            library's environments.
        policy: "hebbian", whose first weights evolve too, "static" or "lstm".
        variations: of the task, beside its own numbers: `{"heavy": {"masspole": 0.5}}`; of Brax and
            Playground factors of fields of the model.

    Raises:
        ValueError: if there is no such task or policy.

    Examples:
        >>> import hebbax
        >>> config = hebbax.presets.for_task("gymnax:Pendulum-v1", "static", {"heavy": {"m": 2.0}})
        >>> list(config.task.variations), config.policy.hidden_sizes
        (['default', 'heavy'], (16,))
    """
    library, _, name = task.partition(":")
    if library not in LIBRARIES or not name:
        raise ValueError(
            f"task is {task!r}, but must be gymnax:NAME, brax:NAME or playground:NAME, such as "
            "gymnax:Pendulum-v1; other tasks have presets, or are given to hebbax.Config"
        )
    if policy not in POLICIES:
        raise ValueError(f"policy is {policy!r}, but must be one of {', '.join(POLICIES)}")
    return Config(
        task=LIBRARIES[library](name, variations or {}),
        policy=POLICIES[policy](),
        genome=Normal(init_scale=0.1),
        strategy=ScoreFunction(
            population_size=128, std=Schedule(0.1), optimizer=Adam(Schedule(0.05))
        ),
        common_random_numbers="pairs",
        generations=100,
    )


PRESETS: Mapping[str, Callable[[], Config]] = MappingProxyType(
    {
        "quadruped-hebbian": quadruped_hebbian,
        "quadruped-static": quadruped_static,
        "quadruped-lstm": quadruped_lstm,
        **{f"quadruped-shared-rho{rho}": quadruped_shared(rho) for rho in RHOS},
        "quadruped-shared-rhon": quadruped_shared(QUADRUPED_SYNAPSES),
        **{f"quadruped-tied-rho{rho}": quadruped_tied(rho) for rho in RHOS},
        "quadruped-tied-rhon": quadruped_tied(QUADRUPED_SYNAPSES),
        "car-hebbian": car_hebbian,
        "car-static": car_static,
        "car-lstm": car_lstm,
        **{f"car-shared-rho{rho}": car_shared(rho) for rho in RHOS},
        "car-shared-rhon": car_shared(CAR_SYNAPSES),
        **{f"car-tied-rho{rho}": car_tied(rho) for rho in RHOS},
        "car-tied-rhon": car_tied(CAR_SYNAPSES),
        "quadruped-demo": quadruped_demo,
        "car-demo": car_demo,
    }
)
