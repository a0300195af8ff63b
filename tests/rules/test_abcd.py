import jax.numpy as jnp
import numpy as np
import pytest

from hebbax.rules import ABCD, Signals
from hebbax.rules.bounds import divide_by_largest

PRE = jnp.asarray([2.0, 3.0])
POST = jnp.asarray([5.0, 7.0])
WEIGHTS = jnp.asarray([[0.25, 0.5], [0.75, 1.0]])


def changed_by(rules, weights=WEIGHTS, pre=PRE, post=POST):
    signals = Signals(pre[:, None], post[None, :], jnp.asarray(0.0))
    after, trace = ABCD().update(weights, ABCD().init(weights), rules, signals)
    assert trace == ()
    return after


# By hand, with eta = 2 and the coefficient 1 at every synapse: what is added to w_ij, rows i (pre),
# columns j (post).
CHANGES = {
    "A": [[20.0, 28.0], [30.0, 42.0]],  # 2 o_i o_j
    "B": [[4.0, 4.0], [6.0, 6.0]],  # 2 o_i
    "C": [[10.0, 14.0], [10.0, 14.0]],  # 2 o_j
    "D": [[2.0, 2.0], [2.0, 2.0]],  # 2
}


@pytest.mark.parametrize("name", CHANGES)
def test_each_coefficient_alone(name):
    """Each of A, B, C, D does its own term of eq. 1.

    Mutations: B and C swapped, pre and post swapped, eta left out, D times o_i.
    """
    rules = jnp.zeros((5, 2, 2)).at[0].set(2.0).at[ABCD().coefficients.index(name)].set(1.0)
    changed = changed_by(rules)
    np.testing.assert_array_equal(changed, WEIGHTS + np.asarray(CHANGES[name]))


def test_every_synapse_has_its_own_rule():
    """Four synapses, each with one coefficient of its own, change as by hand, scaled by eta.

    Mutation: the rule of synapse [0, 0] for all.
    """
    eta = [[1.0, 2.0], [3.0, 4.0]]
    a, b = [[1.0, 0.0], [0.0, 0.0]], [[0.0, 1.0], [0.0, 1.0]]
    c, d = [[0.0, 0.0], [1.0, 1.0]], [[0.0, 0.0], [0.0, 1.0]]
    changed = changed_by(jnp.asarray([eta, a, b, c, d]))
    # [0,0]: 1 (2*5); [0,1]: 2 (2); [1,0]: 3 (5); [1,1]: 4 (3 + 7 + 1)
    np.testing.assert_array_equal(changed, WEIGHTS + np.asarray([[10.0, 4.0], [15.0, 44.0]]))


def test_without_learning_rate_nothing_changes():
    """eta = 0 leaves the weights as they are, whatever the coefficients.

    Mutation: D outside of the bracket.
    """
    rules = jnp.full((5, 2, 2), 3.0).at[0].set(0.0)
    np.testing.assert_array_equal(changed_by(rules), WEIGHTS)


def test_pre_and_post_follow_the_shape_of_the_layer():
    """In a layer that is not square, rows are pre- and columns post-synaptic.

    Mutation: weights kept as [post, pre].
    """
    rules = jnp.zeros((5, 2, 3)).at[0].set(1.0).at[1].set(1.0)
    changed = changed_by(rules, weights=jnp.zeros((2, 3)), post=jnp.asarray([1.0, 10.0, 100.0]))
    np.testing.assert_array_equal(changed, [[2.0, 20.0, 200.0], [3.0, 30.0, 300.0]])


def test_divide_by_largest_magnitude():
    """The weight of largest magnitude becomes -1; the others keep their proportions.

    Mutation: the largest value without abs.
    """
    bounded = divide_by_largest(jnp.asarray([[1.0, -4.0], [2.0, 0.0]]))
    np.testing.assert_array_equal(bounded, [[0.25, -1.0], [0.5, 0.0]])


def test_divide_by_largest_keeps_zeros():
    """A layer of zeros stays zero and finite. Mutation: plain division."""
    np.testing.assert_array_equal(divide_by_largest(jnp.zeros((2, 3))), np.zeros((2, 3)))
