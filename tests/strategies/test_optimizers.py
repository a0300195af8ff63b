import jax.numpy as jnp
import numpy as np
import optax
import pytest

from hebbax.genomes.normal import NormalGenome
from hebbax.strategies.optimizers import Adam, Natural, PerPart, Sgd
from hebbax.strategies.schedule import Schedule

GRADIENTS = jnp.asarray([[1.0, -2.0, 0.5], [3.0, 0.1, -0.2]])


def steps(optimizer, gradients):
    """The updates that an optimiser makes of gradients, one after the other."""
    transformation = optimizer.build()
    state = transformation.init(jnp.zeros(gradients.shape[1]))
    updates = []
    for gradient in gradients:
        update, state = transformation.update(gradient, state)
        updates.append(update)
    return np.stack(updates)


def test_sgd_is_the_gradient_times_a_decaying_rate():
    """Steps are -0.2 g, then -0.2 x 0.5 g: the schedule counts from 0.

    Mutations: no schedule; the schedule one ahead.
    """
    updates = steps(Sgd(Schedule(0.2, decay=0.5)), GRADIENTS)
    np.testing.assert_allclose(
        updates, -np.asarray([[0.2], [0.1]]) * np.asarray(GRADIENTS), rtol=1e-6
    )


def test_sgd_has_the_papers_rate():
    """0.2 at first, times 0.995 a generation, never below 0.001."""
    rate = Sgd().learning_rate
    np.testing.assert_allclose(
        [float(rate(jnp.asarray(t))) for t in (0, 1, 5000)], [0.2, 0.199, 0.001], rtol=1e-6
    )


def test_momentum_repeats_a_share_of_the_last_step():
    """The second step is -(g2 + 0.9 g1) times the rate. Mutation: momentum dropped."""
    updates = steps(Sgd(Schedule(0.2), momentum=0.9), GRADIENTS)
    first, second = np.asarray(GRADIENTS)
    np.testing.assert_allclose(updates, [-0.2 * first, -0.2 * (second + 0.9 * first)], rtol=1e-6)


@pytest.mark.usefixtures("lenient_promotion")
def test_adam_by_its_formula():
    """Two steps of Kingma and Ba's algorithm 1 in double precision.

    Mutations: b1 and b2 swapped; defaults instead of the given decays.
    """
    b1, b2 = 0.8, 0.95
    updates = steps(Adam(Schedule(0.03), b1=b1, b2=b2), GRADIENTS)
    mean = square = 0.0
    for t, gradient in enumerate(np.asarray(GRADIENTS, np.float64), start=1):
        mean, square = b1 * mean + (1 - b1) * gradient, b2 * square + (1 - b2) * gradient**2
        expected = -0.03 * (mean / (1 - b1**t)) / (np.sqrt(square / (1 - b2**t)) + 1e-8)
        np.testing.assert_allclose(updates[t - 1], expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("optimizer", "expected"),
    [
        (
            PerPart((("first", Sgd(Schedule(0.5))),), rest=Natural(Sgd(Schedule(0.1)))),
            (-0.5, -0.1 * 0.2**2),
        ),
        (
            PerPart((("first", Natural(Sgd(Schedule(0.5)))),), rest=Sgd(Schedule(0.1))),
            (-0.5 * 0.2**2, -0.1),
        ),
        (
            Natural(PerPart((("first", Sgd(Schedule(0.5))),), rest=Sgd(Schedule(0.1)))),
            (-0.5 * 0.2**2, -0.1 * 0.2**2),
        ),
    ],
    ids=["rest", "part", "around"],
)
def test_natural_scaling_reaches_its_own_parts(optimizer, expected):
    """Steps are the learning rate times the gradient, and times std^2 where scaling is asked for.

    Mutation: masked parts scaled as well, or all left alone.
    """
    genome = NormalGenome(mean={"first": jnp.ones(2), "second": jnp.ones(3)}, std=jnp.asarray(0.2))
    learned = genome.learned()
    transformation = optimizer.build()
    steps, _ = transformation.update(learned, transformation.init(learned), learned, genome=genome)
    np.testing.assert_allclose(steps.mean["first"], np.full(2, expected[0]), rtol=1e-6)
    np.testing.assert_allclose(steps.mean["second"], np.full(3, expected[1]), rtol=1e-6)
    assert steps.std is None


def test_transformations_are_optax():
    """What is built is what optax expects."""
    assert isinstance(Sgd().build(), optax.GradientTransformation)
    assert isinstance(Adam().build(), optax.GradientTransformation)


@pytest.mark.parametrize(
    ("optimizer", "arguments", "message"),
    [
        (Sgd, {"momentum": 1.0}, r"optimizer\.momentum is 1.0, but must be in \[0, 1\)"),
        (Sgd, {"momentum": -0.1}, r"optimizer\.momentum is -0.1"),
        (Adam, {"b1": 1.0}, r"optimizer\.b1 is 1.0, but must be in \[0, 1\)"),
        (Adam, {"b2": -1.0}, r"optimizer\.b2 is -1.0"),
    ],
)
def test_decays_that_never_die_out_are_refused(optimizer, arguments, message):
    """The error names the field, what was given and what is allowed."""
    with pytest.raises(ValueError, match=message):
        optimizer(**arguments)
