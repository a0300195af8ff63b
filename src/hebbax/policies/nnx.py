"""Networks written in Flax's nnx, whose parameters evolve."""

import dataclasses
import functools
from typing import Any, final

import jax
from flax import nnx
from jaxtyping import Array, Float, PyTree

from hebbax.policies.base import TaskShape
from hebbax.policies.flax import evolving
from hebbax.types import Memory, PRNGKey, checks


@final
@dataclasses.dataclass(frozen=True)
class NNX:
    """A network of Flax's nnx, whose parameters are inherited and fixed.

    What `network(**arguments, rngs=...)` makes is called with an observation and returns an action.
    If it has `initialize_carry`, as nnx's cells have it, it is called with its carry and the
    observation and returns both; the carry is what it remembers.

        class Network(nnx.Module):
            def __init__(self, num_hidden, rngs):
                self.hidden = nnx.Linear(28, num_hidden, rngs=rngs)
                self.action = nnx.Linear(num_hidden, 8, rngs=rngs)

            def __call__(self, observation):
                return nnx.tanh(self.action(nnx.tanh(self.hidden(observation))))

        policy = NNX(Network, (("num_hidden", 32),))

    Examples:
        >>> import hebbax
        >>> from flax import nnx
        >>> sizes = (("in_features", 2), ("out_features", 2))
        >>> policy = hebbax.policies.NNX(nnx.Linear, sizes)
        >>> sorted(policy.parameters(hebbax.tasks.Point()))
        ['bias', 'kernel']
    """

    network: Any
    """A class derived from nnx.Module."""
    arguments: tuple[tuple[str, Any], ...] = ()
    """What it is made with, by name: numbers, texts and tuples."""

    def __post_init__(self) -> None:
        """Refuses what is no class of nnx."""
        if not (isinstance(self.network, type) and issubclass(self.network, nnx.Module)):
            given = (
                f"a {type(self.network).__name__}, made already"
                if isinstance(self.network, nnx.Module)
                else repr(self.network)
            )
            raise ValueError(
                f"policy.network is {given}, but must be a class derived from flax.nnx.Module; "
                "what it is made with goes into policy.arguments, and modules of flax.linen into "
                "Flax"
            )
        pairs = checks.named(lambda _, value: value, '(("num_hidden", 32),)')
        checks.settle(self, "policy.", arguments=pairs)

    def parameters(self, task: TaskShape) -> PyTree:
        """The module's parameters by their dotted names.

        Raises:
            ValueError: if it has variables that are no parameters, such as running means, or
                parameters that are not float32.
        """
        _, params, others = _split(self)
        if kinds := sorted({type(other).__name__ for other in others}):
            raise ValueError(
                f"policy.network has variables of {', '.join(kinds)}, but only parameters "
                "(nnx.Param) can evolve"
            )
        shapes = dict(zip(_names(params), jax.tree.leaves(params), strict=True))
        return evolving(shapes, "policy.network")

    def reset(self, key: PRNGKey, phenotype: PyTree) -> Memory:
        """The first carry, or nothing. The key is consumed."""
        module = self._module(phenotype)
        if not hasattr(module, "initialize_carry"):
            return ()
        # Cells ask for the shape of an input, whose size does not matter to them.
        return module.initialize_carry((1,), rngs=nnx.Rngs(key))

    def act(
        self,
        phenotype: PyTree,
        memory: Memory,
        observation: Float[Array, "..."],
        reward: Float[Array, ""],
    ) -> tuple[Float[Array, " action"], Memory]:
        """One call of the module."""
        module = self._module(phenotype)
        if not hasattr(module, "initialize_carry"):
            return module(observation), memory
        new_memory, action = module(memory, observation)
        return action, new_memory

    def plastic_weights(self, memory: Memory) -> tuple[()]:
        """None: parameters do not change."""
        return ()

    def _module(self, phenotype: PyTree) -> Any:
        """The module with the numbers of an individual."""
        graph, params, _ = _split(self)
        leaves = [phenotype[name] for name in _names(params)]
        return nnx.merge(graph, jax.tree.unflatten(jax.tree.structure(params), leaves))


@functools.lru_cache(maxsize=16)
def _split(policy: NNX) -> tuple[Any, Any, list[Any]]:
    """What a module consists of, the shapes of its parameters, and its other variables."""
    module = nnx.eval_shape(lambda: policy.network(**dict(policy.arguments), rngs=nnx.Rngs(0)))
    graph, params, others = nnx.split(module, nnx.Param, ...)
    is_variable = lambda leaf: isinstance(leaf, nnx.Variable)  # noqa: E731
    return graph, params, jax.tree.leaves(others, is_leaf=is_variable)


def _names(params: Any) -> list[str]:
    """Dotted names of parameters, in the order of their leaves."""
    paths = [path for path, _ in jax.tree_util.tree_leaves_with_path(params)]
    return [
        ".".join(
            str(getattr(part, "key", getattr(part, "name", part))) for part in path
        ).removesuffix(".value")
        for path in paths
    ]
