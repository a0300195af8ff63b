"""What a rule is: how the synapses of a layer change after a step."""

from typing import NamedTuple, Protocol

from jaxtyping import Array, Float, PyTree


class Signals(NamedTuple):
    """What a layer's synapses may see when they change.

    pre: `[pre, 1]` activations that enter the layer.
    post: `[1, post]` activations that leave it.
    reward: `[]` of the step before; 0 in the first.
    modulation: `[]` output of the network's modulating neuron; 1 in a network without one.
    """

    pre: Float[Array, "pre 1"]
    post: Float[Array, "1 post"]
    reward: Float[Array, ""]
    modulation: Float[Array, ""] | float = 1.0


class Rule(Protocol):
    """A local learning rule as a frozen specification with pure functions, for one layer.

    coefficients: names of the numbers that every synapse has of its own.
    """

    @property
    def coefficients(self) -> tuple[str, ...]: ...

    def init(self, weights: Float[Array, "pre post"]) -> PyTree:
        """The rule's own memory of a layer when an episode begins; `()` for a rule without one."""
        ...

    def update(
        self,
        weights: Float[Array, "pre post"],
        trace: PyTree,
        coefficients: Float[Array, "coefficients pre post"],
        signals: Signals,
    ) -> tuple[Float[Array, "pre post"], PyTree]:
        """Changes a layer once.

        Args:
            weights: `[pre, post]` the synapses before.
            trace: the rule's own memory before, as `init` made it.
            coefficients: `[coefficients, pre, post]` every synapse's numbers.
            signals: what happened in this step.

        Returns:
            The synapses and the rule's memory after.
        """
        ...
