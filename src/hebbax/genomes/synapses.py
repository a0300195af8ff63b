"""Where the synapses of a network are in a genotype, and how many rules they share."""

import dataclasses
import itertools
import math
from typing import Any, Self, final

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from hebbax.types import Genotype


@final
@dataclasses.dataclass(frozen=True)
class Layout:
    """The order of the synapses: layer by layer, each by rows.

    treedef: structure of the genotype.
    shapes: of its leaves, each `(coefficients, pre, post)`.
    coefficients: names of a rule's numbers.
    """

    treedef: Any
    shapes: tuple[tuple[int, ...], ...]
    coefficients: tuple[str, ...]

    @classmethod
    def of(cls, genotype_shape: PyTree) -> Self:
        """The layout of a plastic policy's genotypes.

        Raises:
            ValueError: if a leaf is something else than rules.
        """
        leaves, treedef = jax.tree.flatten(genotype_shape)
        if not leaves:
            raise ValueError("genome shares rules, but the genotype has none here")
        for leaf in leaves:
            if getattr(leaf, "kind", None) != "rule" or leaf.names != leaves[0].names:
                raise ValueError(
                    "genome shares rules, but the genotype has a part of shape "
                    f"{leaf.shape} that is no rule of these synapses; choose a plastic policy, or "
                    "a joint genome"
                )
        return cls(treedef, tuple(leaf.shape for leaf in leaves), leaves[0].names)

    @property
    def num_coefficients(self) -> int:
        """Numbers of a rule."""
        return len(self.coefficients)

    @property
    def num_synapses(self) -> int:
        """Synapses of all layers."""
        return sum(math.prod(shape[1:]) for shape in self.shapes)

    def to_synapses(self, genotype: Genotype) -> Float[Array, "n coefficients"]:
        """Lists the rules of all synapses."""
        return jnp.concatenate(
            [leaf.reshape(self.num_coefficients, -1).T for leaf in jax.tree.leaves(genotype)]
        )

    def to_genotype(self, synapses: Float[Array, "n coefficients"]) -> Genotype:
        """Puts the rules of all synapses back into layers."""
        ends = list(itertools.accumulate(math.prod(shape[1:]) for shape in self.shapes))
        parts = jnp.split(synapses, ends[:-1])
        return jax.tree.unflatten(
            self.treedef,
            [part.T.reshape(shape) for part, shape in zip(parts, self.shapes, strict=True)],
        )


def num_rules_of(num_synapses: int, rho: float | int | None, num_rules: int | None) -> int:
    """The number of rules that a specification gives to a network.

    Raises:
        ValueError: if there are more rules than synapses, or more synapses per rule.
    """
    for name, given in (("rho", rho), ("num_rules", num_rules)):
        if given is not None and given > num_synapses:
            raise ValueError(
                f"genome.{name} is {given}, but must be between 1 and {num_synapses}, the number "
                "of synapses"
            )
    return num_rules if num_rules is not None else max(1, round(num_synapses / (rho or 1)))
