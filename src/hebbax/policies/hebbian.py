"""The plastic policy: random weights at birth, rules that change them in every step."""

import dataclasses
import itertools
from typing import Any, Literal, final

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from hebbax.policies import feedforward
from hebbax.policies.base import TaskShape
from hebbax.rules.abcd import ABCD
from hebbax.rules.base import Signals
from hebbax.rules.bounds import BOUNDS
from hebbax.types import Parameter, PRNGKey, Struct, checks


@final
class HebbianPhenotype(Struct):
    """What a plastic individual lives with.

    rules: per layer `[coefficients, pre, post]` the numbers of every synapse's rule; then, if there
        are any, those of recurrent synapses, per hidden layer `[coefficients, post, post]`, and of
        biases, per layer `[coefficients, 1, post]`.
    weights: in the same order `[pre, post]` the weights at birth; empty where they are drawn anew
        in every episode.
    """

    rules: tuple[Float[Array, "_coefficients _pre _post"], ...]
    weights: feedforward.Layers


@final
class HebbianMemory(Struct):
    """What a plastic individual remembers.

    weights: per layer `[pre, post]` the weights now, then the recurrent ones, `[post, post]`, and
        the biases, `[1, post]`.
    traces: in the same order what the rule remembers of its own.
    activations: per hidden layer `[post]` those of the step before; `()` without recurrence.
    """

    weights: feedforward.Layers
    traces: tuple[PyTree, ...]
    activations: tuple[Float[Array, " _post"], ...] = ()


@final
@dataclasses.dataclass(frozen=True)
class Hebbian:
    """A network whose memory is its weights; a local rule changes them after every action.

    All layers learn from the activations of the same step.

    Source: Najarro and Risi 2020, https://arxiv.org/abs/2007.02686.

    Examples:
        >>> import hebbax
        >>> policy = hebbax.Hebbian(hidden_sizes=(8,))
        >>> [rules.shape for rules in policy.parameters(hebbax.tasks.Point()).rules]
        [(5, 2, 8), (5, 8, 2)]
    """

    hidden_sizes: tuple[int, ...] = (128, 64)
    """Neurons in each hidden layer."""
    # A `Rule`; the command line reads its options off the object that is there.
    rule: Any = ABCD()
    """How a synapse changes."""
    initial_range: float = 0.1
    """Weights at birth are uniform in [-initial_range, initial_range], new in every episode."""
    has_evolved_weights: bool = False
    """Whether the weights at birth are inherited too, instead of random."""
    bound: Literal["none", "largest", "clip", "row_norm"] = "none"
    """What keeps weights bounded.

    Nothing; division by the largest magnitude of all that leads to a layer, recurrent weights and
    biases included; -1 and 1; or division of what leads to each neuron by its Euclidean length.
    """
    is_output_linear: bool = False
    """Whether the last layer has no tanh."""
    has_biases: bool = False
    """Whether each layer has one more input that is always 1; its weights are plastic too."""
    has_modulator: bool = False
    """Whether the last layer has one more neuron, which modulates rules that ask for it."""
    activation: feedforward.Activation = "tanh"
    """What a hidden layer makes of its sums."""
    is_recurrent: bool = False
    """Whether plastic synapses lead from each hidden layer, as it was a step before, to itself."""

    def __post_init__(self) -> None:
        """Refuses layers without neurons and a negative range."""
        checks.settle(
            self,
            "policy.",
            hidden_sizes=feedforward.hidden_sizes,
            rule=checks.having("coefficients", "init", "update", example="ABCD()"),
            initial_range=checks.not_negative,
            has_evolved_weights=checks.flag,
            bound=checks.choice(*BOUNDS),
            is_output_linear=checks.flag,
            has_biases=checks.flag,
            has_modulator=checks.flag,
            activation=feedforward.activation,
            is_recurrent=checks.flag,
        )
        if self.is_recurrent and not self.hidden_sizes:
            raise ValueError(
                "policy.is_recurrent is True, but policy.hidden_sizes is (), so that there is no "
                "hidden layer; give one or more sizes"
            )
        if getattr(self.rule, "needs_modulator", False) and not self.has_modulator:
            raise ValueError(
                f"policy.rule is {self.rule}, which a neuron modulates, but policy.has_modulator "
                "is False; set it to True"
            )

    def parameters(self, task: TaskShape) -> PyTree:
        """The rules of every synapse, and the weights at birth where they are inherited.

        A bias leads from a group "bias" of one neuron, the same for all layers.
        """
        layers = feedforward.layers(task, self.hidden_sizes, int(self.has_modulator))
        groups = [(layer.shape[1], layer.axes[1]) for layer in layers]
        if self.is_recurrent:
            layers += tuple(
                Parameter((size, size), (name, name), "weight") for size, name in groups[:-1]
            )
        if self.has_biases:
            layers += tuple(Parameter((1, size), ("bias", name), "weight") for size, name in groups)
        names = tuple(self.rule.coefficients)
        phenotype: Any = HebbianPhenotype  # Of parameters here, not of arrays.
        return phenotype(
            rules=tuple(
                Parameter((len(names), *layer.shape), ("coefficient", *layer.axes), "rule", names)
                for layer in layers
            ),
            weights=layers if self.has_evolved_weights else (),
        )

    def reset(self, key: PRNGKey, phenotype: HebbianPhenotype) -> HebbianMemory:
        """The weights at birth. The key is consumed."""
        weights = phenotype.weights
        if not self.has_evolved_weights:
            weights = tuple(
                jax.random.uniform(
                    layer_key,
                    rules.shape[1:],
                    rules.dtype,
                    minval=-self.initial_range,
                    maxval=self.initial_range,
                )
                for layer_key, rules in zip(
                    jax.random.split(key, len(phenotype.rules)), phenotype.rules, strict=True
                )
            )
        sizes = self.hidden_sizes if self.is_recurrent else ()
        return HebbianMemory(
            weights,
            traces=tuple(self.rule.init(layer) for layer in weights),
            activations=tuple(jnp.zeros(size, jnp.float32) for size in sizes),
        )

    def act(
        self,
        phenotype: HebbianPhenotype,
        memory: HebbianMemory,
        observation: Float[Array, "..."],
        reward: Float[Array, ""],
    ) -> tuple[Float[Array, " action"], HebbianMemory]:
        """One forward pass, then one update of every layer from its activations."""
        layers, recurrent, biases = self._parts(memory.weights)
        offsets = itertools.zip_longest(
            (last @ layer for last, layer in zip(memory.activations, recurrent, strict=True)),
            (bias[0] for bias in biases),
            fillvalue=jnp.float32(0),
        )
        activations = feedforward.activations(
            layers,
            observation,
            offsets=[from_before + bias for from_before, bias in offsets],
            activation=self.activation,
            is_output_linear=self.is_output_linear,
        )
        posts, num_recurrent = activations[1:], len(recurrent)
        # In the order of the weights; recurrent synapses have the step before in front of them.
        pairs = [
            *itertools.pairwise(activations),
            *zip(memory.activations, posts[:num_recurrent], strict=True),
            *((jnp.ones(1, jnp.float32), post) for post in posts[: len(biases)]),
        ]
        action, modulation = activations[-1], jnp.float32(1)
        if self.has_modulator:
            action, modulation = action[:-1], action[-1]
        updates = [
            self.rule.update(
                weights, trace, rules, Signals(pre[:, None], post[None, :], reward, modulation)
            )
            for weights, trace, rules, (pre, post) in zip(
                memory.weights, memory.traces, phenotype.rules, pairs, strict=True
            )
        ]
        new_memory = HebbianMemory(
            weights=self._bounded([weights for weights, _ in updates]),
            traces=tuple(trace for _, trace in updates),
            activations=tuple(posts[:num_recurrent]),
        )
        return action, new_memory

    def _parts(self, weights: tuple[Any, ...]) -> tuple[tuple, tuple, tuple]:
        """The layers, their recurrent weights, and their biases."""
        num_layers = len(self.hidden_sizes) + 1
        end = num_layers + (num_layers - 1 if self.is_recurrent else 0)
        return weights[:num_layers], weights[num_layers:end], weights[end:]

    def _bounded(self, weights: list[Array]) -> feedforward.Layers:
        """Weights within their bounds, which hold for all together that lead to a layer."""
        bound = BOUNDS[self.bound]
        indices = self._parts(tuple(range(len(weights))))
        bounded = list(weights)
        for group in itertools.zip_longest(*indices):
            members = [i for i in group if i is not None]
            ends = itertools.accumulate(weights[i].shape[0] for i in members[:-1])
            together = bound(jnp.concatenate([weights[i] for i in members]))
            for i, part in zip(members, jnp.split(together, list(ends)), strict=True):
                bounded[i] = part
        return tuple(bounded)

    def plastic_weights(self, memory: HebbianMemory) -> feedforward.Layers:
        """All layers, then their recurrent weights, then their biases."""
        return memory.weights
