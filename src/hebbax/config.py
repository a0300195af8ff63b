"""The configuration of a run: which task, policy, encoding, genome and strategy, and how long.

It is data. To build one starts nothing and loads no physics; whether a run can be made of it is for
`hebbax.check` to say.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, final

from hebbax.encodings.direct import Direct
from hebbax.files import local_path, read_json
from hebbax.files.plain import class_name, from_plain, to_plain
from hebbax.files.plain import trust as trust_modules
from hebbax.types import checks

if TYPE_CHECKING:
    from hebbax.encodings.base import Encoding
    from hebbax.genomes.base import GenomeSpec
    from hebbax.policies.base import Policy
    from hebbax.strategies.base import Strategy
    from hebbax.tasks.base import Task
else:
    # Any object with an interface's functions will do. The command line reads a field's options off
    # the object that is there.
    Encoding = GenomeSpec = Policy = Strategy = Task = Any

FORMAT = 2  # Raised whenever a run's folder of an older version can no longer be read.

# What the interfaces of `base` modules have, by the field of a configuration.
MEMBERS = {
    "task": ("variations", "observation_shape", "action_size", "max_steps", "reset", "step"),
    "policy": ("parameters", "reset", "act", "plastic_weights"),
    "encoding": ("reads_each_step", "wire", "genotype_shape", "express", "read"),
    "genome": ("init",),
    "strategy": ("population_size", "init", "ask", "tell"),
}


@final
@dataclasses.dataclass(frozen=True)
class Config:
    """Everything that decides a run's numbers.

    Task, policy, encoding, genome and strategy are any objects with the functions of their
    interfaces.

    Examples:
        >>> import hebbax
        >>> task, policy = hebbax.tasks.Point(), hebbax.Hebbian(hidden_sizes=())
        >>> strategy = hebbax.ScoreFunction(population_size=4)
        >>> config = hebbax.Config(task, policy, hebbax.Normal(), strategy, held_out="mirrored")
        >>> config.training_names
        ('default', 'weak', 'strong')
    """

    task: Task
    """The environment and its variations."""
    policy: Policy
    """The network, and what it remembers within an episode."""
    genome: GenomeSpec
    """The distribution that evolves."""
    strategy: Strategy
    """How it evolves."""
    encoding: Encoding = Direct()
    """How what the network lives with is written in a genotype."""
    generations: int = 500
    """Generations in all; a run that has ended goes on when this is raised."""
    held_out: str | None = None
    """The variation that is left out of training; None trains on all."""
    penalty: float = 0.0
    """Weight penalty: this factor times the mean square of an individual's rules, or of all numbers
    of a network without rules, is taken from its fitness."""
    common_random_numbers: Literal["nobody", "pairs", "population"] = "nobody"
    """Who has the same random numbers in their episodes.

    Nobody (the paper), mirrored pairs, or the whole population.
    """
    seed: int = 0
    """The one seed from which all random numbers come."""
    precision: Literal["default", "high", "highest"] = "highest"
    """Precision of products of matrices, as JAX names it; on a CPU all are the same."""
    chunk_size: int | None = None
    """Individuals whose episodes run at a time on each device, which bounds the memory.

    If None up to 4 on a CPU, whose cache they fit, and all at once elsewhere.
    """
    generations_per_call: int = 1
    """Generations in one program, between which the host has no say, and callbacks and interrupts
    wait. More than one are worth it where a generation takes milliseconds on an accelerator."""
    normalize_observations: bool = False
    """Whether networks see observations with mean 0 and deviation 1 over all that the run has seen.
    """
    checkpoint_every: int = 10
    """Generations between two checkpoints."""
    evaluate_every: int | None = None
    """Generations between two evaluations of the genome's mode in all variations, the held-out one
    included, for the learning curve; None evaluates none."""
    evaluation_episodes: int = 32
    """Episodes in each variation of such an evaluation."""

    def __post_init__(self) -> None:
        """Refuses values that no run can have."""
        checks.settle(
            self,
            task=checks.having(*MEMBERS["task"], example="Quadruped()"),
            policy=checks.having(*MEMBERS["policy"], example="Hebbian()"),
            genome=checks.having(*MEMBERS["genome"], example="Normal()"),
            strategy=checks.having(*MEMBERS["strategy"], example="ScoreFunction()"),
            encoding=checks.having(*MEMBERS["encoding"], example="Direct()"),
            generations=checks.integer(at_least=1),
            penalty=checks.not_negative,
            common_random_numbers=checks.choice("nobody", "pairs", "population"),
            seed=checks.integer(at_most=2**32 - 1, allowed="between 0 and 2^32 - 1"),
            precision=checks.choice("default", "high", "highest"),
            chunk_size=checks.optional(checks.integer(at_least=1)),
            generations_per_call=checks.integer(at_least=1),
            normalize_observations=checks.flag,
            checkpoint_every=checks.integer(at_least=1),
            evaluate_every=checks.optional(checks.integer(at_least=1)),
            evaluation_episodes=checks.integer(at_least=1),
        )
        self._check_held_out()
        # A strategy that pairs nobody would have unequals share their numbers.
        if self.common_random_numbers == "pairs" and not getattr(
            self.strategy, "is_mirrored", False
        ):
            raise ValueError(
                "common_random_numbers is 'pairs', but the strategy mirrors nobody; allowed are "
                "'nobody' and 'population'"
            )
        checks.hashable("the configuration", self)

    def _check_held_out(self) -> None:
        names = list(self.task.variations)
        if self.held_out is not None and self.held_out not in names:
            raise ValueError(
                f"held_out is {self.held_out!r}, but must be None or one of the task's variations: "
                f"{', '.join(map(str, names))}"
            )
        if self.held_out is not None and len(names) == 1:
            raise ValueError(
                f"held_out is {self.held_out!r}, which leaves no variation to train on; allowed is "
                "None"
            )

    @property
    def training_variations(self) -> dict[str, Any]:
        """The variations that a run trains on, by name."""
        return {name: self.task.variations[name] for name in self.training_names}

    @property
    def training_names(self) -> tuple[str, ...]:
        """The names of the variations that a run trains on."""
        return tuple(name for name in self.task.variations if name != self.held_out)

    def to_dict(self) -> dict[str, Any]:
        """The configuration as plain values, from which `from_dict` rebuilds it."""
        return {"format": FORMAT, "config": to_plain(self)}

    @classmethod
    def from_dict(cls, plain: dict[str, Any], trust: Sequence[str] = ()) -> Self:
        """Rebuilds a configuration.

        Args:
            plain: what `to_dict` has made.
            trust: modules, or files that end in `.py`, that are imported because classes of theirs
                are named. hebbax's own and those that the program has imported need not be named;
                no others are imported.

        Raises:
            ValueError: if it was written by another version, or names what is no frozen dataclass
                of a trusted module.
        """
        trust_modules(trust)
        _check_format(plain)
        config = from_plain(plain["config"])
        if not isinstance(config, cls):
            raise ValueError(
                f"the configuration is of {class_name(type(config))}, but must be of "
                f"{class_name(cls)}"
            )
        return config

    @classmethod
    def load(cls, path: str | Path, trust: Sequence[str] = ()) -> Self:
        """Reads the configuration of a run from its folder.

        Args:
            path: of the folder.
            trust: as for `from_dict`.

        Raises:
            ValueError: if the folder holds no configuration, or one that this version cannot read.
        """
        plain = read_config(path)
        try:
            return cls.from_dict(plain, trust)
        except Exception as error:  # Classes of any kind may refuse what is in the file.
            raise ValueError(f"{Path(path) / 'config.json'} cannot be read: {error}") from error


def read_config(path: str | Path) -> dict[str, Any]:
    """Reads the configuration of a run as the plain values of `to_dict`, of which nothing is built.

    Raises:
        ValueError: if the folder holds no configuration, or one that this version cannot read.
    """
    file = local_path(path, "run") / "config.json"
    try:
        plain = read_json(file, dict)
    except (FileNotFoundError, NotADirectoryError):
        raise ValueError(f"{path} is no run: it has no config.json") from None
    try:
        _check_format(plain)
    except ValueError as error:
        raise ValueError(f"{file} cannot be read: {error}") from error
    return plain


def _check_format(plain: dict[str, Any]) -> None:
    number = plain.get("format")
    if number != FORMAT:
        remedy = "; hebbax 0.1 reads it" if number == 1 else ""
        raise ValueError(
            f"the configuration has format {number}, but this version of hebbax reads format "
            f"{FORMAT}{remedy}"
        )
    if not isinstance(plain.get("config"), dict):
        raise ValueError("it has no 'config' with the settings")
