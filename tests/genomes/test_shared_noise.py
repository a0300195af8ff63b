"""Noise that many numbers share: who moves together, for how long, and what is learned of it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hebbax
from hebbax import testing
from hebbax.encodings import LowRank, PerNeuron, Tied
from hebbax.genomes import Joint, Normal, SharedNoise
from hebbax.genomes.base import learned_of
from small_run import small_config, without_clock
from small_task import Cart

SHAPE = hebbax.Hebbian(hidden_sizes=(3,)).parameters(Cart())


def genome_of(noise, std=0.5):
    return SharedNoise(noise).init(jax.random.key(0), SHAPE).with_std(jnp.asarray(std))


def noise_of(genome, genotype):
    """`[coefficients, synapses]`, in units of the scale."""
    layers = zip(genotype.rules, genome.mean.rules, strict=True)
    return np.concatenate(
        [((layer - mean) / genome.std).reshape(layer.shape[0], -1) for layer, mean in layers],
        axis=1,
    )


@pytest.mark.parametrize("noise", [Tied(num_rules=4), LowRank(), PerNeuron()], ids=str)
def test_genome_keeps_to_its_interface(noise):
    testing.check_genome(SharedNoise(noise), SHAPE)


def test_a_generation_has_groups_of_its_own():
    """All individuals of a generation have the same groups, those of the next have others.

    Mutations: groups that are drawn for every individual; groups that stay.
    """
    strategy = hebbax.ScoreFunction(population_size=6, std=hebbax.Schedule(0.5))
    state = strategy.init(jax.random.key(0), genome_of(Tied(num_rules=4)))
    groups = []
    for generation in range(2):
        genotypes = strategy.ask(jax.random.key(generation), state)
        noise = [
            noise_of(state.genome, jax.tree.map(lambda leaf, i=i: leaf[i], genotypes))
            for i in range(6)
        ]
        for one in noise:
            assert len(np.unique(one[0].round(4))) == 4
        groups.append([one[0].round(4)[:, None] == one[0].round(4)[None] for one in noise])
        for other in groups[-1][1:]:
            np.testing.assert_array_equal(groups[-1][0], other)
    assert not np.array_equal(groups[0][0], groups[1][0])


def test_as_many_groups_as_synapses_are_independent_noise():
    """Every number of the noise is one of the normal noise that is drawn, and each comes once."""
    genome = genome_of(Tied(rho=1))
    noise = noise_of(genome, genome.sample(jax.random.key(3)))
    table = Tied(rho=1).genotype_shape(SHAPE)["rule"]
    drawn = Normal(1.0).init(jax.random.key(3), {"rule": table}).mean["rule"]
    np.testing.assert_allclose(np.sort(noise, axis=1), np.sort(drawn, axis=1), atol=1e-5)


def test_steps_go_along_the_noise():
    """The score of a genotype is its noise over the scale, for the means alone."""
    genome = genome_of(Tied(num_rules=4))
    genotype = genome.sample(jax.random.key(1))
    slope = jax.grad(lambda mean: genome.replace(mean=mean).log_prob(genotype))(genome.mean)
    for layer, mean, value in zip(slope.rules, genome.mean.rules, genotype.rules, strict=True):
        np.testing.assert_allclose(layer, (value - mean) / 0.25, rtol=1e-4, atol=1e-4)
    learned = learned_of(genome)
    assert not jax.tree.leaves(learned.wiring)
    assert learned.std is None


def test_runs_go_on_where_they_were(tmp_path):
    """Beside other parts too, and on every number of devices."""
    parts = (("rules", SharedNoise(Tied(num_rules=3))), ("weights", Normal(0.1)))
    for genome, policy in (
        (SharedNoise(Tied(num_rules=3), init_scale=0.1), hebbax.Hebbian(hidden_sizes=(3,))),
        (Joint(parts), hebbax.Hebbian(hidden_sizes=(3,), has_evolved_weights=True)),
    ):
        folder = tmp_path / type(genome).__name__
        config = small_config(genome=genome, policy=policy)
        whole = hebbax.train(config)
        hebbax.train(small_config(genome=genome, policy=policy, generations=2), folder)
        assert without_clock(hebbax.train(config, folder).history) == without_clock(whole.history)
        assert hebbax.load(folder).config == config


def test_what_is_no_encoding_is_refused():
    with pytest.raises(ValueError, match=r"genome\.noise is 36, which has no 'reads_each_step'"):
        SharedNoise(36)


def test_groups_that_stay_are_refused():
    """Who moves together is drawn anew in every generation."""
    with pytest.raises(ValueError, match=r"genome\.noise is .*; leave its assignment_seed None"):
        SharedNoise(Tied(num_rules=4, assignment_seed=1))
