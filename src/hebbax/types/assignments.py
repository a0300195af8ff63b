"""Random assignments, of which both genomes and encodings are made."""

import jax
import numpy as np
from jaxtyping import Array, Int

from hebbax.types import PRNGKey


def assign_evenly(key: PRNGKey, num_places: int, num_rows: int) -> Int[Array, " places"]:
    """Draws a row for each place, so that all rows have as many places, to within one.

    The key is consumed.
    """
    return jax.random.permutation(key, np.arange(num_places, dtype=np.int32) % num_rows)
