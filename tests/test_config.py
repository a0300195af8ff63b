"""Configurations: written down and read back, and what they refuse."""

import dataclasses
import inspect
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import optax
import pytest

import hebbax
from hebbax.comparison import sweeps
from hebbax.comparison.results import Run
from hebbax.evolution.training import train_together
from hebbax.genomes.joint import Joint
from hebbax.genomes.shared import FixedRules, SharedRules
from hebbax.policies.convolutional import Convolutional
from hebbax.policies.gru import GRU
from hebbax.policies.lstm import LSTM
from hebbax.strategies.evosax import Evosax
from hebbax.strategies.optimizers import Adam, Natural, PerPart, Sgd
from hebbax.watching.lesion import Lesion
from small_run import small_config
from small_task import Cart


@dataclasses.dataclass(frozen=True)
class Alone:
    """A cart with a single variation."""

    variations = {"only": Cart().variations["light"]}  # noqa: RUF012

    def __getattr__(self, name: str) -> Any:
        """All else is a cart's."""
        return getattr(Cart(), name)


def test_configuration_survives_json():
    """Reading what was written gives an equal configuration.

    A task of one's own and nested specifications included.
    """
    config = small_config(task=Cart(last_steps=(3, 4, 5)), chunk_size=2, penalty=0.5, seed=7)
    again = hebbax.Config.from_dict(json.loads(json.dumps(config.to_dict())))
    assert again == config
    assert again.policy.hidden_sizes == (3,)
    assert isinstance(again.task, Cart)


def test_training_variations_leave_the_held_out_one_out():
    """A held-out variation is not trained on; without one, all are."""
    assert list(small_config(held_out="medium").training_variations) == ["light", "heavy"]
    assert list(small_config(held_out=None).training_variations) == ["light", "medium", "heavy"]


# For each mistake: the field as an error must name it, what was given, and what is allowed.
MISTAKES: list[tuple[Callable[[], Any], str, str, str]] = [
    (lambda: small_config(held_out="heavier"), "held_out", "'heavier'", "light, medium, heavy"),
    (lambda: small_config(task=Alone(), held_out="only"), "held_out", "'only'", "None"),
    (lambda: small_config(generations=0), "generations", "0", "1 or more"),
    (lambda: small_config(chunk_size=0), "chunk_size", "0", "1 or more"),
    (lambda: small_config(checkpoint_every=-1), "checkpoint_every", "-1", "1 or more"),
    (lambda: small_config(penalty=-0.5), "penalty", "-0.5", "0 or more"),
    (lambda: small_config(penalty=float("nan")), "penalty", "nan", "0 or more"),
    (lambda: small_config(seed=-1), "seed", "-1", "between 0 and 2^32 - 1"),
    (lambda: small_config(seed=2**32), "seed", "4294967296", "between 0 and 2^32 - 1"),
    (lambda: hebbax.ScoreFunction(population_size=1), "strategy.population_size", "1", "2 or more"),
    (lambda: hebbax.ScoreFunction(population_size=7), "strategy.population_size", "7", "even"),
    (
        lambda: small_config(
            strategy=hebbax.ScoreFunction(is_mirrored=False), common_random_numbers="pairs"
        ),
        "common_random_numbers",
        "'pairs'",
        "'population'",
    ),
    (lambda: hebbax.Schedule(-0.1), "initial", "-0.1", "above 0"),
    (lambda: hebbax.Schedule(0.1, decay=1.5), "decay", "1.5", "at most 1"),
    (lambda: hebbax.Schedule(0.1, floor=0.2), "floor", "0.2", "between 0 and initial, 0.1"),
    (lambda: Sgd(momentum=1.0), "strategy.optimizer.momentum", "1.0", "[0, 1)"),
    (lambda: hebbax.Adam(b2=1.0), "strategy.optimizer.b2", "1.0", "[0, 1)"),
    (
        lambda: hebbax.Hebbian(hidden_sizes=(8, 0)),
        "policy.hidden_sizes",
        "(8, 0)",
        "1 neuron or more",
    ),
    (lambda: hebbax.Static(hidden_sizes=(-2,)), "policy.hidden_sizes", "(-2,)", "1 neuron or more"),
    (lambda: hebbax.Hebbian(initial_range=-1.0), "policy.initial_range", "-1.0", "0 or more"),
    (lambda: hebbax.Normal(init_scale=-1.0), "genome.init_scale", "-1.0", "0 or more"),
]


@pytest.mark.parametrize(("make", "field", "given", "allowed"), MISTAKES)
def test_mistakes_are_named(make: Callable[[], Any], field: str, given: str, allowed: str):
    """Every refusal names the field, what was given and what is allowed.

    Mutation: a bound moved by one, or a check removed, lets its row pass without an error.
    """
    with pytest.raises(ValueError, match=field.replace(".", r"\.")) as error:
        make()
    assert given in str(error.value)
    assert allowed in str(error.value)


@pytest.mark.parametrize(
    ("genome", "strategy", "words"),
    [
        (
            SharedRules(rho=10),
            {"is_mirrored": False},
            "genome.rho is 10, but must be between 1 and 9",
        ),
        (
            FixedRules(num_rules=10),
            {"is_mirrored": False},
            "genome.num_rules is 10, but must be between 1 and 9",
        ),
        (SharedRules(rho=3), {}, "strategy.is_mirrored is True, but shared rules are a mixture"),
        (
            SharedRules(rho=3),
            {"is_mirrored": False, "optimizer": PerPart((("filters", Adam()),))},
            "strategy.optimizer.parts names 'filters', but the genome has logits, rules",
        ),
    ],
)
def test_parts_that_do_not_fit_each_other_are_refused(
    genome: Any, strategy: dict[str, Any], words: str
):
    """What only the parts together can know is found by `check`. Mutation: no trial start."""
    config = small_config(
        genome=genome, strategy=hebbax.ScoreFunction(population_size=8, **strategy)
    )
    with pytest.raises(ValueError, match=words):
        hebbax.check(config)


NO_INTEGER = (2.5, "3", True, float("nan"), [1])
NO_COUNT = (*NO_INTEGER, None, 0, -1, 2**31)
NO_NUMBER = ("0.1", True, [0.1], float("nan"), float("inf"), 1e300, 10**400)
NO_FLAG = ("no", 1, None)
NO_ACTIVATION = ("sin", None, jnp.tanh)
NO_SIZES = (8, "84", None, (8, 0), (2.5,), ("8",), (True,))
FIXED_WEIGHTS = {
    "hidden_sizes": (*NO_SIZES, ()),
    "is_output_linear": NO_FLAG,
    "activation": NO_ACTIVATION,
}
NO_PARTS = ("mean", 3, (("mean",),), (("mean", None),), ((3, Sgd()),))
NO_OPTIMIZER = (Sgd, 0.1, "sgd")
NO_OBJECT = (None, 3, "quadruped")
NO_SCHEDULE = (0.1, "0.1", hebbax.Schedule)

# A specification of each kind, and values that its fields cannot have. Those that depend on each
# other are among the mistakes above.
REFUSED: list[tuple[Any, dict[str, tuple]]] = [
    (
        small_config(),
        {
            "task": (*NO_OBJECT, Cart),
            "policy": (*NO_OBJECT, hebbax.Hebbian),
            "genome": (*NO_OBJECT, hebbax.Normal),
            "strategy": (*NO_OBJECT, hebbax.ScoreFunction),
            "encoding": (*NO_OBJECT, hebbax.Direct),
            "generations": NO_COUNT,
            "held_out": ("heavier", 3, ["heavy"]),
            "penalty": (*NO_NUMBER, None, -0.1),
            "common_random_numbers": ("pair", None, True),
            "seed": (*NO_INTEGER, None, -1, 2**32),
            "precision": ("tf32", None, 32),
            "chunk_size": (*NO_INTEGER, 0),
            "generations_per_call": NO_COUNT,
            "normalize_observations": NO_FLAG,
            "checkpoint_every": NO_COUNT,
            "evaluate_every": (*NO_INTEGER, 0),
            "evaluation_episodes": NO_COUNT,
        },
    ),
    (
        hebbax.Quadruped(),
        {
            "body": ("Bullet", None, 1),
            "variation_set": ("papers", None),
            "episode_steps": (*NO_COUNT, 40),
            "burn_in_steps": (*NO_INTEGER, None, -1, 1000),
        },
    ),
    (
        hebbax.CarRacing(),
        {
            "view": ("pixel", None),
            "view_size": NO_COUNT,
            "variation_set": ("najarro", None),
            "episode_steps": NO_COUNT,
            "patience": (*NO_INTEGER, 0),
            "lap_complete_percent": (*NO_NUMBER, -0.1, 95.0),
            "is_squashed": NO_FLAG,
        },
    ),
    (
        hebbax.Hebbian(),
        {
            "hidden_sizes": NO_SIZES,
            "rule": (*NO_OBJECT, hebbax.ABCD),
            "initial_range": (*NO_NUMBER, None, -0.1),
            "has_evolved_weights": NO_FLAG,
            "bound": ("largest magnitude", None, True),
            "is_output_linear": NO_FLAG,
            "has_biases": NO_FLAG,
            "has_modulator": NO_FLAG,
            "activation": NO_ACTIVATION,
            "is_recurrent": NO_FLAG,
        },
    ),
    (hebbax.Static(), FIXED_WEIGHTS | {"hidden_sizes": NO_SIZES}),
    (LSTM(), FIXED_WEIGHTS),
    (GRU(), FIXED_WEIGHTS),
    (
        Convolutional(),
        {
            "head": (*NO_OBJECT, hebbax.Static),
            "channels": (*NO_SIZES, ()),
            "kernels": (*NO_SIZES, (3,)),
            "strides": (*NO_SIZES, (1, 1, 1)),
            "pool": NO_COUNT,
            "activation": NO_ACTIVATION,
        },
    ),
    (hebbax.Normal(), {"init_scale": (*NO_NUMBER, None, -0.1)}),
    (
        SharedRules(rho=3),
        {
            "rho": (*NO_NUMBER, None, 0.5),
            "num_rules": (*NO_INTEGER, 0, 3),
            "init_scale": (*NO_NUMBER, None, -0.1),
            "sharpness": (*NO_NUMBER, None, -0.1),
        },
    ),
    (
        FixedRules(num_rules=3),
        {
            "rho": (*NO_NUMBER, 0.5, 3),
            "num_rules": NO_COUNT,
            "init_scale": (*NO_NUMBER, None, -0.1),
        },
    ),
    (Joint((("rules", hebbax.Normal()),)), {"parts": (*NO_PARTS, (("rules", hebbax.Normal),))}),
    (
        hebbax.ScoreFunction(),
        {
            "population_size": (*NO_COUNT, 1, 7),
            "is_mirrored": NO_FLAG,
            "std": (*NO_SCHEDULE, None),
            "optimizer": (*NO_OPTIMIZER, None),
        },
    ),
    (
        Evosax(),
        {
            "algorithm": ("snes", None),
            "population_size": (*NO_COUNT, 1),
            "parameters": (
                ("std_init", 0.1),
                (("std_init", "0.1"),),
                (("std_init", float("nan")),),
            ),
            "optimizer": NO_OPTIMIZER,
            "std": NO_SCHEDULE,
        },
    ),
    (
        hebbax.Schedule(0.1),
        {
            "initial": (*NO_NUMBER, None, 0.0, -0.1, 1e-50),
            "decay": (*NO_NUMBER, None, 0.0, 1.1),
            "floor": (*NO_NUMBER, None, -0.1, 0.2),
        },
    ),
    (Sgd(), {"learning_rate": (*NO_SCHEDULE, None), "momentum": (*NO_NUMBER, None, -0.1, 1.0)}),
    (
        Adam(),
        {
            "learning_rate": (*NO_SCHEDULE, None),
            "b1": (*NO_NUMBER, None, -0.1, 1.0),
            "b2": (*NO_NUMBER, None, -0.1, 1.0),
        },
    ),
    (Natural(), {"optimizer": (*NO_OPTIMIZER, None)}),
    (
        PerPart(()),
        {
            "parts": (*NO_PARTS, (("", Sgd()),), (("mean", Sgd()), ("mean", Adam()))),
            "rest": (*NO_OPTIMIZER, None),
        },
    ),
    (Lesion(0, 0), {"layer": (*NO_INTEGER, None, -1), "step": (*NO_INTEGER, None, -1)}),
]


@pytest.mark.parametrize(
    ("specification", "refused"), REFUSED, ids=lambda value: type(value).__name__
)
def test_every_field_refuses_what_it_cannot_be(specification: Any, refused: dict[str, tuple]):
    """No field of a specification lacks a row.

    Wrong types, booleans as numbers, what is not finite, out of bounds or misspelt is refused by
    the field's name.

    Mutations: a field without its rule; a rule that takes booleans, NaN or infinity.
    """
    assert [field.name for field in dataclasses.fields(specification)] == list(refused)
    for field, values in refused.items():
        for value in values:
            with pytest.raises(ValueError, match=rf"\b{field}\b"):
                dataclasses.replace(specification, **{field: value})


@pytest.mark.parametrize(
    "specification",
    [specification for specification, _ in REFUSED],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("convert", [np.float32, np.float64, jnp.asarray])
def test_numbers_of_numpy_are_numbers(specification: Any, convert: Callable[[Any], Any]):
    """They become Python's: the specification is equal, has the same hash, can be written.

    Mutation: a rule that keeps what it was given.
    """
    for field in dataclasses.fields(specification):
        value = getattr(specification, field.name)
        if isinstance(value, bool):
            given = np.bool_(value) if convert is not jnp.asarray else jnp.asarray(value)
        elif isinstance(value, int):
            given = np.int64(value) if convert is not jnp.asarray else jnp.asarray(value)
        elif isinstance(value, float):
            value = float(np.float32(value))
            given = convert(value)
        elif isinstance(value, tuple) and all(isinstance(size, int) for size in value):
            given = list(value) if convert is not jnp.asarray else np.asarray(value, np.int32)
        else:
            continue
        expected = dataclasses.replace(specification, **{field.name: value})
        again = dataclasses.replace(specification, **{field.name: given})
        assert (again, hash(again)) == (expected, hash(expected))
        assert type(getattr(again, field.name)) is type(value)
        assert json.dumps(dataclasses.asdict(again), default=str) == json.dumps(
            dataclasses.asdict(expected), default=str
        )


ONE = {"plastic": small_config()}


@pytest.mark.parametrize(
    ("function", "arguments", "words"),
    [
        (
            train_together,
            {"runs": [("quadruped", None)]},
            "config is 'quadruped', but must be a Config",
        ),
        (train_together, {"runs": [(small_config(), 3)]}, "run_dir is 3, but must be a path"),
        (
            train_together,
            {"runs": [(small_config(), None)], "callbacks": [3]},
            r"callbacks is \[3\], but must be a list of functions",
        ),
        (
            hebbax.evaluate,
            {"run": "nowhere", "episodes": 2.5},
            "episodes is 2.5, but must be a whole number, 2 or more",
        ),
        (
            hebbax.evaluate,
            {"run": "nowhere", "is_best": "no"},
            "is_best is 'no', but must be True or False",
        ),
        (
            train_together,
            {"runs": [(small_config(), None)], "distributed": 1.5},
            "distributed is 1.5, but must be True or False",
        ),
        (
            hebbax.sweep,
            {"methods": ONE, "distributed": True, "executor": ThreadPoolExecutor(1)},
            "distributed is True, but the work is the executor's",
        ),
        (hebbax.use_cpu_cores, {"count": 0}, "count is 0, but must be 1 or more"),
        (hebbax.use_cpu_cores, {"count": True}, "count is True, but must be a whole number"),
        (
            hebbax.sweep,
            {"methods": ONE, "seeds": -1},
            "seeds is -1, but must be 0 or more: how many, or a list",
        ),
        (hebbax.sweep, {"methods": ONE, "seeds": 2.5}, "seeds is 2.5, but must be a whole number"),
        (hebbax.sweep, {"methods": ONE, "seeds": [0, True]}, r"seeds is \(0, True\), but must be"),
        (
            hebbax.sweep,
            {"methods": ONE, "seeds": np.asarray([-1])},
            r"seeds is \(-1,\), but must be",
        ),
        (
            hebbax.sweep,
            {"methods": ONE, "folds": "heavier"},
            "folds is 'heavier', but must be 'all', 'none' or some of light, medium, heavy",
        ),
        (
            hebbax.sweep,
            {"methods": ONE, "episodes": 2.5},
            "episodes is 2.5, but must be a whole number",
        ),
        (
            hebbax.sweep,
            {"methods": {"plastic": 3}},
            "methods has 3 as 'plastic', but must have a Config",
        ),
        (hebbax.sweep, {"methods": [small_config()]}, "methods is .*, but must be a mapping"),
    ],
)
def test_arguments_are_refused_first(
    function: Callable[..., Any], arguments: dict[str, Any], words: str, tmp_path: Path
):
    """Before a folder is made or read. Mutation: each check left out in turn."""
    if function is hebbax.sweep:
        arguments = {"folder": tmp_path / "new", **arguments}
    with pytest.raises(ValueError, match=words):
        inspect.unwrap(function)(**arguments)  # Without the tests' own check of annotations.
    assert not list(tmp_path.iterdir())


def test_seeds_of_numpy_are_seeds():
    """An array of seeds, a number of NumPy, and each seed once."""
    for seeds in (np.arange(2), np.int64(2), [np.uint32(0), 1, 0]):
        wanted = sweeps._list_runs(ONE, Path("folder"), np.asarray(["heavy"]), seeds, 3, None)
        assert [one.run for one in wanted] == [
            Run("plastic", "heavy", seed, Path(f"folder/runs/plastic/heavy/seed-{seed}"))
            for seed in (0, 1)
        ]
        assert json.dumps([one.config.to_dict() for one in wanted])


NESTINGS = [
    PerPart((("rules", Adam()),), rest=Natural(Sgd())),
    PerPart((("rules", Natural(Sgd())),), rest=Natural(Adam())),
    Natural(PerPart((("rules", Natural(Sgd(momentum=0.5))),))),
]


@pytest.mark.usefixtures("lenient_promotion")  # for optax's Adam
@pytest.mark.parametrize("optimizer", NESTINGS, ids=["rest", "parts", "both"])
@pytest.mark.parametrize(
    "genome",
    [
        SharedRules(rho=3),
        FixedRules(rho=3),
        Joint((("rules", FixedRules(rho=3)), ("weights", hebbax.Normal()))),
    ],
)
def test_optimisers_nest(optimizer: Any, genome: Any):
    """Natural scaling fits into parts and around them, for every genome that has it.

    Mutation: the genome taken from optax's parameters, which `partition` masks, fails in the first
    step.
    """
    policy = hebbax.Hebbian(hidden_sizes=(3,), has_evolved_weights=isinstance(genome, Joint))
    strategy = hebbax.ScoreFunction(population_size=8, is_mirrored=False, optimizer=optimizer)
    hebbax.check(small_config(policy=policy, genome=genome, strategy=strategy))


@dataclasses.dataclass(frozen=True)
class Halting:
    """An optimiser whose steps fail."""

    def build(self) -> optax.GradientTransformation:
        """A transformation that knows no such number."""
        return optax.stateless(lambda updates, _: {}["learning_rate"])


@pytest.mark.parametrize(
    ("strategy", "words"),
    [
        (
            hebbax.ScoreFunction(population_size=8, optimizer=Halting()),
            r"strategy\.tell cannot be run, at .*test_config.py:\d+: KeyError: 'learning_rate'",
        ),
        (
            Evosax("Open_ES", population_size=8, optimizer=Natural()),
            "scales by 'natural_gradient', but the strategy searches without a genome",
        ),
        (
            hebbax.ScoreFunction(population_size=8, optimizer=PerPart((("std", Sgd()),))),
            "parts names 'std', but the genome has .*mean",
        ),
    ],
)
def test_steps_that_cannot_be_taken_are_refused(strategy: Any, words: str):
    """A configuration is tried as far as its first step. Mutation: no trial of `tell`."""
    with pytest.raises(ValueError, match=words):
        hebbax.check(small_config(strategy=strategy))


def test_values_that_cannot_be_written_are_refused():
    """A configuration that could not be read back is refused when it is written."""

    class Loose:
        """A policy that is no dataclass."""

        def __getattr__(self, name: str) -> Any:
            return getattr(small_config().policy, name)

    with pytest.raises(ValueError, match="frozen dataclasses of numbers"):
        dataclasses.replace(small_config(), policy=Loose()).to_dict()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'{"format": 0, "config": {}}', "has format 0, but this version of hebbax reads format 2"),
        (b'{"format": 1, "config": {}}', "reads format 2; hebbax 0.1 reads it"),
        (b"{}", "has format None"),
        (b'{"format": 2}', "'config'"),
        (b'{"format": 2, "config": {"class": "hebbax.config:Config"}}', "'task'"),
        (
            b'{"format": 2, "config": {"class": "nowhere:Config"}}',
            "nowhere:Config, whose module is not trusted",
        ),
        (
            b'{"format": 2, "config": {"class": "hebbax.config:Gone"}}',
            "hebbax.config:Gone, but hebbax.config has no such class",
        ),
        (b'{"format": 1, ', "property name"),
        (b"\xff\xfe", "decode"),
    ],
)
def test_unreadable_files_are_named(tmp_path: Path, content: bytes, reason: str):
    """A configuration of another version, or a damaged one, is refused with its path."""
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(ValueError, match="cannot be read") as error:
        hebbax.Config.load(tmp_path)
    assert str(tmp_path / "config.json") in str(error.value)
    assert reason in str(error.value)


def test_folders_without_a_run_are_named(tmp_path: Path):
    """Neither an empty folder nor a file is a run."""
    file = tmp_path / "file"
    file.touch()
    for path in (tmp_path, file):
        with pytest.raises(ValueError, match=r"is no run: it has no config\.json") as error:
            hebbax.Config.load(path)
        assert str(path) in str(error.value)
