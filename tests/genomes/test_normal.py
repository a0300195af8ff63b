import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from hebbax.genomes.normal import Normal, NormalGenome

MEAN = {"rules": jnp.asarray([[1.0, -2.0], [0.5, 3.0]]), "filters": (jnp.asarray([0.25]),)}
GENOME = NormalGenome(mean=MEAN, std=jnp.asarray(0.3))


def test_log_prob_equals_scipy():
    """The log-density of a point is the sum of scipy's over all numbers.

    Mutations: 2 pi without the half, std instead of log std.
    """
    genotype = jax.tree.map(lambda leaf: leaf + 0.2, MEAN)
    numbers, means = (
        np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(tree)])
        for tree in (genotype, MEAN)
    )
    expected = scipy.stats.norm.logpdf(
        numbers.astype(np.float64), means.astype(np.float64), 0.3
    ).sum()
    np.testing.assert_allclose(GENOME.log_prob(genotype), expected, rtol=1e-6)


@pytest.mark.parametrize(("size", "points"), [(1, 401), (2, 101)])
def test_density_integrates_to_one(size, points):
    """A sum over a grid of eight standard deviations is one.

    Mutation: the normalisation of another number of dimensions.
    """
    # The sum over a grid of a Gaussian converges faster than any power of the spacing; here it is
    # below 0.2 standard deviations.
    std = 0.7
    axis = jnp.linspace(-8 * std, 8 * std, points)
    genome = NormalGenome(mean=jnp.full(size, 0.1), std=jnp.asarray(std))
    grid = jnp.stack(jnp.meshgrid(*[axis] * size), axis=-1).reshape(-1, size)
    integral = jnp.sum(jnp.exp(jax.vmap(genome.log_prob)(grid))) * (axis[1] - axis[0]) ** size
    np.testing.assert_allclose(integral, 1.0, atol=1e-4)


def test_samples_have_mean_and_deviation():
    """Over 20,000 samples both are right within five standard errors, and numbers are independent.

    Mutations: std squared; one noise for all leaves.
    """
    count = 20_000
    samples = jax.vmap(GENOME.sample)(jax.random.split(jax.random.key(0), count))
    leaves = zip(*map(jax.tree.leaves, (samples, MEAN)), strict=True)
    noise = np.concatenate(
        [
            np.reshape(np.asarray(sample) - np.asarray(mean), (count, -1)) / 0.3
            for sample, mean in leaves
        ],
        axis=1,
    )
    assert np.max(np.abs(noise.mean(axis=0))) * np.sqrt(count) < 5
    assert np.max(np.abs(noise.std(axis=0) - 1)) * np.sqrt(2 * count) < 5
    correlations = np.corrcoef(noise.T) - np.eye(noise.shape[1])
    assert np.max(np.abs(correlations)) * np.sqrt(count) < 5


def test_mirror_reflects_at_the_mean():
    """A genotype and its mirror image have the mean as their middle, and the same density.

    Mutation: mirror at zero.
    """
    genotype = GENOME.sample(jax.random.key(1))
    mirrored = GENOME.mirror(genotype)
    for one, other, mean in zip(*map(jax.tree.leaves, (genotype, mirrored, MEAN)), strict=True):
        np.testing.assert_allclose((one + other) / 2, mean, rtol=1e-6)
    np.testing.assert_allclose(GENOME.log_prob(mirrored), GENOME.log_prob(genotype), rtol=1e-5)
    assert not np.allclose(genotype["rules"], mirrored["rules"])


def test_gradient_reaches_the_mean_alone():
    """The gradient is (z - mean) / std^2 in the means and exactly zero in std.

    Mutation: no stop_gradient.
    """
    genotype = GENOME.sample(jax.random.key(2))
    gradient = jax.grad(lambda genome: genome.log_prob(genotype))(GENOME)
    assert float(gradient.std) == 0.0
    for slope, value, mean in zip(
        *map(jax.tree.leaves, (gradient.mean, genotype, MEAN)), strict=True
    ):
        np.testing.assert_allclose(slope, (value - mean) / 0.3**2, rtol=1e-5)


def test_mode_is_the_most_probable():
    """No sample is more probable than the mode."""
    samples = jax.vmap(GENOME.sample)(jax.random.split(jax.random.key(3), 50))
    assert float(jnp.max(jax.vmap(GENOME.log_prob)(samples))) < float(
        GENOME.log_prob(GENOME.mode())
    )


def test_with_std_changes_the_scale_alone():
    """Another scale moves the samples apart in proportion, around the same means.

    Mutation: return self.
    """
    wide = GENOME.with_std(jnp.asarray(0.6))
    narrow_sample, wide_sample = GENOME.sample(jax.random.key(4)), wide.sample(jax.random.key(4))
    for one, other, mean in zip(
        *map(jax.tree.leaves, (narrow_sample, wide_sample, MEAN)), strict=True
    ):
        np.testing.assert_allclose(other - mean, 2 * (one - mean), rtol=1e-5, atol=1e-6)


def test_initial_means_are_spread_as_asked():
    """Means begin with the shapes asked for, and init_scale within five standard errors.

    Mutation: ignore init_scale.
    """
    shapes = (
        jax.ShapeDtypeStruct((5, 40, 50), jnp.float32),
        jax.ShapeDtypeStruct((3,), jnp.float32),
    )
    genome = Normal(init_scale=0.2).init(jax.random.key(5), shapes)
    large, small = genome.mean
    assert (large.shape, small.shape) == ((5, 40, 50), (3,))
    assert abs(float(jnp.std(large)) / 0.2 - 1) * np.sqrt(2 * large.size) < 5
    assert abs(float(jnp.mean(large)) / 0.2) * np.sqrt(large.size) < 5


@pytest.mark.parametrize("scale", [-0.1, float("nan")])
def test_a_scale_that_is_none_is_refused(scale):
    """The error names the field and what was given."""
    with pytest.raises(ValueError, match=rf"genome\.init_scale is {scale}"):
        Normal(init_scale=scale)
