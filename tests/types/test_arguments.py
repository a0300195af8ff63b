"""What is taken out of a specification comes back in its place."""

import dataclasses

import hebbax
from hebbax.encodings import Tied
from hebbax.strategies.evosax import Evosax
from hebbax.strategies.optimizers import PerPart
from hebbax.types.arguments import ARGUMENT, put_numbers, take_numbers


@dataclasses.dataclass(frozen=True)
class Spring:
    stiffness: float = dataclasses.field(metadata=ARGUMENT)
    length: float = 1.0
    is_stiff: bool = dataclasses.field(default=True, metadata=ARGUMENT)
    name: str = dataclasses.field(default="spring", metadata=ARGUMENT)
    knots: tuple[tuple[str, float], ...] = dataclasses.field(default=(), metadata=ARGUMENT)
    rest: "Spring | None" = None


def test_numbers_of_marked_fields_are_taken_and_put_back():
    """In tuples and in specifications inside; flags, texts and other fields stay.

    Mutations: all fields; no tuples; booleans.
    """
    inner = Spring(3, length=4.0)
    spring = Spring(0.5, length=2.0, knots=(("a", 0.25), ("b", 1.5)), rest=inner)
    gaps, numbers = take_numbers(spring)
    assert [float(number) for number in numbers] == [0.5, 0.25, 1.5, 3.0]
    others = Spring(9.0, length=2.0, knots=(("a", 8.0), ("b", 7.0)), rest=Spring(6, length=4.0))
    assert take_numbers(others)[0] == gaps
    assert hash(take_numbers(others)[0]) == hash(gaps)
    assert take_numbers(dataclasses.replace(spring, length=3.0))[0] != gaps
    assert take_numbers(dataclasses.replace(spring, knots=(("a", 0.25), ("c", 1.5))))[0] != gaps
    assert put_numbers(gaps, numbers) == spring
    assert spring.stiffness == 0.5


def test_what_has_no_numbers_stays_the_same_object():
    """Specifications that are told apart by identity keep it."""
    policy = hebbax.Hebbian()
    assert take_numbers(policy) == (policy, ())
    assert take_numbers(policy)[0] is policy


def test_numbers_of_our_specifications():
    """Noise, rates, decays, initial scales and an algorithm's numbers, but no rho."""
    schedule = hebbax.Schedule(0.5, 0.25, 0.125)
    adam = hebbax.Adam(hebbax.Schedule(2.0))
    strategy = hebbax.ScoreFunction(
        std=schedule, optimizer=PerPart((("rules", adam),), rest=hebbax.Adam(schedule))
    )
    taken = {
        strategy: [0.5, 0.25, 0.125, 2.0, 1.0, 0.0, 0.5, 0.25, 0.125],
        Evosax("CMA_ES", 8, parameters=(("std_init", 0.5),)): [0.5],
        hebbax.SharedRules(rho=16, init_scale=0.5, sharpness=4.0): [0.5, 4.0],
        Tied(rho=16.0, assignment_seed=8): [],
    }
    for specification, expected in taken.items():
        assert [float(number) for number in take_numbers(specification)[1]] == expected
