"""Different genomes for parts of a genotype, such as shared rules beside evolved weights."""

import dataclasses
from typing import Any, final

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from hebbax.genomes.base import GenomeSpec, Size, drawn, learned_of, log_probs_of, size_of
from hebbax.types import Genotype, PRNGKey, Struct, checks


@final
class JointGenome(Struct):
    """Independent genomes of the fields of a genotype.

        p(z) = prod_parts p_part(z_part)

    parts: each field's genome by the field's name.
    kind: class of the genotype.
    """

    parts: dict[str, Any]
    kind: type = dataclasses.field(metadata={"static": True})

    def sample(self, key: PRNGKey) -> Genotype:
        """Draws every part. The key is consumed."""
        keys = jax.random.split(key, len(self.parts))
        # Sorted, as JAX does whenever it rebuilds a dictionary.
        return self.kind(
            **{
                name: self.parts[name].sample(part_key)
                for name, part_key in zip(sorted(self.parts), keys, strict=True)
            }
        )

    def size(self) -> Size:
        """The sum of the parts' sizes."""
        sizes = [size_of(part) for part in self.parts.values()]
        return Size(
            sum(size.numbers for size in sizes), sum(size.assignment_bits for size in sizes)
        )

    def draw(self, key: PRNGKey) -> "JointGenome":
        """The parts with what a generation has in common. The key is consumed."""
        keys = jax.random.split(key, len(self.parts))
        return self.replace(
            parts={
                name: drawn(self.parts[name], part_key)
                for name, part_key in zip(sorted(self.parts), keys, strict=True)
            }
        )

    def log_prob(self, genotype: Genotype) -> Float[Array, ""]:
        """The sum of the parts' log-densities."""
        return sum(
            (part.log_prob(getattr(genotype, name)) for name, part in self.parts.items()),
            start=jnp.zeros((), jnp.float32),
        )

    def log_probs(self, genotypes: Genotype) -> Float[Array, " population"]:
        """The sums of the parts' log-densities, for a population."""
        fields = {name: getattr(genotypes, name) for name in self.parts}
        # A field may be empty, such as the weights at birth of a policy that draws them.
        each = [
            log_probs_of(part, fields[name])
            for name, part in self.parts.items()
            if jax.tree.leaves(fields[name])
        ]
        return jnp.sum(jnp.stack(each), axis=0)

    def mode(self) -> Genotype:
        """The parts' modes."""
        return self.kind(**{name: part.mode() for name, part in self.parts.items()})

    def mirror(self, genotype: Genotype) -> Genotype:
        """Mirrors every part; refused where one of them has no mirror image."""
        return self.kind(
            **{name: part.mirror(getattr(genotype, name)) for name, part in self.parts.items()}
        )

    def with_std(self, std: Float[Array, ""]) -> "JointGenome":
        """The same with another scale of search noise in every part."""
        return self.replace(parts={name: part.with_std(std) for name, part in self.parts.items()})

    def learned(self) -> "JointGenome":
        """What is learned of every part."""
        return self.replace(parts={name: learned_of(part) for name, part in self.parts.items()})

    def describe(self) -> dict[str, Array]:
        """The parts' figures; an equal name counts once, for the last part that has it."""
        return {
            figure: value
            for part in self.parts.values()
            for figure, value in getattr(part, "describe", dict)().items()
        }

    def natural_gradient(self, gradient: "JointGenome") -> "JointGenome":
        """Every part's own."""
        return self._by_part("natural_gradient", gradient)

    def even_gradient(self, gradient: "JointGenome") -> "JointGenome":
        """Every part's own."""
        return self._by_part("even_gradient", gradient)

    def _by_part(self, function: str, gradient: "JointGenome") -> "JointGenome":
        return self.replace(
            parts={
                name: getattr(part, function)(gradient.parts[name])
                for name, part in self.parts.items()
            }
        )


@final
@dataclasses.dataclass(frozen=True)
class Joint:
    """A genome for each field of a genotype.

    Pairs of a field's name and the specification of its genome.

    Examples:
        >>> import hebbax
        >>> import jax
        >>> shape = hebbax.Hebbian(has_evolved_weights=True).parameters(hebbax.tasks.Point())
        >>> parts = (("rules", hebbax.SharedRules(num_rules=4)), ("weights", hebbax.Normal()))
        >>> genome = hebbax.genomes.Joint(parts).init(jax.random.key(0), shape)
        >>> genome.parts["rules"].rules.shape
        (4, 5)
    """

    parts: tuple[tuple[str, GenomeSpec], ...]
    """The parts by name and their genomes.

    Such as (("rules", SharedRules(rho=128)), ("weights", Normal())) for a plastic policy with
    evolved weights.
    """

    def __post_init__(self) -> None:
        """Refuses what names no genomes."""
        checks.settle(
            self,
            "genome.",
            parts=checks.named(
                checks.having("init", example="Normal()"), '(("filters", Normal()),)'
            ),
        )

    def init(self, key: PRNGKey, genotype_shape: PyTree) -> JointGenome:
        """Makes the parts' first genomes. The key is consumed."""
        if not dataclasses.is_dataclass(genotype_shape):
            raise ValueError(
                f"genome is Joint, but the policy's genotype is a {type(genotype_shape).__name__}, "
                "which has no named parts"
            )
        names = [field.name for field in dataclasses.fields(genotype_shape)]
        specifications = dict(self.parts)
        if set(specifications) != set(names):
            raise ValueError(
                f"genome.parts names {list(specifications)}, but must name each of {names} once"
            )
        parts = {
            name: specifications[name].init(part_key, getattr(genotype_shape, name))
            for name, part_key in zip(names, jax.random.split(key, len(names)), strict=True)
        }
        return JointGenome(parts=parts, kind=type(genotype_shape))
