import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hebbax.strategies.schedule import Schedule


def test_values_decay_geometrically_down_to_the_floor():
    """The paper's sigma.

    0.1 x 0.999^t, floor 0.01, which it reaches after ln(0.1) / ln(0.999) = 2301.4 generations.
    Mutations: no floor; decay * t.
    """
    schedule = Schedule(0.1, decay=0.999, floor=0.01)
    generations = jnp.asarray([0, 1, 500, 2301, 2302, 100_000])
    values = jax.vmap(schedule)(generations)
    # 0.999 rounded to float32 has an error of 6e-8 of itself at most, which 2,301 factors make
    # 1.4e-4.
    np.testing.assert_allclose(
        values, np.maximum(0.1 * 0.999 ** np.asarray(generations), 0.01), rtol=1.4e-4
    )
    assert float(values[0]) == np.float32(0.1)
    assert float(values[-1]) == np.float32(0.01)


def test_a_constant_is_constant():
    """Without decay the value stays for ever."""
    np.testing.assert_array_equal(
        jax.vmap(Schedule(0.3))(jnp.asarray([0, 7, 10_000])), np.full(3, 0.3, np.float32)
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"initial": -0.1}, "initial is -0.1, but must be above 0"),
        ({"initial": 0.0}, "initial is 0.0, but must be above 0"),
        ({"initial": float("nan")}, "initial is nan"),
        ({"initial": 0.1, "decay": 1.1}, "decay is 1.1, but must be above 0 and at most 1"),
        ({"initial": 0.1, "decay": 0.0}, "decay is 0.0"),
        ({"initial": 0.1, "floor": 0.2}, "floor is 0.2, but must be between 0 and initial, 0.1"),
        ({"initial": 0.1, "floor": -0.2}, "floor is -0.2"),
    ],
)
def test_what_is_no_schedule_is_refused(arguments, message):
    """The error names the field, what was given and what is allowed."""
    with pytest.raises(ValueError, match=message):
        Schedule(**arguments)
