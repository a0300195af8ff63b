"""A Gaussian mixture's log-density for many synapses, and its gradient, block by block.

    log p(h) = sum_i logsumexp_k(log softmax(logits_i)_k + log N(h_i; rules_k, std^2 I))

A population's gradient takes `population x n x k` responsibilities r, of which never more than
those of one individual in a block of synapses exist:

    d / d logits_ik = r_ik - softmax(logits_i)_k
    d / d rules_k = sum_i r_ik (h_i - rules_k) / std^2

Source: Palm et al. 2021, section 3.4, https://arxiv.org/abs/2011.06811.
"""

import functools
import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from hebbax import platforms

# A sum of densities, relative to a rule's own peak, that loses nothing yet to numbers too small for
# float32.
SMALLEST_SUM = 1e-25


@jax.custom_vjp
def log_densities(
    logits: Float[Array, "n k"],
    rules: Float[Array, "k d"],
    std: Float[Array, ""],
    synapses: Float[Array, "population n d"],
) -> Float[Array, " population"]:
    """The log-densities of a population; differentiable in `logits` and `rules` alone.

    Args:
        logits: `[n, k]` unnormalised log-probability that a synapse uses a rule.
        rules: `[k, d]` the components' means.
        std: `[]` their spread.
        synapses: `[population, n, d]` the individuals' own rules.
    """
    rules, individuals = _scale(rules, std).T, jnp.swapaxes(_scale(synapses, std), 1, 2)
    size, num_blocks = _blocks(logits)

    def add_block(
        i: Int[Array, ""], sums: Float[Array, " population"]
    ) -> Float[Array, " population"]:
        start, is_new = _block(i, size, logits.shape[0])
        log_weights = jax.nn.log_softmax(jax.lax.dynamic_slice_in_dim(logits, start, size))

        def of_individual(synapses: Float[Array, "d block"]) -> Float[Array, ""]:
            densities = jax.nn.logsumexp(_log_joint(log_weights, rules, synapses), axis=1)
            return jnp.sum(jnp.where(is_new, densities, 0.0))

        return sums + jax.lax.map(
            of_individual, jax.lax.dynamic_slice_in_dim(individuals, start, size, axis=2)
        )

    sums = jax.lax.fori_loop(0, num_blocks, add_block, jnp.zeros(synapses.shape[0], logits.dtype))
    num_synapses, num_coefficients = synapses.shape[1:]
    # What all components have in common.
    return sums - num_synapses * num_coefficients * (jnp.log(std) + 0.5 * jnp.log(2 * jnp.pi))


def _forward(
    logits: Array, rules: Array, std: Array, synapses: Array
) -> tuple[Array, tuple[Array, Array, Array, Array]]:
    return log_densities(logits, rules, std, synapses), (logits, rules, std, synapses)


def _backward(
    saved: tuple[Array, Array, Array, Array], weights: Float[Array, " population"]
) -> tuple[Array, Array, Array, Array]:
    """The gradient of the weighted sum of the log-densities.

    Densities are summed as they are. Only if somewhere all are so small that they vanish, which is
    not so in a mixture's own samples, is everything summed once more, relative to the largest
    density of each sum, which takes another pass to find.
    """
    logits, rules, std, synapses = saved
    rules, individuals = _scale(rules, std).T, jnp.swapaxes(_scale(synapses, std), 1, 2)
    num_synapses, num_rules = logits.shape
    size, num_blocks = _blocks(logits)

    def add_block(
        is_relative: bool, i: Int[Array, ""], found: tuple[Array, Array, Array]
    ) -> tuple[Array, Array, Array]:
        logits_gradient, moments, least = found
        start, is_new = _block(i, size, num_synapses)
        log_weights = jax.nn.log_softmax(jax.lax.dynamic_slice_in_dim(logits, start, size))

        def add_individual(
            found: tuple[Array, Array, Array], individual: tuple[Array, Array]
        ) -> tuple[tuple[Array, Array, Array], None]:
            responsibilities, moments, least = found
            weight, synapses = individual
            log_joint = _log_joint(log_weights, rules, synapses)
            if is_relative:
                log_joint = log_joint - jnp.max(log_joint, axis=1, keepdims=True)
            joint = jnp.exp(log_joint)
            sums = jnp.sum(joint, axis=1)
            # r_ik = joint_ik / sums_i, times the individual's weight.
            scale = weight / sums
            # A one beside the coefficients: its moment is the sum of the responsibilities.
            coefficients = jnp.concatenate([synapses, jnp.ones_like(synapses[:1])])
            added = (coefficients * jnp.where(is_new, scale, 0.0)[None]) @ joint
            found = (
                responsibilities + joint * scale[:, None],
                moments + added,
                jnp.minimum(least, jnp.min(sums)),
            )
            return found, None

        none_yet = jnp.zeros((size, num_rules), logits.dtype)
        block = jax.lax.dynamic_slice_in_dim(individuals, start, size, axis=2)
        (responsibilities, moments, least), _ = jax.lax.scan(
            add_individual, (none_yet, moments, least), (weights, block)
        )
        gradient = responsibilities - jnp.sum(weights) * jnp.exp(log_weights)
        return (
            jax.lax.dynamic_update_slice_in_dim(logits_gradient, gradient, start, axis=0),
            moments,
            least,
        )

    def add_all(is_relative: bool, logits_gradient: Array) -> tuple[Array, Array, Array]:
        no_moments = jnp.zeros((rules.shape[0] + 1, num_rules), logits.dtype)
        nothing_yet = (logits_gradient, no_moments, jnp.asarray(jnp.inf, logits.dtype))
        return jax.lax.fori_loop(
            0, num_blocks, functools.partial(add_block, is_relative), nothing_yet
        )

    def sum_again(found: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        return *add_all(True, found[0])[:2], jnp.full_like(found[2], jnp.inf)

    # A loop of one turn or none: where runs are mapped, both branches of a `cond` would be
    # computed.
    found = jax.lax.while_loop(
        lambda found: found[2] < SMALLEST_SUM, sum_again, add_all(False, jnp.zeros_like(logits))
    )
    logits_gradient, moments, _ = found
    # sum_i r_ik h_i - (sum_i r_ik) rules_k, of scaled coefficients.
    rules_gradient = (moments[:-1] - moments[-1:] * rules).T * (math.sqrt(2) / std)
    return logits_gradient, rules_gradient, jnp.zeros_like(std), jnp.zeros_like(synapses)


log_densities.defvjp(_forward, _backward)


def _scale(coefficients: Float[Array, "*any d"], std: Float[Array, ""]) -> Float[Array, "*any d"]:
    """Measures coefficients so that a squared difference is a logarithm of a density."""
    return coefficients / (math.sqrt(2) * std)


def _log_joint(
    log_weights: Float[Array, "block k"],
    rules: Float[Array, "d k"],
    synapses: Float[Array, "d block"],
) -> Float[Array, "block k"]:
    """Log-weights plus log-densities of all components, but for what these have in common.

    Coefficients are scaled. Differences come before squares: the expanded square would lose what a
    small std makes of them.
    """
    distances = sum(
        jnp.square(synapses[d, :, None] - rules[None, d]) for d in range(rules.shape[0])
    )
    return log_weights - distances


def _blocks(logits: Float[Array, "n k"]) -> tuple[int, int]:
    """How many synapses a block has, and how many blocks there are."""
    num_synapses, num_rules = logits.shape
    size = min(num_synapses, max(1, platforms.sizes().block // num_rules))
    return size, -(-num_synapses // size)


def _block(
    i: Int[Array, ""], size: int, num_synapses: int
) -> tuple[Int[Array, ""], Bool[Array, " block"]]:
    """Where a block begins, and which of its synapses no block before it had.

    The last one begins early enough to be whole.
    """
    start = jnp.minimum(i * size, num_synapses - size)
    return start, start + jnp.arange(size) >= i * size
