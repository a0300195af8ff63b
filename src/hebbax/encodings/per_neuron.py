"""Numbers of neurons in place of numbers of synapses."""

import dataclasses
from typing import Any, Literal, NamedTuple, final

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from hebbax.types import Genotype, Parameter, Phenotype, PRNGKey, Wiring, checks

ABCD = ("eta", "A", "B", "C", "D")


class Sides(NamedTuple):
    """What the neurons on both sides of a layer have; None for a side that has nothing.

    pre: `[..., pre]` of those that it comes from.
    post: `[..., post]` of those that it leads to.
    """

    pre: Any
    post: Any


class Neurons(NamedTuple):
    """What each group of neurons has, and all arrays that are no rules, in the tree's order."""

    groups: dict[str, Any]
    others: list[Any]


@final
@dataclasses.dataclass(frozen=True)
class PerNeuron:
    """Every synapse's rule is made of what the two neurons that it joins have.

    "sum" adds a number of the neuron before to one of the neuron behind, layer by layer, for rules,
    weights and kernels; arrays of one axis, such as biases, stand in the genotype as they are.

        theta_ij = p_i + q_j

    "nchl", neuron-centric Hebbian learning, gives every neuron five numbers for all its synapses,
    for `ABCD` alone; those of the input have no B, and those of the output no A. What is no rule
    stands in the genotype as it is.

        eta_ij = (eta_i + eta_j) / 2,  A_ij = C_i C_j,  B_ij = A_i,  C_ij = B_j,  D_ij = D_i D_j

    on the left as `ABCD` names them, on the right as the source does.

    Source: Ferigo, Cunegatti and Iacca 2024, "Neuron-centric Hebbian learning",
    https://arxiv.org/abs/2403.12076, for "nchl".

    Examples:
        >>> import hebbax
        >>> policy = hebbax.Hebbian(hidden_sizes=(8,))
        >>> encoding = hebbax.encodings.PerNeuron()
        >>> shape = encoding.genotype_shape(policy.parameters(hebbax.tasks.Point()))
        >>> [side.shape for side in shape.rules[0]]
        [(5, 2), (5, 8)]
    """

    combine: Literal["sum", "nchl"] = "sum"
    """How a synapse's numbers are made of its neurons'."""
    side: Literal["both", "pre", "post"] = "both"
    """Whose numbers are added, for "sum"."""

    def __post_init__(self) -> None:
        """Refuses other ways to combine them."""
        checks.settle(
            self,
            "encoding.",
            combine=checks.choice("sum", "nchl"),
            side=checks.choice("both", "pre", "post"),
        )
        if self.combine == "nchl" and self.side != "both":
            raise ValueError(
                f"encoding.side is {self.side!r}, but must be 'both' where encoding.combine is "
                "'nchl'"
            )

    @property
    def reads_each_step(self) -> bool:
        """Synapses' numbers are made where they are needed, and never stored."""
        return True

    def wire(self, key: PRNGKey, parameters: PyTree) -> Wiring:
        """Nothing is drawn. The key is consumed."""
        return ()

    def genotype_shape(self, parameters: PyTree) -> PyTree:
        """What the neurons have."""
        if self.combine == "sum":
            return jax.tree.map(self._sides, parameters)
        groups: dict[str, set[str]] = {}
        sizes, others = {}, []
        for leaf in jax.tree.leaves(parameters):
            if leaf.kind != "rule":
                others.append(leaf)
                continue
            if leaf.names != ABCD:
                raise ValueError(
                    f"encoding.combine is 'nchl', but a rule has the coefficients {leaf.names}; "
                    f"it needs {ABCD}, those of ABCD"
                )
            for group, size, own in zip(leaf.axes[1:], leaf.shape[1:], "AB", strict=True):
                groups.setdefault(group, {"eta", "C", "D"}).add(own)
                sizes[group] = size
        return Neurons(
            {
                group: {name: Parameter((sizes[group],), (group,), "rule") for name in names}
                for group, names in groups.items()
            },
            others,
        )

    def express(self, parameters: PyTree, wiring: Wiring, genotype: Genotype) -> Genotype:
        """The neurons' numbers."""
        return genotype

    def read(self, parameters: PyTree, wiring: Wiring, kept: Any) -> Phenotype:
        """The synapses' numbers."""
        if self.combine == "sum":
            return jax.tree.map(_add, parameters, kept)
        others = iter(kept.others)
        return jax.tree.map(
            lambda leaf: _combine(leaf, kept.groups) if leaf.kind == "rule" else next(others),
            parameters,
        )

    def _sides(self, leaf: Parameter) -> Sides | Parameter:
        if leaf.ndim < 2:
            return leaf
        *rest, pre, post = leaf.shape
        *axes, before, behind = leaf.axes
        return Sides(
            Parameter((*rest, pre), (*axes, before), leaf.kind, leaf.names)
            if self.side != "post"
            else None,
            Parameter((*rest, post), (*axes, behind), leaf.kind, leaf.names)
            if self.side != "pre"
            else None,
        )


def _add(leaf: Parameter, part: Any) -> Array:
    if leaf.ndim < 2:
        return part
    pre = 0.0 if part.pre is None else part.pre[..., :, None]
    post = 0.0 if part.post is None else part.post[..., None, :]
    return jnp.broadcast_to(pre + post, leaf.shape)


def _combine(leaf: Parameter, groups: dict[str, Any]) -> Float[Array, "5 pre post"]:
    pre, post = (groups[group] for group in leaf.axes[1:])
    pre = {name: values[:, None] for name, values in pre.items()}
    post = {name: values[None, :] for name, values in post.items()}
    coefficients = [
        0.5 * (pre["eta"] + post["eta"]),
        pre["C"] * post["C"],
        pre["A"],
        post["B"],
        pre["D"] * post["D"],
    ]
    return jnp.stack([jnp.broadcast_to(each, leaf.shape[1:]) for each in coefficients])
