"""How the weights of a layer change after one forward pass, and what keeps them bounded.

Source: Soltoggio et al. 2007 for the ABCD rule; Najarro and Risi 2020,
https://arxiv.org/abs/2007.02686, for rules that are evolved.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

COEFFICIENTS = ("eta", "A", "B", "C", "D")


def update_weights(
    weights: Float[Array, "pre post"],
    rules: Float[Array, "5 pre post"],
    pre: Float[Array, " pre"],
    post: Float[Array, " post"],
) -> Float[Array, "pre post"]:
    """Applies every synapse's rule once.

        w_ij + eta_ij (A_ij o_i o_j + B_ij o_i + C_ij o_j + D_ij)

    Args:
        weights: `[pre, post]` the synapses before the update.
        rules: `[5, pre, post]` the coefficients (eta, A, B, C, D) of every synapse.
        pre: `[pre]` o_i, the activation that enters the layer.
        post: `[post]` o_j, the activation that leaves it.

    Returns:
        The synapses after the update.

    Source: eq. 1 of Palm et al. 2021, https://arxiv.org/abs/2011.06811.
    """
    # Multiplied first, the rates and the other coefficients are the same at every step, and XLA
    # computes their products once in a lifetime.
    a, b, c, d = rules[:1] * rules[1:]
    o_i, o_j = pre[:, None], post[None, :]
    return weights + (o_i * (a * o_j + b) + (c * o_j + d))


def divide_by_largest(weights: Float[Array, "pre post"]) -> Float[Array, "pre post"]:
    """Divides a layer by its largest magnitude, so that all its weights are in [-1, 1].

    A layer of zeros stays as it is.
    """
    largest = jnp.max(jnp.abs(weights))
    return weights / jnp.where(largest > 0, largest, jnp.ones_like(largest))
