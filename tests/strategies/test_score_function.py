import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy.stats

from hebbax.genomes.normal import NormalGenome
from hebbax.strategies.optimizers import Adam, Sgd
from hebbax.strategies.schedule import Schedule
from hebbax.strategies.score_function import ScoreFunction, score_gradient

MEAN = {"rules": jnp.asarray([[1.0, -2.0], [0.5, 3.0]]), "filters": (jnp.asarray([0.25]),)}
GENOME = NormalGenome(mean=MEAN, std=jnp.asarray(0.3))


def flat(tree):
    """The numbers of a population `[P, n]` in double precision.

    Or of one genotype `[n]`, given as a population of one.
    """
    return np.concatenate(
        [np.reshape(leaf, (leaf.shape[0], -1)) for leaf in jax.tree.leaves(tree)], axis=1
    ).astype(np.float64)


def flat_one(tree):
    return flat(jax.tree.map(lambda leaf: leaf[None], tree))[0]


def shaped(fitness):
    """Standardised ranks, by scipy."""
    return scipy.stats.zscore(scipy.stats.rankdata(fitness))


def test_gradient_equals_the_sum_over_noise():
    """With Gaussians, `jax.grad` of the score equals 1/(P sigma) sum F eps to float precision.

    Std has no gradient. Mutations: sum for mean; std for std^2.
    """
    noise = jax.vmap(GENOME.replace(std=jnp.ones(())).sample)(
        jax.random.split(jax.random.key(0), 6)
    )
    noise = jax.tree.map(lambda value, mean: value - mean[None], noise, MEAN)
    genotypes = jax.tree.map(lambda eps, mean: mean[None] + GENOME.std * eps, noise, MEAN)
    weights = jax.random.normal(jax.random.key(1), (6,))
    gradient = score_gradient(GENOME, genotypes, weights)
    terms = np.asarray(weights, np.float64)[:, None] * flat(noise) / (6 * 0.3)
    # A genotype of 3 has an error of 1.2e-7 x 3, of its noise 1.2e-7 x 3 / 0.3; six such terms are
    # added.
    tolerance = 1.2e-6 * np.max(np.abs(terms).sum(axis=0))
    np.testing.assert_allclose(flat_one(gradient.mean), terms.sum(axis=0), rtol=0, atol=tolerance)
    assert gradient.std is None


def test_gradient_is_unbiased():
    """Estimates agree with the exact gradient of a linear fitness to five standard errors.

    Mutations: the sign; a factor sigma.
    """
    slope = jnp.asarray([1.0, -2.0, 0.5])
    genome = NormalGenome(mean=jnp.asarray([0.3, -0.1, 0.2]), std=jnp.asarray(0.5))

    def estimate(key):
        genotypes = jax.vmap(genome.sample)(jax.random.split(key, 10))
        return score_gradient(genome, genotypes, genotypes @ slope).mean

    samples = np.asarray(
        jax.jit(jax.vmap(estimate))(jax.random.split(jax.random.key(2), 4000)), np.float64
    )
    standard_error = samples.std(axis=0, ddof=1) / np.sqrt(len(samples))
    sigmas = np.abs(samples.mean(axis=0) - np.asarray(slope)) / standard_error
    assert np.max(sigmas) < 5.0, sigmas
    # The test can see an error of a third of the smallest component.
    assert np.max(standard_error) < 0.5 / 3 / 5


@pytest.mark.usefixtures("lenient_promotion")
def test_generations_equal_those_of_evosax():
    """Three generations equal Open_ES's on the same noise and fitness.

    To float precision. evosax minimises.

    Mutations: the sign; no standardisation.
    """
    from evosax.algorithms import Open_ES
    from evosax.core.fitness_shaping import centered_rank_fitness_shaping_fn

    def shape(population, fitness, state, params):
        return jax.nn.standardize(
            centered_rank_fitness_shaping_fn(population, fitness, state, params), epsilon=0.0
        )

    start = jnp.asarray([0.5, -1.0, 2.0, 0.0])
    theirs = Open_ES(
        8,
        start,
        optimizer=optax.sgd(0.2),
        std_schedule=optax.constant_schedule(0.3),
        fitness_shaping_fn=shape,
    )
    ours = ScoreFunction(population_size=8, std=Schedule(0.3), optimizer=Sgd(Schedule(0.2)))
    params = theirs.default_params
    their_state = theirs.init(jax.random.key(3), start, params)
    our_state = ours.init(jax.random.key(4), NormalGenome(mean=start, std=jnp.ones(())))
    for generation in range(3):
        population, their_state = theirs.ask(jax.random.key(10 + generation), their_state, params)
        fitness = -jnp.sum(jnp.square(population - 1), axis=1)
        their_state, _ = theirs.tell(
            jax.random.key(20 + generation), population, -fitness, their_state, params
        )
        our_state, _ = ours.tell(our_state, population, fitness)
        # Steps are sums of eight products of order one, divided by sigma; the mean is of order two.
        np.testing.assert_allclose(our_state.genome.mean, their_state.mean, rtol=0, atol=4e-6)
    assert np.max(np.abs(our_state.genome.mean - start)) > 0.1


def test_sgd_steps_uphill_by_rate_times_gradient():
    """The new mean is mean + rate x gradient of the standardised ranks.

    In both generations, while rate and std follow their schedules.

    Mutations: descend; no shaping; no standardisation; the rate of the next generation; std not
    scheduled; the std of the next generation in the gradient.
    """
    strategy = ScoreFunction(
        population_size=6,
        std=Schedule(0.4, decay=0.5, floor=0.15),
        optimizer=Sgd(Schedule(0.2, decay=0.5)),
    )
    state = strategy.init(jax.random.key(0), GENOME)
    for generation, (std, rate) in enumerate([(0.4, 0.2), (0.2, 0.1), (0.15, 0.05)]):
        assert int(state.generation) == generation
        np.testing.assert_allclose(state.genome.std, std, rtol=1e-6)
        genotypes = strategy.ask(jax.random.key(generation), state)
        fitness = jax.random.normal(jax.random.key(100 + generation), (6,))
        mean = flat_one(state.genome.mean)
        state, info = strategy.tell(state, genotypes, fitness)
        gradient = shaped(fitness) @ (flat(genotypes) - mean) / (6 * std**2)
        np.testing.assert_allclose(
            flat_one(state.genome.mean), mean + rate * gradient, rtol=0, atol=5e-6
        )
        np.testing.assert_allclose(info["std"], std, rtol=1e-6)
        np.testing.assert_allclose(info["gradient_norm"], np.linalg.norm(gradient), rtol=1e-5)
        np.testing.assert_allclose(info["update_norm"], rate * np.linalg.norm(gradient), rtol=1e-5)


@pytest.mark.usefixtures("lenient_promotion")
def test_adam_steps_uphill_and_leaves_std_alone():
    """Adam's first step moves every number by the rate in the sign of its gradient.

    Std is the schedule's. Mutation: std learned or updated.
    """
    strategy = ScoreFunction(population_size=6, std=Schedule(0.4), optimizer=Adam(Schedule(0.01)))
    state = strategy.init(jax.random.key(0), GENOME)
    genotypes = strategy.ask(jax.random.key(1), state)
    fitness = jax.random.normal(jax.random.key(2), (6,))
    after, _ = strategy.tell(state, genotypes, fitness)
    gradient = shaped(fitness) @ (flat(genotypes) - flat_one(MEAN))
    # The change of a mean of 3 is known to 2.4e-7, 2.4e-5 of the rate.
    np.testing.assert_allclose(
        flat_one(after.genome.mean) - flat_one(MEAN), 0.01 * np.sign(gradient), rtol=0, atol=5e-7
    )
    assert float(after.genome.std) == np.float32(0.4)


def test_fitness_is_maximised():
    """Twenty generations climb a hill: the squared distance to the top falls below a hundredth.

    Mutation: the sign of the descent.
    """
    strategy = ScoreFunction(
        population_size=20, std=Schedule(0.1), optimizer=Sgd(Schedule(0.02, decay=0.9))
    )
    top = jnp.asarray([1.0, -1.0])

    def generation(state, key):
        genotypes = strategy.ask(key, state)
        return strategy.tell(state, genotypes, -jnp.sum(jnp.square(genotypes - top[None]), axis=1))[
            0
        ], None

    state = strategy.init(jax.random.key(0), NormalGenome(mean=jnp.zeros(2), std=jnp.ones(())))
    state, _ = jax.lax.scan(generation, state, jax.random.split(jax.random.key(1), 20))
    assert float(jnp.sum(jnp.square(state.genome.mean - top))) < 0.02


def test_equal_fitness_moves_nothing():
    """Where nobody is better, the genome stays.

    Mutation: standardise by deviation + epsilon with argsort ranks.
    """
    strategy = ScoreFunction(population_size=4)
    state = strategy.init(jax.random.key(0), GENOME)
    after, _ = strategy.tell(state, strategy.ask(jax.random.key(1), state), jnp.full(4, 0.1))
    np.testing.assert_array_equal(flat_one(after.genome.mean), flat_one(MEAN))


@pytest.mark.parametrize("is_mirrored", [True, False])
def test_an_individual_does_not_depend_on_the_population_size(is_mirrored):
    """The first four of eight are the four of four, bit for bit.

    Mutation: `split(key, population_size)`, or pairs half a population apart.
    """
    small, large = (ScoreFunction(population_size=size, is_mirrored=is_mirrored) for size in (4, 8))
    few = small.ask(jax.random.key(5), small.init(jax.random.key(0), GENOME))
    many = large.ask(jax.random.key(5), large.init(jax.random.key(0), GENOME))
    np.testing.assert_array_equal(flat(few), flat(many)[:4])


def test_mirrored_pairs_stand_side_by_side():
    """Individuals 2i and 2i + 1 have the mean in their middle; different pairs differ.

    Mutation: concatenate instead of interleave.
    """
    strategy = ScoreFunction(population_size=6)
    genotypes = flat(strategy.ask(jax.random.key(6), strategy.init(jax.random.key(0), GENOME)))
    # The sum of two numbers of magnitude 3 is known to 2 x 2.4e-7 x 2.
    np.testing.assert_allclose(
        genotypes[0::2] + genotypes[1::2],
        np.broadcast_to(2 * flat_one(MEAN), (3, 5)),
        rtol=0,
        atol=1e-6,
    )
    assert len(np.unique(genotypes[:, 0])) == 6


def test_without_mirrors_everybody_is_drawn():
    """No two individuals have the mean in their middle. Mutation: ignore is_mirrored."""
    strategy = ScoreFunction(population_size=6, is_mirrored=False)
    noise = flat(
        strategy.ask(jax.random.key(6), strategy.init(jax.random.key(0), GENOME))
    ) - flat_one(MEAN)
    sums = np.abs(noise[:, None] + noise[None, :]).min(axis=-1)
    assert np.all(sums[~np.eye(6, dtype=bool)] > 1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"population_size": 1, "is_mirrored": False},
            r"population_size is 1, but must be 2 or more",
        ),
        (
            {"population_size": 5},
            r"population_size is 5, but must be even, because strategy\.is_mirrored is True",
        ),
    ],
)
def test_populations_that_cannot_be_are_refused(arguments, message):
    """The error names the field, what was given and what is allowed."""
    with pytest.raises(ValueError, match=message):
        ScoreFunction(**arguments)


@pytest.mark.usefixtures("lenient_promotion")
@pytest.mark.parametrize("optimizer", [Sgd(Schedule(0.1), momentum=0.9), Adam(Schedule(0.1))])
def test_momentum_rests_where_all_are_equal(optimizer):
    """After a step uphill, a generation of equals leaves genome and optimiser as they are.

    The schedule of the noise goes on. Mutation: momentum goes on.
    """
    strategy = ScoreFunction(population_size=4, optimizer=optimizer, std=Schedule(0.3, decay=0.5))
    state = strategy.init(jax.random.key(0), GENOME)
    moved, info = strategy.tell(
        state, strategy.ask(jax.random.key(1), state), jnp.asarray([1.0, 2.0, 3.0, 4.0])
    )
    assert float(info["update_norm"]) > 0
    stayed, info = strategy.tell(moved, strategy.ask(jax.random.key(2), moved), jnp.zeros(4))
    assert float(info["update_norm"]) == 0
    for one, other in zip(
        jax.tree.leaves((stayed.genome.mean, stayed.optimizer_state)),
        jax.tree.leaves((moved.genome.mean, moved.optimizer_state)),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)
    assert float(stayed.genome.std) == pytest.approx(0.3 * 0.25)
