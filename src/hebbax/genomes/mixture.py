"""The log-density of a Gaussian mixture for many synapses, and its gradient, a few synapses at a time.

    log p(h) = sum_i logsumexp_k(log softmax(logits_i)_k + log N(h_i; rules_k, std^2 I))

A population's gradient takes `population x n x k` responsibilities r, of which never more than a block of synapses of one individual exist:

    d / d logits_ik = r_ik - softmax(logits_i)_k,    d / d rules_k = sum_i r_ik (h_i - rules_k) / std^2

Source: Palm et al. 2021, section 3.4, https://arxiv.org/abs/2011.06811.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

BLOCK = 2**16  # Synapses x rules that are worked on at a time: they fit a core's cache with what is made of them.


@jax.custom_vjp
def log_densities(
    logits: Float[Array, "n k"], rules: Float[Array, "k d"], std: Float[Array, ""], synapses: Float[Array, "population n d"]
) -> Float[Array, " population"]:
    """The log-densities of a population; differentiable in `logits` and `rules` alone.

    Args:
        logits: `[n, k]` unnormalised log-probability that a synapse uses a rule.
        rules: `[k, d]` the components' means.
        std: `[]` their spread.
        synapses: `[population, n, d]` the individuals' own rules.
    """

    def of_block(block: tuple[Array, Array, Array]) -> Array:
        logits, is_there, synapses = block
        log_weights = jax.nn.log_softmax(logits)

        def of_individual(synapses: Array) -> Array:
            return jnp.sum(jnp.where(is_there, jax.nn.logsumexp(_joint(log_weights, rules, std, synapses), axis=1), 0.0))

        return jax.lax.map(of_individual, synapses)

    sums = jnp.sum(jax.lax.map(of_block, _blocks(logits, synapses)), axis=0)
    num_synapses, num_coefficients = synapses.shape[1:]
    return sums - num_synapses * num_coefficients * (jnp.log(std) + 0.5 * jnp.log(2 * jnp.pi))


def _forward(logits: Array, rules: Array, std: Array, synapses: Array) -> tuple[Array, tuple[Array, Array, Array, Array]]:
    return log_densities(logits, rules, std, synapses), (logits, rules, std, synapses)


def _backward(saved: tuple[Array, Array, Array, Array], weights: Float[Array, " population"]) -> tuple[Array, Array, Array, Array]:
    """The gradient of the weighted sum of the log-densities."""
    logits, rules, std, synapses = saved
    num_synapses = logits.shape[0]

    def of_block(rules_gradient: Array, block: tuple[Array, Array, Array]) -> tuple[Array, Array]:
        logits, is_there, synapses = block
        log_weights = jax.nn.log_softmax(logits)

        def add_individual(sums: tuple[Array, Array], individual: tuple[Array, Array]) -> tuple[tuple[Array, Array], None]:
            responsibilities, rules_gradient = sums
            weight, synapses = individual
            joint = _joint(log_weights, rules, std, synapses)
            shifted = jnp.exp(joint - jnp.max(joint, axis=1, keepdims=True))
            scale = jnp.where(is_there, weight, 0.0) / jnp.sum(shifted, axis=1)
            weighted = shifted * scale[:, None]
            moments = weighted.T @ synapses - jnp.sum(weighted, axis=0)[:, None] * rules
            return (responsibilities + weighted, rules_gradient + moments), None

        start = (jnp.zeros_like(logits), rules_gradient)
        (responsibilities, rules_gradient), _ = jax.lax.scan(add_individual, start, (weights, synapses))
        return rules_gradient, responsibilities - jnp.sum(weights) * jnp.exp(log_weights)

    rules_gradient, logits_gradient = jax.lax.scan(of_block, jnp.zeros_like(rules), _blocks(logits, synapses))
    logits_gradient = logits_gradient.reshape(-1, logits.shape[1])[:num_synapses]
    return logits_gradient, rules_gradient / jnp.square(std), jnp.zeros_like(std), jnp.zeros_like(synapses)


log_densities.defvjp(_forward, _backward)


def _joint(
    log_weights: Float[Array, "block k"], rules: Float[Array, "k d"], std: Float[Array, ""], synapses: Float[Array, "block d"]
) -> Float[Array, "block k"]:
    """Log-weights plus log-densities of all components, but for the normalisation that they share.

    Differences before squares: the expanded square would lose what a small std makes of them.
    """
    distances = sum(jnp.square(synapses[:, d, None] - rules[None, :, d]) for d in range(rules.shape[1]))
    return log_weights - 0.5 * distances / jnp.square(std)


def _blocks(logits: Float[Array, "n k"], synapses: Float[Array, "population n d"]) -> tuple[Array, Array, Array]:
    """Cuts the synapses into blocks: logits, whether a synapse is there or fills up the last block, and the individuals' rules."""
    num_synapses, num_rules = logits.shape
    size = min(num_synapses, max(1, BLOCK // num_rules))
    num_blocks = -(-num_synapses // size)
    missing = num_blocks * size - num_synapses
    is_there = jnp.arange(num_blocks * size).reshape(num_blocks, size) < num_synapses
    logits = jnp.pad(logits, ((0, missing), (0, 0))).reshape(num_blocks, size, num_rules)
    synapses = jnp.pad(synapses, ((0, 0), (0, missing), (0, 0))).reshape(synapses.shape[0], num_blocks, size, -1)
    return logits, is_there, jnp.moveaxis(synapses, 1, 0)
