"""A Gaussian mixture's log-density for many synapses, and its gradient, block by block.

    log p(h) = sum_i logsumexp_k(log softmax(logits_i)_k + log N(h_i; rules_k, std^2 I))

A population's gradient takes `population x n x k` responsibilities r, of which never more than
those of one individual in a block of synapses exist:

    d / d logits_ik = r_ik - softmax(logits_i)_k
    d / d rules_k = sum_i r_ik (h_i - rules_k) / std^2

Synapses are dealt out to a few lanes, which the devices of a population share: each sums over all
individuals what concerns its own synapses, and only the sums for the rules pass between them, once.

Source: Palm et al. 2021, section 3.4, https://arxiv.org/abs/2011.06811.
"""

import functools
import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from hebbax import devices

# A sum of densities, relative to a rule's own peak, that loses nothing yet to numbers too small for
# float32.
FAINT = 1e-25
# At most; as many as divide the synapses evenly. One, two, four or eight devices can share them.
LANES = 8


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
    rules = _scale(rules, std).T
    lanes, individuals = _deal(logits, _scale(synapses, std))
    size, num_blocks = _cut(lanes)

    def add_block(
        number: Int[Array, ""], sums: Float[Array, "population lanes"]
    ) -> Float[Array, "population lanes"]:
        start, is_new = _place(number, size, lanes.shape[1])
        log_weights = jax.nn.log_softmax(jax.lax.dynamic_slice_in_dim(lanes, start, size, axis=1))

        def of_individual(synapses: Float[Array, "lanes d block"]) -> Float[Array, " lanes"]:
            densities = jax.nn.logsumexp(_joint(log_weights, rules, synapses), axis=2)
            return jnp.sum(jnp.where(is_new, densities, 0.0), axis=1)

        return sums + jax.lax.map(
            of_individual, jax.lax.dynamic_slice_in_dim(individuals, start, size, axis=3)
        )

    sums = jax.lax.fori_loop(
        0, num_blocks, add_block, jnp.zeros(individuals.shape[:2], logits.dtype)
    )
    num_synapses, num_coefficients = synapses.shape[1:]
    return jnp.sum(sums, axis=1) - num_synapses * num_coefficients * (
        jnp.log(std) + 0.5 * jnp.log(2 * jnp.pi)
    )


def _forward(
    logits: Array, rules: Array, std: Array, synapses: Array
) -> tuple[Array, tuple[Array, Array, Array, Array]]:
    return log_densities(logits, rules, std, synapses), (logits, rules, std, synapses)


def _backward(
    saved: tuple[Array, Array, Array, Array], weights: Float[Array, " population"]
) -> tuple[Array, Array, Array, Array]:
    """The gradient of the weighted sum of the log-densities.

    Densities are summed as they are. Only if somewhere all are so faint that they vanish, which is
    not so in a mixture's own samples, is everything summed once more, carefully: relative to the
    largest density of each sum, which takes another pass to find.
    """
    logits, rules, std, synapses = saved
    rules = _scale(rules, std).T
    num_coefficients, num_rules = rules.shape
    lanes, individuals = _deal(logits, _scale(synapses, std))
    num_lanes, num_synapses, _ = lanes.shape
    size, num_blocks = _cut(lanes)

    def add_block(
        is_careful: bool, number: Int[Array, ""], found: tuple[Array, Array, Array]
    ) -> tuple[Array, Array, Array]:
        logits_gradient, moments, least = found
        start, is_new = _place(number, size, num_synapses)
        log_weights = jax.nn.log_softmax(jax.lax.dynamic_slice_in_dim(lanes, start, size, axis=1))

        def add_individual(
            found: tuple[Array, Array, Array], individual: tuple[Array, Array]
        ) -> tuple[tuple[Array, Array, Array], None]:
            responsibilities, moments, least = found
            weight, synapses = individual
            joint = _joint(log_weights, rules, synapses)
            shifted = jnp.exp(
                joint - jnp.max(joint, axis=2, keepdims=True) if is_careful else joint
            )
            sums = jnp.sum(shifted, axis=2)
            scale = weight / sums
            # A one beside the coefficients: its moment is the sum of the responsibilities.
            coefficients = jnp.concatenate([synapses, jnp.ones_like(synapses[:, :1])], axis=1)
            counted = coefficients * jnp.where(is_new, scale, 0.0)[:, None]
            added = jnp.matmul(counted, shifted, precision="highest")
            found = (
                responsibilities + shifted * scale[:, :, None],
                moments + added,
                jnp.minimum(least, jnp.min(sums, axis=1)),
            )
            return found, None

        none_yet = jnp.zeros((num_lanes, size, num_rules), logits.dtype)
        block = jax.lax.dynamic_slice_in_dim(individuals, start, size, axis=3)
        (responsibilities, moments, least), _ = jax.lax.scan(
            add_individual, (none_yet, moments, least), (weights, block)
        )
        gradient = responsibilities - jnp.sum(weights) * jnp.exp(log_weights)
        return (
            jax.lax.dynamic_update_slice_in_dim(logits_gradient, gradient, start, axis=1),
            moments,
            least,
        )

    def add_all(is_careful: bool, logits_gradient: Array) -> tuple[Array, Array, Array]:
        no_moments = jnp.zeros((num_lanes, num_coefficients + 1, num_rules), logits.dtype)
        nothing_yet = (logits_gradient, no_moments, jnp.full((num_lanes,), jnp.inf, logits.dtype))
        return jax.lax.fori_loop(
            0, num_blocks, functools.partial(add_block, is_careful), nothing_yet
        )

    def sum_again(found: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        return *add_all(True, found[0])[:2], jnp.full_like(found[2], jnp.inf)

    # A loop of one turn or none: where runs are mapped, both branches of a `cond` would be
    # computed.
    found = jax.lax.while_loop(
        lambda found: jnp.min(found[2]) < FAINT, sum_again, add_all(False, jnp.zeros_like(lanes))
    )
    logits_gradient, moments, _ = found
    moments = jnp.sum(moments, axis=0)
    rules_gradient = (moments[:-1] - moments[-1:] * rules).T * (math.sqrt(2) / std)
    return (
        logits_gradient.reshape(logits.shape),
        rules_gradient,
        jnp.zeros_like(std),
        jnp.zeros_like(synapses),
    )


log_densities.defvjp(_forward, _backward)


def _scale(coefficients: Float[Array, "*any d"], std: Float[Array, ""]) -> Float[Array, "*any d"]:
    """Measures coefficients so that a squared difference is a logarithm of a density."""
    return coefficients / (math.sqrt(2) * std)


def _joint(
    log_weights: Float[Array, "lanes block k"],
    rules: Float[Array, "d k"],
    synapses: Float[Array, "lanes d block"],
) -> Float[Array, "lanes block k"]:
    """Log-weights plus log-densities of all components, but for the normalisation that they share.

    Of scaled coefficients.

    Differences before squares: the expanded square would lose what a small std makes of them.
    """
    distances = sum(
        jnp.square(synapses[:, d, :, None] - rules[None, None, d]) for d in range(rules.shape[0])
    )
    return log_weights - distances


def _deal(
    logits: Float[Array, "n k"], synapses: Float[Array, "population n d"]
) -> tuple[Float[Array, "lanes m k"], Float[Array, "population lanes d m"]]:
    """Deals the synapses out to lanes, neighbours together, and the lanes to the devices."""
    num_synapses, num_rules = logits.shape
    num_lanes = math.gcd(num_synapses, LANES)
    lanes = devices.split(logits.reshape(num_lanes, -1, num_rules), 0)
    individuals = synapses.reshape(synapses.shape[0], num_lanes, -1, synapses.shape[2])
    return lanes, devices.split(jnp.swapaxes(individuals, 2, 3), 1)


def _cut(lanes: Float[Array, "lanes m k"]) -> tuple[int, int]:
    """How many synapses of a lane a block has, and how many blocks there are."""
    num_lanes, num_synapses, num_rules = lanes.shape
    size = min(num_synapses, max(1, devices.block_size() // (num_lanes * num_rules)))
    return size, -(-num_synapses // size)


def _place(
    number: Int[Array, ""], size: int, num_synapses: int
) -> tuple[Int[Array, ""], Bool[Array, " block"]]:
    """Where a block begins, and which of its synapses no block before it had.

    The last one begins early enough to be whole.
    """
    start = jnp.minimum(number * size, num_synapses - size)
    return start, start + jnp.arange(size) >= number * size
