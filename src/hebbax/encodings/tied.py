"""Few numbers that many synapses share, by a random assignment that stays."""

import dataclasses
import math
from typing import Literal, final

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PyTree

from hebbax.types import Genotype, Parameter, Phenotype, PRNGKey, Struct, Wiring, checks
from hebbax.types.assignments import assign_evenly


class Sharing(Struct):
    """Who shares what.

    assignment: `[places]` which row of the table each place reads.
    signs: `[places]` 1 or -1, by which what it reads is multiplied; None where all are 1.
    """

    assignment: Int[Array, " places"]
    signs: Float[Array, " places"] | None


@final
@dataclasses.dataclass(frozen=True)
class Tied:
    """A table of a few rules, and a random assignment that says which synapse has which.

    Places are synapses for rules and weights, neurons for biases, and a kernel's numbers for
    filters. Each kind has a table of its own, of which all rows are shared by as many places, to
    within one. The assignment is drawn when a run begins. It is no part of the genotype: search
    noise is on the table alone, and no optimiser moves who shares what.

    Source: the genomic bottleneck of Palm et al. 2021, https://arxiv.org/abs/2011.06811, without an
    assignment that evolves.

    Examples:
        >>> import hebbax
        >>> policy = hebbax.Hebbian(hidden_sizes=(8,))
        >>> encoding = hebbax.encodings.Tied(rho=16)
        >>> shape = encoding.genotype_shape(policy.parameters(hebbax.tasks.Point()))
        >>> shape["rule"].shape
        (5, 2)
    """

    rho: float | None = None
    """Places that share a row; instead of `num_rules`."""
    num_rules: int | None = None
    """Rows of each table; instead of `rho`."""
    is_signed: bool = False
    """Whether each place has a random sign, by which its row but for a rate is multiplied."""
    by: Literal["network", "layer"] = "network"
    """Whether all arrays of a kind share a table, or each has its own."""
    assignment_seed: int | None = None
    """The seed of the assignment; drawn from the run's own if None."""

    def __post_init__(self) -> None:
        """Refuses tables of no size, or of two."""
        checks.settle(
            self,
            "encoding.",
            rho=checks.optional(checks.number("1 or more", lambda value: value >= 1)),
            num_rules=checks.optional(checks.integer(at_least=1)),
            is_signed=checks.flag,
            by=checks.choice("network", "layer"),
            assignment_seed=checks.optional(
                checks.integer(at_most=2**32 - 1, allowed="between 0 and 2^32 - 1")
            ),
        )
        if (self.rho is None) == (self.num_rules is None):
            raise ValueError(
                f"encoding.rho is {self.rho} and encoding.num_rules is {self.num_rules}, but one "
                "of both must be given"
            )

    @property
    def reads_each_step(self) -> bool:
        """Places read the table once, before an individual's episodes."""
        return False

    def wire(self, key: PRNGKey, parameters: PyTree) -> Wiring:
        """Draws who shares what. The key is consumed."""
        if self.assignment_seed is not None:
            key = jax.random.key(self.assignment_seed)
        tables = self.genotype_shape(parameters)
        pools = self._pools(parameters)
        return {
            name: self._share(table_key, sum(map(_num_places, pools[name])), tables[name].shape[-1])
            for name, table_key in zip(
                sorted(pools), jax.random.split(key, len(pools)), strict=True
            )
        }

    def genotype_shape(self, parameters: PyTree) -> dict[str, Parameter]:
        """The tables: by kind, or by the array's place in the tree."""
        tables = {}
        for name, leaves in self._pools(parameters).items():
            first, places = leaves[0], sum(map(_num_places, leaves))
            rows = self.num_rules or max(1, round(places / (self.rho or 1)))
            lead = first.shape[:1] if _has_coefficients(first) else ()
            axes = ("coefficient", "") if lead else ("",)
            tables[name] = Parameter((*lead, rows), axes, first.kind, first.names)
        return tables

    def express(self, parameters: PyTree, wiring: Wiring, genotype: Genotype) -> Phenotype:
        """Reads the tables into the network's arrays."""
        leaves, structure = jax.tree.flatten_with_path(parameters)
        tables = self.genotype_shape(parameters)
        read = {
            name: _read(table, wiring[name], tables[name].names) for name, table in genotype.items()
        }
        begins, arrays = dict.fromkeys(read, 0), []
        for path, leaf in leaves:
            name = self._pool_of(path, leaf)
            begin, end = begins[name], begins[name] + _num_places(leaf)
            arrays.append(read[name][..., begin:end].reshape(leaf.shape))
            begins[name] = end
        return structure.unflatten(arrays)

    def read(self, parameters: PyTree, wiring: Wiring, kept: Phenotype) -> Phenotype:
        """What was expressed."""
        return kept

    def _share(self, key: PRNGKey, num_places: int, num_rows: int) -> Sharing:
        assignment_key, sign_key = jax.random.split(key)
        signs = None
        if self.is_signed:
            signs = jax.random.rademacher(sign_key, (num_places,), jnp.float32)
        return Sharing(assign_evenly(assignment_key, num_places, num_rows), signs)

    def _pools(self, parameters: PyTree) -> dict[str, list[Parameter]]:
        """The arrays that share each table, in the tree's order."""
        pools: dict[str, list[Parameter]] = {}
        for path, leaf in jax.tree.leaves_with_path(parameters):
            pools.setdefault(self._pool_of(path, leaf), []).append(leaf)
        return pools

    def _pool_of(self, path: tuple, leaf: Parameter) -> str:
        return leaf.kind if self.by == "network" else jax.tree_util.keystr(path).lstrip(".")


def _read(
    table: Float[Array, "*coefficients rows"], sharing: Sharing, names: tuple[str, ...]
) -> Float[Array, "..."]:
    values = table[..., sharing.assignment]
    if sharing.signs is None:
        return values
    signs = jnp.broadcast_to(sharing.signs, values.shape)
    # The sign of a rate beside that of what it multiplies would change nothing.
    is_rate = np.array([name == "eta" for name in names] or [False])
    return jnp.where(is_rate.reshape(-1, *[1] * (values.ndim - 1)), values, signs * values)


def _has_coefficients(leaf: Parameter) -> bool:
    return leaf.axes[:1] == ("coefficient",)


def _num_places(leaf: Parameter) -> int:
    """Synapses of a rule's or a weight's array, or numbers of another."""
    return math.prod(leaf.shape[1:] if _has_coefficients(leaf) else leaf.shape)
