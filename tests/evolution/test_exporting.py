"""A network in NumPy alone does what it does in JAX."""

import ast
import dataclasses
import importlib.util
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hebbax
from hebbax.encodings import Tied
from hebbax.evolution import Setup, observations
from hebbax.evolution.exporting import CODE, export
from hebbax.evolution.generation import initial_state
from hebbax.evolution.result import Result
from hebbax.policies import GRU, LSTM, Convolutional
from hebbax.rules import ABCD, Decay, Every, Modulated, Oja
from small_run import small_config

RULES = [
    *(ABCD(terms, rate) for terms in ("A", "ABC") for rate in ("none", "inside")),
    *(ABCD("ABCD", rate) for rate in ("none", "inside", "outside", "both")),
    *(Oja(), Decay(Oja(), 0.1), Every(ABCD(), 3)),
    *(Modulated(Every(ABCD(), 2), by=by) for by in ("reward", "surprise", "neuron")),
]
STRATEGY = hebbax.ScoreFunction(4)
POLICIES = [
    hebbax.Static((3, 4)),
    hebbax.Static((), is_output_linear=True),
    hebbax.Static((3, 4), activation="gelu"),
    LSTM((3, 4)),
    GRU((3, 4), activation="elu"),
    hebbax.Hebbian((3, 2), activation="silu", is_recurrent=True, bound="row_norm", has_biases=True),
    hebbax.Hebbian((3,), activation="relu", is_recurrent=True),
    *(
        hebbax.Hebbian((3,), rule=rule, has_modulator=getattr(rule, "needs_modulator", False))
        for rule in RULES
    ),
    *(hebbax.Hebbian((3, 2), bound=bound, has_biases=True) for bound in ("largest", "clip")),
    hebbax.Hebbian((3,), bound="row_norm", has_evolved_weights=True, is_output_linear=True),
]


@dataclasses.dataclass(frozen=True)
class Pictures:
    """A cart that is seen in pictures and has a driver's controls."""

    observation_shape = (24, 25, 3)
    action_size = 3
    max_steps = 3

    @property
    def variations(self) -> dict[str, jax.Array]:
        return {"default": jnp.zeros(())}

    def reset(self, key: jax.Array, variation: jax.Array) -> Any:
        return jnp.zeros(()), jnp.full(self.observation_shape, 0.5)

    def step(self, state: jax.Array, action: jax.Array, variation: jax.Array) -> Any:
        return state, jnp.full(self.observation_shape, 0.5), state, jnp.zeros((), bool)


def exported(folder: Path) -> Any:
    """The module that was written, from its file."""
    specification = importlib.util.spec_from_file_location("exported", folder / CODE.name)
    assert specification
    assert specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module.Policy.load(folder / "policy.npz")


def compare(
    config: hebbax.Config, folder: Path, num_steps: int, result: Result | None = None
) -> None:
    """Acts in both with the same first weights, observations and rewards."""
    result = result or Result.of(config, initial_state(config), [])
    export(result, folder)
    setup, policy = Setup.of(config), config.policy
    phenotype = setup.read(result.wiring, setup.express(result.wiring, result.genome.mode()))
    memory = policy.reset(jax.random.key(3), phenotype)
    theirs = exported(folder)
    first = getattr(memory, "weights", None)
    copied = theirs.reset(weights=first and [np.asarray(layer) for layer in first])
    act = jax.jit(policy.act)
    random = np.random.default_rng(0)
    for _ in range(num_steps):
        observation = random.uniform(-0.5, 0.5, config.task.observation_shape)
        observation = observation.astype(np.float32)
        reward = np.float32(random.normal())
        seen = observation
        if config.normalize_observations:
            raw = jnp.asarray(observation)
            seen = observations.look(result.wiring.statistics, raw)
        action, memory = act(phenotype, memory, seen, reward)
        their_action, copied = theirs.act(copied, observation, reward)
        np.testing.assert_allclose(their_action, action, rtol=0, atol=1e-5)


@pytest.mark.parametrize("policy", POLICIES, ids=str)
def test_a_network_acts_the_same(policy: Any, tmp_path: Path):
    """Over 100 steps within 1e-5.

    Mutations: an update before the action; gates in another order; a bias left unbounded.
    """
    config = small_config(policy=policy, strategy=STRATEGY, genome=hebbax.Normal(init_scale=0.03))
    compare(config, tmp_path, num_steps=100)


def test_what_is_exported_is_what_the_network_lives_with(tmp_path: Path):
    """Shared rules are written out. Mutation: the genotype instead of the phenotype."""
    config = small_config(
        encoding=Tied(num_rules=2), strategy=STRATEGY, genome=hebbax.Normal(init_scale=0.1)
    )
    compare(config, tmp_path, num_steps=20)


def test_observations_are_normalised(tmp_path: Path):
    """With the run's statistics. Mutation: without the mean."""
    config = small_config(normalize_observations=True, generations=2)
    compare(config, tmp_path, num_steps=20, result=hebbax.train(config))


def test_eyes_see_the_same(tmp_path: Path):
    """Convolutions in NumPy are those of JAX. Mutations: no maximum; rows for columns."""
    policy = Convolutional(
        hebbax.Hebbian((3,), is_output_linear=True), strides=(2, 1), kernels=(4, 2)
    )
    config = hebbax.Config(Pictures(), policy, hebbax.Normal(init_scale=0.05), STRATEGY)
    compare(config, tmp_path, num_steps=10)


def test_first_weights_are_drawn_as_in_training(tmp_path: Path):
    """Uniform within the range, new for each seed. Mutation: zeros."""
    export(Result.of(small_config(), initial_state(small_config()), []), tmp_path)
    policy = exported(tmp_path)
    weights = np.concatenate(
        [layer.ravel() for seed in range(50) for layer in policy.reset(seed=seed)[0]]
    )
    assert np.abs(weights).max() <= 0.1
    assert weights.std() == pytest.approx(0.1 / np.sqrt(3), rel=0.1)


def test_the_code_needs_numpy_alone():
    """Mutation: an import of hebbax or JAX."""
    tree = ast.parse(CODE.read_text())
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported - sys.stdlib_module_names == {"numpy"}


def test_other_networks_are_refused(tmp_path: Path):
    """Nothing is written of a network that the code does not have."""

    class Own(type(small_config().policy)):
        pass

    result = Result.of(small_config(), initial_state(small_config()), [])
    other = dataclasses.replace(result, config=small_config(policy=Own((3,))))
    with pytest.raises(ValueError, match=r"run has a network of .*Own, but only"):
        export(other, tmp_path / "new")
    assert not (tmp_path / "new").exists()
