"""Networks written in Flax's linen, whose parameters evolve."""

import dataclasses
from typing import Any, final

import jax
import jax.numpy as jnp
from flax import errors, linen
from jaxtyping import Array, Float, PyTree

from hebbax.policies.base import TaskShape
from hebbax.types import Memory, Parameter, PRNGKey


@final
@dataclasses.dataclass(frozen=True)
class Flax:
    """A network of Flax's linen, whose parameters are inherited and fixed.

    The module is called with an observation and returns an action. A module with
    `initialize_carry(key, shape)`, as linen's cells have it, is called with its carry and the
    observation and returns both; the carry is what it remembers. The shape says nothing.

        class Network(linen.Module):
            @linen.compact
            def __call__(self, observation):
                hidden = linen.tanh(linen.Dense(32)(observation))
                return linen.tanh(linen.Dense(8)(hidden))

        policy = Flax(Network())

    Examples:
        >>> import hebbax
        >>> from flax import linen
        >>> policy = hebbax.policies.Flax(linen.Dense(features=2))
        >>> sorted(policy.parameters(hebbax.tasks.Point()))
        ['bias', 'kernel']
    """

    module: Any
    """The module. A run can be read back if its fields are numbers, texts, tuples and modules."""

    def __post_init__(self) -> None:
        """Refuses what is no module of linen."""
        if not isinstance(self.module, linen.Module):
            kind = type(self.module)
            given = f"a {kind.__name__}" if kind.__module__.startswith("flax.") else self.module
            raise ValueError(
                f"policy.module is {given!r}, but must be a module of flax.linen, an "
                "instance of a class derived from linen.Module; classes of nnx go to NNX"
            )

    def parameters(self, task: TaskShape) -> PyTree:
        """The module's parameters.

        Raises:
            ValueError: if it has variables that are no parameters, such as running means, or
                parameters that are not float32.
        """

        def init(observation: Float[Array, "..."]) -> PyTree:
            parameter_key, carry_key = jax.random.split(jax.random.key(0))
            inputs = self._inputs(self._carry(carry_key), observation)
            return self.module.init(parameter_key, *inputs)

        observation = jax.ShapeDtypeStruct(tuple(task.observation_shape), jnp.float32)
        variables = jax.eval_shape(init, observation)
        if others := sorted(set(variables) - {"params"}):
            raise ValueError(
                f"policy.module has variables of {', '.join(others)}, but only parameters "
                "(params) can evolve"
            )
        return evolving(variables.get("params", {}), "policy.module")

    def reset(self, key: PRNGKey, phenotype: PyTree) -> Memory:
        """The first carry, or nothing. The key is consumed."""
        return self._carry(key)

    def act(
        self,
        phenotype: PyTree,
        memory: Memory,
        observation: Float[Array, "..."],
        reward: Float[Array, ""],
    ) -> tuple[Float[Array, " action"], Memory]:
        """One call of the module."""
        result = self.module.apply({"params": phenotype}, *self._inputs(memory, observation))
        if not self._is_recurrent:
            return result, memory
        new_memory, action = result
        return action, new_memory

    def plastic_weights(self, memory: Memory) -> tuple[()]:
        """None: parameters do not change."""
        return ()

    @property
    def _is_recurrent(self) -> bool:
        return hasattr(self.module, "initialize_carry")

    def _carry(self, key: PRNGKey) -> Memory:
        if not self._is_recurrent:
            return ()
        # Cells ask for the shape of a batch, of which there is none, and of an input, whose size
        # does not matter to them. Applied, the module has the cells that it makes in `setup`.
        try:
            return self.module.apply({}, key, (1,), method="initialize_carry")
        except (errors.FlaxError, AssertionError, AttributeError) as error:
            raise ValueError(
                f"policy.module.initialize_carry cannot be run: {type(error).__name__} {error}; "
                "make the cell in setup, or with parent=None, or return zeros"
            ) from error

    def _inputs(self, memory: Memory, observation: Float[Array, "..."]) -> tuple:
        return (memory, observation) if self._is_recurrent else (observation,)


def evolving(shapes: PyTree, name: str) -> PyTree:
    """Parameters of the shapes of a module's.

    Args:
        shapes: of its parameters.
        name: of the field with the module.

    Raises:
        ValueError: if one is not float32.
    """

    def parameter(path: Any, leaf: Any) -> Parameter:
        if leaf.dtype != jnp.float32:
            raise ValueError(
                f"{name} has a parameter {jax.tree_util.keystr(path)} of {leaf.dtype}, but only "
                "float32 can evolve; give its layers param_dtype=float32"
            )
        # Flax names no neurons; a single axis is that of biases.
        return Parameter(leaf.shape, ("",) * leaf.ndim, "bias" if leaf.ndim == 1 else "weight")

    return jax.tree_util.tree_map_with_path(parameter, shapes)
