"""One check per interface that every implementation passes.

What fits, and jit = no jit, vmap = loop, determinism in the key.
"""

import dataclasses
import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from hebbax import testing
from hebbax.encodings.direct import Direct
from hebbax.genomes.base import learned_of
from hebbax.genomes.joint import Joint
from hebbax.genomes.normal import Normal
from hebbax.genomes.shared import FixedRules, SharedRules
from hebbax.policies.convolutional import Convolutional, Features
from hebbax.policies.gru import GRU
from hebbax.policies.hebbian import Hebbian
from hebbax.policies.lstm import LSTM
from hebbax.policies.static import Static
from hebbax.rules.abcd import ABCD
from hebbax.strategies.evosax import Evosax
from hebbax.strategies.optimizers import Adam, EvenSteps, Natural, PerPart, Sgd
from hebbax.strategies.score_function import ScoreFunction
from small_task import NEVER, Cart, stacked

TASKS = [Cart(), Cart(last_steps=(3, NEVER, 5))]
POLICIES = [
    Static(hidden_sizes=(3,)),
    Static(hidden_sizes=()),
    Hebbian(hidden_sizes=(3,)),
    Hebbian(hidden_sizes=(3, 4), bound="largest"),
    Hebbian(hidden_sizes=(3,), has_evolved_weights=True),
    Hebbian(hidden_sizes=(3, 4), activation="relu", is_recurrent=True, has_biases=True),
    Hebbian(hidden_sizes=(3,), bound="row_norm", is_recurrent=True),
    LSTM(hidden_sizes=(3, 4)),
    GRU(hidden_sizes=(3, 4), activation="silu"),
    LSTM(hidden_sizes=(3,), is_output_linear=True),
    *(
        pytest.param(
            Convolutional(head(hidden_sizes=(3,), is_output_linear=True)), marks=pytest.mark.slow
        )
        for head in (Hebbian, Static, LSTM)
    ),
]
GENOMES = [
    Normal(),
    Normal(init_scale=0.0),
    SharedRules(num_rules=3, sharpness=1.0),
    FixedRules(num_rules=3),
    Joint((("rules", FixedRules(rho=2)), ("weights", Normal()))),
]
STRATEGIES = [
    ScoreFunction(population_size=4),
    ScoreFunction(population_size=3, is_mirrored=False),
    ScoreFunction(population_size=4, optimizer=Adam()),
    ScoreFunction(population_size=4, optimizer=Natural(PerPart((("mean", Sgd()),), rest=Adam()))),
    ScoreFunction(population_size=4, optimizer=EvenSteps()),
    *(Evosax(algorithm, population_size=4) for algorithm in ("SNES", "PGPE", "Open_ES")),
    *(
        pytest.param(Evosax(algorithm, population_size=4), marks=pytest.mark.slow)
        for algorithm in ("CMA_ES", "Sep_CMA_ES", "xNES")
    ),
]
# Keys are made of them anew, for a key may be used once.
SEEDS = [jnp.asarray(seed) for seed in range(3)]
GENOTYPE_SHAPE = Hebbian(hidden_sizes=(2,)).parameters(Cart())
REWARDS = [jnp.asarray(0.0), jnp.asarray(1.0)]

# Results of a few operations on numbers of order one: what compiling or mapping may change is some
# roundings of 1.2e-7.
ROUNDING = {"rtol": 2e-6, "atol": 2e-6}


assert_close = functools.partial(chex.assert_trees_all_close, **ROUNDING)


def is_same(tree, other):
    return all(
        np.array_equal(one, two)
        for one, two in zip(jax.tree.leaves(tree), jax.tree.leaves(other), strict=True)
    )


def stack(trees):
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


def assert_maps(function, *arguments):
    """A function gives the same plainly, compiled, and mapped over stacks of arguments."""
    looped = [function(*each) for each in zip(*arguments, strict=True)]
    compiled = jax.jit(function)
    assert_close(compiled(*[argument[0] for argument in arguments]), looped[0])
    assert_close(
        jax.jit(jax.vmap(compiled))(*[stack(argument) for argument in arguments]), stack(looped)
    )


def genotypes_of(shape, count):
    """Genotypes of numbers of order one."""

    def numbers(leaf, seed):
        return 0.5 * jax.random.normal(jax.random.key(leaf.size + seed), leaf.shape)

    return [jax.tree.map(functools.partial(numbers, seed=seed), shape) for seed in range(count)]


@pytest.mark.parametrize("task", TASKS)
def test_tasks_conform(task):
    """The checks of the interface; steps and beginnings map over variations.

    A beginning depends on its key alone.
    """
    testing.check_task(task)
    variations = list(task.variations.values())

    def reset(seed, variation):
        return task.reset(jax.random.key(seed), variation)

    starts = [reset(seed, variation) for seed, variation in zip(SEEDS, variations, strict=True)]
    assert_maps(task.step, [state for state, _ in starts], [jnp.full(1, 0.5)] * 3, variations)
    assert_maps(reset, SEEDS, variations)
    chex.assert_trees_all_equal(reset(SEEDS[0], variations[0]), starts[0])
    assert not is_same(reset(SEEDS[1], variations[0]), starts[0])
    assert_close(jax.tree.map(lambda leaf: leaf[1], stacked(task)), variations[1])


@pytest.mark.parametrize("policy", POLICIES)
def test_policies_conform(policy):
    """The checks of the interface; actions and beginnings map over individuals.

    A beginning depends on its key alone.
    """
    # What a policy knows of its task: a cart's two numbers, or a picture.
    task = Features((16, 16, 3), 3) if isinstance(policy, Convolutional) else Cart()
    testing.check_policy(policy, task)
    genotypes = genotypes_of(policy.parameters(task), 2)

    def reset(seed, genotype):
        return policy.reset(jax.random.key(seed), genotype)

    memories = [reset(seed, genotype) for seed, genotype in zip(SEEDS[:2], genotypes, strict=True)]
    observations = [
        jax.random.normal(jax.random.key(seed), task.observation_shape) for seed in range(2)
    ]
    assert_maps(policy.act, genotypes, memories, observations, REWARDS)
    assert_maps(reset, SEEDS[:2], genotypes)
    chex.assert_trees_all_equal(reset(SEEDS[0], genotypes[0]), memories[0])


@pytest.mark.parametrize("rule", [ABCD()])
def test_rules_conform(rule):
    testing.check_rule(rule)


@pytest.mark.parametrize("encoding", [Direct()])
def test_encodings_conform(encoding):
    testing.check_encoding(encoding, GENOTYPE_SHAPE)


@pytest.mark.parametrize("specification", GENOMES)
def test_genomes_conform(specification):
    """The checks of the interface; samples and densities map over individuals.

    A sample depends on its key alone.
    """
    testing.check_genome(specification, GENOTYPE_SHAPE)
    genome = specification.init(jax.random.key(0), GENOTYPE_SHAPE).with_std(jnp.asarray(0.5))

    def sample_from(seed):
        return genome.sample(jax.random.key(seed))

    assert_maps(sample_from, SEEDS)
    sample = sample_from(SEEDS[0])
    chex.assert_trees_all_equal(sample_from(SEEDS[0]), sample)
    assert not is_same(sample_from(SEEDS[1]), sample)
    # Log-densities are sums over thirty numbers of terms up to five.
    mapped = jax.jit(jax.vmap(genome.log_prob))(stack([sample, genome.mode()]))
    np.testing.assert_allclose(
        mapped, [genome.log_prob(sample), genome.log_prob(genome.mode())], rtol=2e-5
    )
    np.testing.assert_allclose(jax.jit(genome.log_prob)(sample), mapped[0], rtol=2e-5)
    if not isinstance(specification, SharedRules):  # A mixture has no mirror image.
        assert_maps(genome.mirror, [sample, genome.mode()])


@dataclasses.dataclass(frozen=True)
class Unruly:
    """An optimiser that moves all it sees, whatever the gradient.

    Weights decay, and there is noise.
    """

    def build(self):
        return optax.chain(optax.add_noise(1.0, 0.5, 0), optax.adamw(0.1, weight_decay=0.5))


@pytest.mark.usefixtures("lenient_promotion")  # for optax's Adam
@pytest.mark.parametrize("specification", GENOMES)
@pytest.mark.parametrize("wrap", [lambda optimizer: optimizer, Natural], ids=["plain", "natural"])
def test_no_optimiser_reaches_what_is_not_learned(specification, wrap):
    """Integers stay as they are and the scale is the schedule's, while all else moves.

    An optimiser has no state for them, and they no part in its norms.

    Mutation: assignments as floats with a gradient of zero decay to other rules.
    """
    strategy = ScoreFunction(population_size=4, is_mirrored=False, optimizer=wrap(Unruly()))
    before = strategy.init(jax.random.key(0), specification.init(jax.random.key(1), GENOTYPE_SHAPE))
    genotypes = strategy.ask(jax.random.key(2), before)
    with jax.debug_key_reuse(False):  # optax's noise hands out the key that it goes on with.
        after, _ = jax.jit(strategy.tell)(before, genotypes, jnp.arange(4.0))
    num_learned = len(jax.tree.leaves(learned_of(before.genome)))
    # Adam's two running means.
    assert (
        sum(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(before.optimizer_state))
        == 2 * num_learned
    )
    for (path, old), new in zip(
        jax.tree.leaves_with_path(before.genome), jax.tree.leaves(after.genome), strict=True
    ):
        name = jax.tree_util.keystr(path)
        assert new.dtype == old.dtype, name
        if name.endswith("assignment"):
            assert old.dtype == jnp.int32
            np.testing.assert_array_equal(new, old)
        elif name.endswith("std"):
            np.testing.assert_allclose(new, strategy.std(jnp.asarray(1)))
        else:
            assert np.all(new != old), name


@pytest.mark.usefixtures("lenient_promotion")  # for optax's Adam
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_strategies_conform(strategy):
    """The checks of the interface.

    A population depends on its key alone, and generations are the same when compiled.
    """
    genome = Normal().init(jax.random.key(0), GENOTYPE_SHAPE)
    testing.check_strategy(strategy, genome)
    state = strategy.init(jax.random.key(1), genome)
    population = strategy.ask(jax.random.key(2), state)
    chex.assert_trees_all_equal(strategy.ask(jax.random.key(2), state), population)
    # evosax's algorithms carry their key with them, so that `tell` can draw the same population.
    other = strategy.init(jax.random.key(4), genome) if isinstance(strategy, Evosax) else state
    assert not is_same(strategy.ask(jax.random.key(3), other), population)
    assert_close(jax.jit(strategy.ask)(jax.random.key(2), state), population)
    assert len(np.unique(jax.tree.leaves(population)[0][:, 0, 0, 0])) == strategy.population_size
