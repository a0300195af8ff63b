"""The log-density of a Gaussian mixture for many synapses, and its gradient, a few synapses at a time.

    log p(h) = sum_i logsumexp_k(log softmax(logits_i)_k + log N(h_i; rules_k, std^2 I))

A population's gradient takes `population x n x k` responsibilities r, of which never more than a block of synapses of a few individuals exist:

    d / d logits_ik = r_ik - softmax(logits_i)_k,    d / d rules_k = sum_i r_ik (h_i - rules_k) / std^2

Individuals are taken in turn, a few side by side in lanes: where a population is split over devices XLA splits its lanes too, and each device works on
its own.

Source: Palm et al. 2021, section 3.4, https://arxiv.org/abs/2011.06811.
"""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

BLOCK = 2**15  # Lanes x synapses x rules that are worked on at a time: they fit a core's cache with what is made of them.
LANES = 8  # At most; as many as divide the population evenly. One, two, four or eight devices can share them.


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
    turns = _turns(synapses)
    size, num_blocks = _cut(logits, turns)

    def add_block(number: Int[Array, ""], sums: Float[Array, "turns lanes"]) -> Float[Array, "turns lanes"]:
        start, is_new = _place(number, size, logits.shape[0])
        log_weights = jax.nn.log_softmax(jax.lax.dynamic_slice_in_dim(logits, start, size))

        def of_lanes(synapses: Float[Array, "lanes d block"]) -> Float[Array, " lanes"]:
            densities = jax.nn.logsumexp(_joint(log_weights, rules, std, synapses), axis=2)
            return jnp.sum(jnp.where(is_new[None], densities, 0.0), axis=1)

        return sums + jax.lax.map(of_lanes, jax.lax.dynamic_slice_in_dim(turns, start, size, axis=3))

    sums = jax.lax.fori_loop(0, num_blocks, add_block, jnp.zeros(turns.shape[:2], logits.dtype))
    num_synapses, num_coefficients = synapses.shape[1:]
    return sums.T.reshape(-1) - num_synapses * num_coefficients * (jnp.log(std) + 0.5 * jnp.log(2 * jnp.pi))


def _forward(logits: Array, rules: Array, std: Array, synapses: Array) -> tuple[Array, tuple[Array, Array, Array, Array]]:
    return log_densities(logits, rules, std, synapses), (logits, rules, std, synapses)


def _backward(saved: tuple[Array, Array, Array, Array], weights: Float[Array, " population"]) -> tuple[Array, Array, Array, Array]:
    """The gradient of the weighted sum of the log-densities."""
    logits, rules, std, synapses = saved
    turns = _turns(synapses)
    num_turns, num_lanes, num_coefficients, num_synapses = turns.shape
    lane_weights = weights.reshape(num_lanes, num_turns).T
    size, num_blocks = _cut(logits, turns)
    num_rules = rules.shape[0]

    def add_block(number: Int[Array, ""], sums: tuple[Array, Array]) -> tuple[Array, Array]:
        logits_gradient, moments = sums
        start, is_new = _place(number, size, num_synapses)
        log_weights = jax.nn.log_softmax(jax.lax.dynamic_slice_in_dim(logits, start, size))

        def add_turn(sums: tuple[Array, Array], turn: tuple[Array, Array]) -> tuple[tuple[Array, Array], None]:
            responsibilities, moments = sums
            weights, synapses = turn
            joint = _joint(log_weights, rules, std, synapses)
            shifted = jnp.exp(joint - jnp.max(joint, axis=2, keepdims=True))
            scale = weights[:, None] / jnp.sum(shifted, axis=2)
            # A one beside the coefficients: its moment is the sum of the responsibilities.
            coefficients = jnp.concatenate([synapses, jnp.ones_like(synapses[:, :1])], axis=1)
            counted = coefficients * jnp.where(is_new[None], scale, 0.0)[:, None]
            return (responsibilities + shifted * scale[:, :, None], moments + counted @ shifted), None

        none_yet = jnp.zeros((num_lanes, size, num_rules), logits.dtype)
        block = jax.lax.dynamic_slice_in_dim(turns, start, size, axis=3)
        (responsibilities, moments), _ = jax.lax.scan(add_turn, (none_yet, moments), (lane_weights, block))
        gradient = jnp.sum(responsibilities, axis=0) - jnp.sum(weights) * jnp.exp(log_weights)
        return jax.lax.dynamic_update_slice_in_dim(logits_gradient, gradient, start, axis=0), moments

    none_yet = jnp.zeros((num_lanes, num_coefficients + 1, num_rules), logits.dtype)
    logits_gradient, moments = jax.lax.fori_loop(0, num_blocks, add_block, (jnp.zeros_like(logits), none_yet))
    moments = jnp.sum(moments, axis=0).T
    rules_gradient = (moments[:, :-1] - moments[:, -1:] * rules) / jnp.square(std)
    return logits_gradient, rules_gradient, jnp.zeros_like(std), jnp.zeros_like(synapses)


log_densities.defvjp(_forward, _backward)


def _joint(
    log_weights: Float[Array, "block k"], rules: Float[Array, "k d"], std: Float[Array, ""], synapses: Float[Array, "lanes d block"]
) -> Float[Array, "lanes block k"]:
    """Log-weights plus log-densities of all components, but for the normalisation that they share.

    Differences before squares: the expanded square would lose what a small std makes of them.
    """
    by_coefficient = rules.T
    distances = sum(jnp.square(synapses[:, d, :, None] - by_coefficient[None, None, d]) for d in range(rules.shape[1]))
    return log_weights[None] - (0.5 / jnp.square(std)) * distances


def _turns(synapses: Float[Array, "population n d"]) -> Float[Array, "turns lanes d n"]:
    """Deals a population out to lanes, neighbours to the same lane."""
    population, num_synapses, num_coefficients = synapses.shape
    lanes = synapses.reshape(math.gcd(population, LANES), -1, num_synapses, num_coefficients)
    return jnp.transpose(lanes, (1, 0, 3, 2))


def _cut(logits: Float[Array, "n k"], turns: Float[Array, "turns lanes d n"]) -> tuple[int, int]:
    """How many synapses a block has, and how many blocks there are."""
    num_synapses, num_rules = logits.shape
    size = min(num_synapses, max(1, BLOCK // (turns.shape[1] * num_rules)))
    return size, -(-num_synapses // size)


def _place(number: Int[Array, ""], size: int, num_synapses: int) -> tuple[Int[Array, ""], Bool[Array, " block"]]:
    """Where a block begins, and which of its synapses no block before it had: the last one begins early enough to be whole."""
    start = jnp.minimum(number * size, num_synapses - size)
    return start, start + jnp.arange(size) >= number * size
