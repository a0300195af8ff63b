import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hebbax.types import Struct


class Point(Struct):
    x: jax.Array
    y: jax.Array


class Line(Struct):
    start: Point
    end: Point


def test_struct_is_a_pytree_of_all_its_fields():
    """Flattening gives every field in order, nested ones too, and rebuilding gives the same type.

    Mutation: `data_fields=["x"]` alone.
    """
    line = Line(
        start=Point(jnp.asarray(1.0), jnp.asarray(2.0)),
        end=Point(jnp.asarray(3.0), jnp.asarray(4.0)),
    )
    assert [float(leaf) for leaf in jax.tree.leaves(line)] == [1.0, 2.0, 3.0, 4.0]
    doubled = jax.jit(lambda line: jax.tree.map(lambda leaf: 2 * leaf, line))(line)
    assert isinstance(doubled, Line)
    assert isinstance(doubled.end, Point)
    assert float(doubled.end.y) == 8.0


def test_struct_is_immutable():
    """A field cannot be assigned. Mutation: `frozen=False`."""
    point = Point(jnp.zeros(()), jnp.ones(()))
    with pytest.raises(dataclasses.FrozenInstanceError):
        point.x = jnp.ones(())


def test_replace_changes_a_copy():
    """The copy has the new field and the other as it was; the original is untouched.

    Mutation: return self.
    """
    point = Point(jnp.asarray(1.0), jnp.asarray(2.0))
    moved = point.replace(x=jnp.asarray(5.0))
    assert (float(moved.x), float(moved.y), float(point.x)) == (5.0, 2.0, 1.0)


def test_struct_maps_over_a_leading_axis():
    """A function of one record maps over a stack of them."""
    points = Point(jnp.arange(3.0), jnp.arange(3.0) + 10)
    sums = jax.vmap(lambda point: point.x + point.y)(points)
    np.testing.assert_array_equal(sums, [10.0, 12.0, 14.0])
