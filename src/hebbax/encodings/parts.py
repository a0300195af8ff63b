"""Different encodings for parts of a network, such as tied rules behind filters as they are."""

import dataclasses
from typing import Any, final

import jax
from jaxtyping import PyTree

from hebbax.encodings.base import Encoding
from hebbax.types import Genotype, Phenotype, PRNGKey, Wiring, checks


@final
@dataclasses.dataclass(frozen=True)
class Parts:
    """An encoding for each field of what a network lives with, a dataclass or a dictionary.

    Pairs of a field's name and its encoding. The genotype has the same fields.

    Examples:
        >>> import hebbax
        >>> from hebbax.encodings import Direct, Parts, Tied
        >>> policy = hebbax.Hebbian(hidden_sizes=(8,), has_evolved_weights=True)
        >>> encoding = Parts((("rules", Tied(num_rules=4)), ("weights", Direct())))
        >>> shape = encoding.genotype_shape(policy.parameters(hebbax.tasks.Point()))
        >>> shape.rules["rule"].shape, shape.weights[0].shape
        ((5, 4), (2, 8))
    """

    parts: tuple[tuple[str, Encoding], ...]
    """The parts by name and their encodings."""

    def __post_init__(self) -> None:
        """Refuses what names no encodings."""
        checks.settle(
            self,
            "encoding.",
            parts=checks.named(
                checks.having(
                    *("reads_each_step", "wire", "genotype_shape", "express", "read"),
                    example="Direct()",
                ),
                '(("rules", Tied(rho=16)), ("filters", Direct()))',
            ),
        )

    @property
    def reads_each_step(self) -> bool:
        """Whether any of them does."""
        return any(encoding.reads_each_step for _, encoding in self.parts)

    def wire(self, key: PRNGKey, parameters: PyTree) -> Wiring:
        """What each of them draws. The key is consumed."""
        self._check(parameters)
        keys = jax.random.split(key, len(self.parts))
        return type(parameters)(
            **{
                name: encoding.wire(part_key, _field(parameters, name))
                for (name, encoding), part_key in zip(self.parts, keys, strict=True)
            }
        )

    def genotype_shape(self, parameters: PyTree) -> PyTree:
        """What each of them asks for."""
        self._check(parameters)
        return self._each("genotype_shape", parameters)

    def express(self, parameters: PyTree, wiring: Wiring, genotype: Genotype) -> Any:
        """What each of them keeps."""
        return self._each("express", parameters, wiring, genotype)

    def read(self, parameters: PyTree, wiring: Wiring, kept: Any) -> Phenotype:
        """What each of them reads."""
        return self._each("read", parameters, wiring, kept)

    def _each(self, function: str, *trees: Any) -> Any:
        """What a function of each encoding makes of its field of some trees, in the same fields."""
        return type(trees[0])(
            **{
                name: getattr(encoding, function)(*(_field(tree, name) for tree in trees))
                for name, encoding in self.parts
            }
        )

    def _check(self, parameters: PyTree) -> None:
        """Refuses a network whose fields are others than those that are named."""
        names = list(parameters) if isinstance(parameters, dict) else []
        if dataclasses.is_dataclass(parameters):
            names = [field.name for field in dataclasses.fields(parameters)]
        given = [name for name, _ in self.parts]
        if sorted(given) != sorted(names):
            raise ValueError(
                f"encoding.parts names {given}, but must name each of the network's parts once: "
                f"{', '.join(names) or 'it has none, so choose one encoding for all of it'}"
            )


def _field(tree: Any, name: str) -> Any:
    return tree[name] if isinstance(tree, dict) else getattr(tree, name)
