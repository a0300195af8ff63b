"""The plastic policy: random weights at birth, rules that change them at every step."""

import dataclasses
from typing import Any, final

import jax
from jaxtyping import Array, Float, PyTree

from hebbax import checks, plasticity
from hebbax.policies import feedforward
from hebbax.policies.base import TaskShape
from hebbax.types import PRNGKey, Struct


@final
class HebbianGenotype(Struct):
    """What a plastic individual inherits.

    rules: per layer `[5, pre, post]` the coefficients (eta, A, B, C, D) of every synapse.
    weights: per layer `[pre, post]` the weights at birth; empty where they are drawn anew in every
        lifetime.
    """

    rules: tuple[Float[Array, "5 _pre _post"], ...]
    weights: feedforward.Layers


@final
@dataclasses.dataclass(frozen=True)
class Hebbian:
    """A network whose memory is its weights; they learn by the ABCD rule after every action.

    All layers learn from the activations of the same step. The network sees no reward.

    Source: Najarro and Risi 2020, https://arxiv.org/abs/2007.02686.
    """

    hidden_sizes: tuple[int, ...] = (128, 64)
    """Neurons in each hidden layer."""
    initial_range: float = 0.1
    """Weights at birth are uniform in [-initial_range, initial_range], new in every lifetime."""
    has_evolved_weights: bool = False
    """Whether the weights at birth are inherited too, instead of random."""
    is_bounded: bool = False
    """Whether each layer's weights are divided by their largest magnitude after every update."""
    is_output_linear: bool = False
    """Whether actions are what the last layer says before tanh."""

    def __post_init__(self) -> None:
        """Refuses layers without neurons and a negative range."""
        checks.settle(
            self,
            "policy.",
            hidden_sizes=feedforward.hidden_sizes,
            initial_range=checks.not_negative,
            has_evolved_weights=checks.flag,
            is_bounded=checks.flag,
            is_output_linear=checks.flag,
        )

    def genotype_shape(self, task: TaskShape) -> PyTree:
        """The rules of every synapse, and the weights at birth where they are inherited."""
        shapes = feedforward.layer_shapes(task, self.hidden_sizes)
        genotype: Any = HebbianGenotype  # Of shapes here, not of arrays.
        return genotype(
            rules=feedforward.float_shapes(
                [(len(plasticity.COEFFICIENTS), *shape) for shape in shapes]
            ),
            weights=feedforward.float_shapes(shapes if self.has_evolved_weights else []),
        )

    def reset(self, key: PRNGKey, genotype: HebbianGenotype) -> feedforward.Layers:
        """The weights at birth. The key is consumed."""
        if self.has_evolved_weights:
            return genotype.weights
        keys = jax.random.split(key, len(genotype.rules))
        return tuple(
            jax.random.uniform(
                layer_key,
                rules.shape[1:],
                rules.dtype,
                minval=-self.initial_range,
                maxval=self.initial_range,
            )
            for layer_key, rules in zip(keys, genotype.rules, strict=True)
        )

    def act(
        self,
        genotype: HebbianGenotype,
        memory: feedforward.Layers,
        observation: Float[Array, "..."],
    ) -> tuple[Float[Array, " action"], feedforward.Layers]:
        """One forward pass, then one update of every layer from what it just said."""
        said = feedforward.activations(memory, observation, is_output_linear=self.is_output_linear)
        learnt = tuple(
            self._learn(weights, rules, pre, post)
            for weights, rules, pre, post in zip(
                memory, genotype.rules, said[:-1], said[1:], strict=True
            )
        )
        return said[-1], learnt

    def _learn(self, weights: Array, rules: Array, pre: Array, post: Array) -> Array:
        weights = plasticity.update_weights(weights, rules, pre, post)
        return plasticity.divide_by_largest(weights) if self.is_bounded else weights
