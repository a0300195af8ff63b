"""The configuration of a run: which task, policy, genome and strategy, and how long."""

import dataclasses
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, final

import jax
from jaxtyping import PyTree

from hebbax import checks, devices, interfaces
from hebbax.files import local_path, read_json
from hebbax.plain import class_name, from_plain, to_plain
from hebbax.plain import trust as trust_modules

if TYPE_CHECKING:
    from hebbax.genomes.base import GenomeSpec
    from hebbax.policies.base import Policy
    from hebbax.strategies.base import Strategy
    from hebbax.tasks.base import Task
else:
    # Any object with an interface's functions will do. The command line reads a field's options off
    # the object that is there.
    GenomeSpec = Policy = Strategy = Task = Any

FORMAT = 1  # Raised whenever a run's folder of an older version can no longer be read.


@final
@dataclasses.dataclass(frozen=True)
class Config:
    """Everything that decides a run's numbers.

    Task, policy, genome and strategy are any objects with the functions of their interfaces.
    """

    task: Task
    """The environment and its variations."""
    policy: Policy
    """The network, and what it remembers within a lifetime."""
    genome: GenomeSpec
    """The distribution that evolves."""
    strategy: Strategy
    """How it evolves."""
    generations: int = 500
    """Generations in all; a run that has ended goes on when this is raised."""
    held_out: str | None = None
    """The variation that is left out of training; None trains on all."""
    penalty: float = 0.0
    """Weight penalty: this factor times the mean square of a genotype is taken from its fitness."""
    seed: int = 0
    """The one seed from which all random numbers come."""
    chunk_size: int | None = None
    """Individuals that live at a time on each device, which bounds the memory.

    If None up to 4 on a CPU, whose cache they fit, and all at once elsewhere.
    """
    checkpoint_every: int = 10
    """Generations between two checkpoints."""

    def __post_init__(self) -> None:
        """Refuses values that no run can have."""
        checks.settle(
            self,
            task=checks.having(*interfaces.TASK, example="Quadruped()"),
            policy=checks.having(*interfaces.POLICY, example="Hebbian()"),
            genome=checks.having(*interfaces.GENOME_SPEC, example="Normal()"),
            strategy=checks.having(*interfaces.STRATEGY, example="ScoreFunction()"),
            generations=checks.integer(at_least=1),
            penalty=checks.not_negative,
            seed=checks.integer(at_most=2**32 - 1, allowed="between 0 and 2^32 - 1"),
            chunk_size=checks.optional(checks.integer(at_least=1)),
            checkpoint_every=checks.integer(at_least=1),
        )
        interfaces.fit_facts(self.task)
        names = list(self.task.variations)
        if self.held_out is not None and self.held_out not in names:
            raise ValueError(
                f"held_out is {self.held_out!r}, but must be None or one of the task's variations: "
                f"{', '.join(names)}"
            )
        if self.held_out is not None and len(names) == 1:
            raise ValueError(
                f"held_out is {self.held_out!r}, which leaves no variation to train on; allowed is "
                "None"
            )
        try:
            hash(self)
        except TypeError as error:
            raise ValueError(
                f"the configuration cannot be hashed ({error}); allowed are frozen dataclasses of "
                "numbers, texts and tuples"
            ) from error
        self._check_memory()

    def _check_memory(self) -> None:
        """Refuses a search whose state and population no device here could hold."""
        needed, available = self.search_bytes(), devices.memory_bytes()
        if sum(needed) > available:
            raise ValueError(
                f"strategy is {self.strategy}, whose state takes {needed[0] / 1e9:.1f} GB and "
                f"whose population {needed[1] / 1e9:.1f} GB, but a device "
                f"here has {available / 1e9:.1f} GB; choose a smaller network, population or "
                "genome, or an algorithm with a smaller state"
            )

    def search_bytes(self) -> tuple[int, int]:
        """Bytes that the strategy's state and a population take.

        Found, as what does not fit, without computing anything.
        """
        return _search_bytes(self.task, self.policy, self.genome, self.strategy)

    @property
    def training_variations(self) -> dict[str, Any]:
        """The variations that a run trains on, by name."""
        return {
            name: variation
            for name, variation in self.task.variations.items()
            if name != self.held_out
        }

    @property
    def individuals_at_a_time(self) -> int | None:
        """`chunk_size`, or what suits the devices here; None for all."""
        genotype = self.policy.genotype_shape(self.task)
        memory = jax.eval_shape(self.policy.reset, jax.random.key(0), genotype)
        return self.chunk_size or devices.chunk_size(
            _num_bytes(genotype) + len(self.training_variations) * _num_bytes(memory)
        )

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
    if plain.get("format") != FORMAT:
        raise ValueError(
            f"the configuration has format {plain.get('format')}, but this version of hebbax reads "
            f"format {FORMAT}"
        )
    if not isinstance(plain.get("config"), dict):
        raise ValueError("it has no 'config' with the settings")


# A comparison has many configurations that differ in seed and held-out variation alone.
@functools.lru_cache(maxsize=16)
def _search_bytes(
    task: Task, policy: Policy, genome: GenomeSpec, strategy: Strategy
) -> tuple[int, int]:
    genotype = interfaces.fit_policy(policy, task)
    state, population = interfaces.fit_strategy(strategy, interfaces.fit_genome(genome, genotype))
    return _num_bytes(state), _num_bytes(population)


def _num_bytes(shapes: PyTree) -> int:
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(shapes))
