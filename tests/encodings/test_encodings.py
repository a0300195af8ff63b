"""Encodings: each one's map against a dense matrix, and what it promises of itself."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen

import hebbax
from hebbax import testing
from hebbax.encodings import Direct, LowRank, Parts, PerNeuron, Tied
from hebbax.encodings.per_neuron import Neurons, Sides
from hebbax.policies.convolutional import Convolutional
from hebbax.policies.flax import Flax
from hebbax.policies.gru import GRU
from hebbax.policies.lstm import LSTM
from hebbax.policies.static import Static
from small_task import Cart


class Picture:
    """A task of small pictures."""

    observation_shape, action_size = (20, 20, 3), 3


@dataclasses.dataclass(frozen=True)
class AdamW:
    """What no optimiser of hebbax does: it moves numbers that have no gradient."""

    def build(self):
        return optax.adamw(0.1, weight_decay=0.1)


ENCODINGS = [
    Direct(),
    Tied(rho=2),
    Tied(num_rules=3, is_signed=True),
    Tied(num_rules=1, by="layer", assignment_seed=5),
    PerNeuron(),
    PerNeuron(side="pre"),
    PerNeuron(side="post"),
    LowRank(1),
    LowRank(2),
]
PARAMETERS = {
    "rules": hebbax.Hebbian(hidden_sizes=(3,)).parameters(Cart()),
    "rules and weights": hebbax.Hebbian(hidden_sizes=(3,), has_evolved_weights=True).parameters(
        Cart()
    ),
    "static": Static(hidden_sizes=(3,)).parameters(Cart()),
    "lstm": LSTM(hidden_sizes=(3,)).parameters(Cart()),
    "gru": GRU(hidden_sizes=(3,)).parameters(Cart()),
    "recurrent": hebbax.Hebbian((3,), is_recurrent=True, has_biases=True).parameters(Cart()),
    "flax": Flax(linen.Dense(1)).parameters(Cart()),
    "vision": Convolutional(hebbax.Hebbian(hidden_sizes=(3,), is_output_linear=True)).parameters(
        Picture()
    ),
}
NETWORKS = ["rules and weights", "lstm", "recurrent"] + [
    pytest.param(name, marks=pytest.mark.slow)
    for name in ("rules", "static", "vision", "gru", "flax")
]
PAPER = hebbax.Hebbian().parameters(hebbax.Quadruped())  # 28-128-64-8.


def random_like(tree, seed=0):
    leaves, structure = jax.tree.flatten(tree)
    keys = jax.random.split(jax.random.key(seed), len(leaves))
    return structure.unflatten(
        [jax.random.normal(key, leaf.shape) for key, leaf in zip(keys, leaves, strict=True)]
    )


def expand(encoding, parameters, genotype, seed=0):
    wiring = encoding.wire(jax.random.key(seed), parameters)
    return encoding.read(parameters, wiring, encoding.express(parameters, wiring, genotype))


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("encoding", ENCODINGS, ids=str)
def test_encodings_keep_to_their_interface(encoding, network):
    """For every kind of array: rules, weights, biases and filters."""
    testing.check_encoding(encoding, PARAMETERS[network])


def test_neuron_centric_rules_keep_to_their_interface():
    for network in ("rules", "rules and weights", "vision", "recurrent"):
        testing.check_encoding(PerNeuron("nchl"), PARAMETERS[network])


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("encoding", ENCODINGS[:4], ids=str)
def test_tables_are_a_matrix_of_ones(encoding, network):
    """What a table's numbers become is linear in them; each place has one row of one table.

    Mutations: a place that mixes two rows; signs that are not plus or minus one.
    """
    parameters = PARAMETERS[network]
    shape = encoding.genotype_shape(parameters)
    flat, unflatten = jax.flatten_util.ravel_pytree(random_like(shape))
    wiring = encoding.wire(jax.random.key(0), parameters)

    def express(numbers):
        phenotype = encoding.express(parameters, wiring, unflatten(numbers))
        return jax.flatten_util.ravel_pytree(phenotype)[0]

    dense = np.asarray(jax.jacobian(express)(flat))
    np.testing.assert_allclose(express(flat), dense @ flat, rtol=1e-5, atol=1e-6)
    assert np.all(np.sum(dense != 0, axis=1) == 1)
    assert set(np.unique(dense)) <= {-1.0, 0.0, 1.0}
    if not getattr(encoding, "is_signed", False):
        assert np.all(dense >= 0)


def test_signs_are_of_all_but_rates():
    """Half of the synapses have the opposite of what the others have, and the same rate.

    Mutation: a sign of the rate too, which leaves every change of a weight as it was.
    """
    parameters = PARAMETERS["rules"]
    ones = jax.tree.map(
        lambda leaf: jnp.ones(leaf.shape), Tied(num_rules=1).genotype_shape(parameters)
    )
    rules = expand(Tied(num_rules=1, is_signed=True), parameters, ones).rules
    rates, others = (np.concatenate([np.ravel(one[part]) for one in rules]) for part in (0, 1))
    assert set(rates) == {1.0}
    assert set(others) == {-1.0, 1.0}


@pytest.mark.parametrize("by", ["network", "layer"])
def test_assignments_are_balanced_and_differ_between_seeds(by):
    """All rows have as many places, to within one; a seed of its own is the same in every run.

    Mutations: places that draw their rows by themselves; the run's seed in spite of one's own.
    """
    encoding = Tied(num_rules=7, by=by)
    assignments = [
        np.concatenate(
            [
                np.asarray(sharing.assignment)
                for sharing in encoding.wire(jax.random.key(seed), PAPER).values()
            ]
        )
        for seed in range(3)
    ]
    for sharing in encoding.wire(jax.random.key(0), PAPER).values():
        counts = np.bincount(sharing.assignment, minlength=7)
        assert counts.max() - counts.min() <= 1
    assert all(np.mean(assignments[0] == other) < 0.2 for other in assignments[1:])
    own = Tied(num_rules=7, by=by, assignment_seed=3)
    first, second = (own.wire(jax.random.key(seed), PAPER) for seed in (0, 1))
    jax.tree.map(np.testing.assert_array_equal, first, second)


def test_no_optimizer_moves_who_shares_what():
    """AdamW, whose decay moves whatever it sees, for 50 generations.

    Mutation: an assignment in the genotype.
    """
    task = hebbax.tasks.Point()
    config = hebbax.Config(
        task,
        hebbax.Hebbian(hidden_sizes=(4,)),
        hebbax.Normal(),
        hebbax.ScoreFunction(population_size=4, optimizer=AdamW()),
        encoding=Tied(rho=4, is_signed=True),
        generations=50,
    )
    first = config.encoding.wire(
        hebbax.evolution.keys.random_keys(0).wiring, config.policy.parameters(task)
    )
    result = hebbax.train(config)
    jax.tree.map(np.testing.assert_array_equal, result.wiring, first)
    assert not np.allclose(result.genome.mean["rule"], 0)


def test_as_many_rules_as_synapses_are_one_for_each():
    """With M = N a table is the phenotype in another order.

    The returns are those of `Direct` with the same noise, and so is the gradient.
    """
    task, policy = hebbax.tasks.Point(), hebbax.Hebbian(hidden_sizes=(3,))
    parameters = policy.parameters(task)
    tied = Tied(rho=1)
    wiring = tied.wire(jax.random.key(0), parameters)
    table = random_like(tied.genotype_shape(parameters))
    direct = tied.express(parameters, wiring, table)
    variations = hebbax.evolution.stack(task.variations)
    keys = jax.random.split(jax.random.key(1), 2)
    outcomes = [
        hebbax.evolution.rollout_population(
            setup, wired, keys, genotype, variations, is_shared=True
        )
        for setup, wired, genotype in (
            (hebbax.evolution.Setup(task, policy, tied), wiring, table),
            (hebbax.evolution.Setup(task, policy), (), direct),
        )
    ]
    np.testing.assert_array_equal(outcomes[0].returns, outcomes[1].returns)
    np.testing.assert_array_equal(outcomes[0].mean_square, outcomes[1].mean_square)

    def gradient(genotype, mean):
        genome = hebbax.genomes.normal.NormalGenome(mean=mean, std=jnp.asarray(0.5))
        return jax.grad(lambda genome: genome.log_prob(genotype), allow_int=True)(genome).mean

    zeros = jax.tree.map(jnp.zeros_like, table)
    of_tied = gradient(table, zeros)
    of_direct = gradient(direct, jax.tree.map(jnp.zeros_like, direct))
    jax.tree.map(
        np.testing.assert_array_equal, tied.express(parameters, wiring, of_tied), of_direct
    )


def test_full_rank_reaches_any_matrix():
    """With the right factor the identity the left one is the matrix.

    Mutation: a product without its division.
    """
    parameters = PARAMETERS["rules"]
    wanted = random_like(parameters)
    rank = 4
    encoding = LowRank(rank)
    shape = encoding.genotype_shape(parameters)

    def factors(leaf, part):
        post = leaf.shape[-1]
        left = np.zeros(part.left.shape, np.float32)
        left[..., :post] = math.sqrt(rank) * np.asarray(leaf)
        right = np.broadcast_to(np.eye(rank, post, dtype=np.float32), part.right.shape)
        return type(part)(jnp.asarray(left), jnp.asarray(right))

    genotype = jax.tree.map(factors, wanted, shape)
    jax.tree.map(
        lambda one, other: np.testing.assert_allclose(one, other, rtol=1e-5),
        expand(encoding, parameters, genotype),
        wanted,
    )


@pytest.mark.parametrize("side", ["both", "pre", "post"])
def test_sums_of_neurons(side):
    """Synapse i, j has the sum of what the neurons i and j have.

    Mutation: the sides exchanged.
    """
    parameters = PARAMETERS["rules"]
    encoding = PerNeuron(side=side)
    genotype = random_like(encoding.genotype_shape(parameters))
    for rules, part in zip(
        expand(encoding, parameters, genotype).rules, genotype.rules, strict=True
    ):
        assert isinstance(part, Sides)
        for c, i, j in np.ndindex(rules.shape):
            expected = 0.0
            expected += 0.0 if part.pre is None else part.pre[c, i]
            expected += 0.0 if part.post is None else part.post[c, j]
            assert rules[c, i, j] == pytest.approx(float(expected), rel=1e-6)


def test_neuron_centric_rules_by_hand():
    """1,104 numbers on 28-128-64-8, as the paper counts, and every synapse as it says.

    Mutations: A of the neuron behind; a rate that is a product; neurons that differ by layer.
    """
    encoding = PerNeuron("nchl")
    shape = encoding.genotype_shape(PAPER)
    assert sum(leaf.size for leaf in jax.tree.leaves(shape)) == 1104
    parameters = PARAMETERS["rules"]
    genotype = random_like(encoding.genotype_shape(parameters))
    assert isinstance(genotype, Neurons)
    for rules, leaf in zip(
        expand(encoding, parameters, genotype).rules, parameters.rules, strict=True
    ):
        pre, post = (genotype.groups[group] for group in leaf.axes[1:])
        for i, j in np.ndindex(rules.shape[1:]):
            expected = [
                (pre["eta"][i] + post["eta"][j]) / 2,
                pre["C"][i] * post["C"][j],
                pre["A"][i],
                post["B"][j],
                pre["D"][i] * post["D"][j],
            ]
            np.testing.assert_allclose(rules[:, i, j], np.asarray(expected), rtol=1e-6)


def test_parts_have_encodings_of_their_own():
    """Filters as they are, and tied rules behind them.

    Mutation: the wiring of one part for another.
    """
    parameters = PARAMETERS["vision"]
    encoding = Parts((("filters", Direct()), ("head", Tied(rho=3))))
    testing.check_encoding(encoding, parameters)
    genotype = random_like(encoding.genotype_shape(parameters))
    phenotype = expand(encoding, parameters, genotype)
    jax.tree.map(np.testing.assert_array_equal, phenotype.filters, genotype.filters)
    for rules in phenotype.head.rules:
        assert np.isin(rules, genotype.head["rule"]).all()
    mixed = Parts((("filters", LowRank()), ("head", PerNeuron())))
    assert mixed.reads_each_step
    testing.check_encoding(mixed, parameters)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Tied(), "encoding.rho is None and encoding.num_rules is None"),
        (lambda: Tied(rho=2, num_rules=3), "one of both must be given"),
        (lambda: Tied(rho=0.5), "encoding.rho is 0.5, but must be 1 or more"),
        (lambda: PerNeuron("mean"), "encoding.combine is 'mean'"),
        (lambda: PerNeuron("nchl", side="pre"), "must be 'both'"),
        (lambda: LowRank(0), "encoding.rank is 0"),
        (
            lambda: Parts((("rules", Direct()),)).genotype_shape(PARAMETERS["vision"]),
            "must name each of the network's parts once: filters, head",
        ),
        (
            lambda: Parts((("rules", Direct()),)).genotype_shape(PARAMETERS["static"]),
            "it has none, so choose one encoding",
        ),
        (
            lambda: PerNeuron("nchl").genotype_shape(
                hebbax.Hebbian(rule=hebbax.rules.Oja()).parameters(Cart())
            ),
            "those of ABCD",
        ),
    ],
)
def test_what_does_not_fit_is_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_parts_of_a_dictionary():
    """A network of one's own may have a dictionary. Mutation: fields of dataclasses alone."""
    whole = PARAMETERS["recurrent"]
    parameters = {"rules": whole.rules, "filters": whole.rules[0]}
    encoding = Parts((("rules", Tied(num_rules=2)), ("filters", Direct())))
    testing.check_encoding(encoding, parameters)
    assert encoding.genotype_shape(parameters)["rules"]["rule"].shape == (5, 2)
    with pytest.raises(
        ValueError, match=r"names \['rules'\], but must name each .*: rules, filters"
    ):
        Parts((("rules", Direct()),)).wire(jax.random.key(0), parameters)
