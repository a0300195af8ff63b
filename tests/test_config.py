"""Configurations: written down and read back, and what they refuse."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import hebbax
from hebbax.genomes.shared import FixedRules, SharedRules
from hebbax.strategies.optimizers import Adam, PerPart, Sgd
from small_run import small_config
from small_task import Cart


@dataclasses.dataclass(frozen=True)
class Elsewhere:
    """A specification that another process cannot import once this module is gone."""

    variations = {"only": 0.0}  # noqa: RUF012


def test_configuration_survives_json():
    """Reading what was written gives an equal configuration, a task of one's own and nested specifications included."""
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
    (lambda: small_config(task=Elsewhere(), held_out="only"), "held_out", "'only'", "None"),
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
        lambda: hebbax.ScoreFunction(is_mirrored=False, common_random_numbers="pairs"),
        "strategy.common_random_numbers",
        "'pairs'",
        "'population'",
    ),
    (lambda: hebbax.Schedule(-0.1), "initial", "-0.1", "above 0"),
    (lambda: hebbax.Schedule(0.1, decay=1.5), "decay", "1.5", "at most 1"),
    (lambda: hebbax.Schedule(0.1, floor=0.2), "floor", "0.2", "between 0 and initial, 0.1"),
    (lambda: Sgd(momentum=1.0), "strategy.optimizer.momentum", "1.0", "[0, 1)"),
    (lambda: hebbax.Adam(b2=1.0), "strategy.optimizer.b2", "1.0", "[0, 1)"),
    (lambda: hebbax.Hebbian(hidden_sizes=(8, 0)), "policy.hidden_sizes", "(8, 0)", "1 neuron or more"),
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
        (SharedRules(rho=10), {"is_mirrored": False}, "genome.rho is 10, but must be between 1 and 9"),
        (FixedRules(num_rules=10), {"is_mirrored": False}, "genome.num_rules is 10, but must be between 1 and 9"),
        (SharedRules(rho=3), {}, "strategy.is_mirrored is True, but shared rules are a mixture"),
        (
            SharedRules(rho=3),
            {"is_mirrored": False, "optimizer": PerPart((("filters", Adam()),))},
            "strategy.optimizer.parts names 'filters', but the genome has logits, rules, std",
        ),
    ],
)
def test_parts_that_do_not_fit_each_other_are_refused(genome: Any, strategy: dict[str, Any], words: str):
    """What only genome, policy and strategy together can know is found when the configuration is built. Mutation: no trial start in `Config`."""
    with pytest.raises(ValueError, match=words):
        small_config(genome=genome, strategy=hebbax.ScoreFunction(population_size=8, **strategy))


def test_values_that_cannot_be_written_are_refused():
    """A configuration that could not be read back is refused when it is written."""

    class Loose:
        """A policy that is no dataclass."""

        genotype_shape = staticmethod(small_config().policy.genotype_shape)

    with pytest.raises(ValueError, match="frozen dataclasses of numbers"):
        dataclasses.replace(small_config(), policy=Loose()).to_dict()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'{"format": 0, "config": {}}', "has format 0, but this version of hebbax reads format 1"),
        (b"{}", "has format None"),
        (b'{"format": 1}', "'config'"),
        (b'{"format": 1, "config": {"class": "hebbax.config:Config"}}', "'task'"),
        (b'{"format": 1, "config": {"class": "nowhere:Config"}}', "nowhere:Config, whose module is not trusted"),
        (b'{"format": 1, "config": {"class": "hebbax.config:Gone"}}', "hebbax.config:Gone, but hebbax.config has no such class"),
        (b'{"format": 1, ', "property name"),
        (b"\xff\xfe", "decode"),
    ],
)
def test_unreadable_files_are_named(tmp_path: Path, content: bytes, reason: str):
    """A configuration of another version, or damaged in some way, is refused with its path and the reason."""
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
