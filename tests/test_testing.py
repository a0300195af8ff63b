import dataclasses
import itertools

import jax
import jax.numpy as jnp
import pytest

import hebbax
from hebbax import testing
from hebbax.genomes.normal import Normal, NormalGenome
from hebbax.policies.hebbian import Hebbian
from hebbax.policies.static import Static
from hebbax.strategies.score_function import ScoreFunction
from hebbax.types import Parameter
from small_task import Cart

GENOTYPE_SHAPE = (Parameter((2, 3), ("observation", "action"), "weight"),)


class Changed:
    """An object that does everything as another does, but for what it is given."""

    def __init__(self, original, **changes):
        self._original = original
        self.__dict__.update(changes)

    def __getattr__(self, name):
        return getattr(self._original, name)


def changed_step(place, change):
    """A cart one of whose results of a step is changed."""
    cart = Cart()

    def step(state, action, variation):
        results = list(cart.step(state, action, variation))
        results[place] = change(results[place])
        return tuple(results)

    return Changed(cart, step=step)


def with_heavy(change):
    return Changed(
        Cart(),
        variations={
            "light": Cart().variations["light"],
            "heavy": change(Cart().variations["heavy"]),
        },
    )


@dataclasses.dataclass
class Unhashable:
    cart: Cart = dataclasses.field(default_factory=Cart)

    def __getattr__(self, name):
        return getattr(Cart(), name)


class WithoutStep:
    variations = Cart().variations
    observation_shape, action_size, max_steps = (2,), 1, 5
    reset = Cart().reset


def counting_reset():
    """A reset that is another at every call."""
    counter = itertools.count()

    def reset(key, variation):
        state, observation = Cart().reset(key, variation)
        return state, observation + float(next(counter))

    return Changed(Cart(), reset=reset)


def untidy_jit():
    """A reset that does something else when it is compiled."""

    def reset(key, variation):
        state, observation = Cart().reset(key, variation)
        return state, observation + (1.0 if isinstance(observation, jax.core.Tracer) else 0.0)

    return Changed(Cart(), reset=reset)


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (WithoutStep(), r"task \(WithoutStep\) has no 'step'; needed are .*max_steps, reset, step"),
        (Unhashable(), "task cannot be hashed .*make it a frozen dataclass"),
        (Changed(Cart(), variations={}), "variations is empty"),
        (Changed(Cart(), variations=["light"]), "variations is a list, but must be a mapping"),
        (
            Changed(Cart(), variations={"default": ()}),
            r"variations\['default'\] is \(\), but must have at least one array",
        ),
        (
            Changed(Cart(), variations={"default": "light"}),
            r"variations\['default'\] has 'light' at its root, but must have arrays",
        ),
        (
            with_heavy(lambda heavy: heavy.replace(mass=jnp.ones(0))),
            r"variations\['heavy'\] has shape \(0,\) at \.mass, but no size may be zero",
        ),
        (
            Changed(Cart(), variations={3: Cart().variations["light"]}),
            "variations is 3, but must be a text that can name a folder",
        ),
        (
            Changed(Cart(), variations={"a/b": Cart().variations["light"]}),
            "variations is 'a/b', but must be a text that can name a folder, without /",
        ),
        (
            with_heavy(lambda heavy: heavy.replace(mass=jnp.ones(2))),
            r"variations\['heavy'\] has float32\[2\] at \.mass, but .*'light'.*\[\]; .*so that "
            r"variations stack",
        ),
        (
            with_heavy(lambda heavy: heavy.mass),
            r"variations\['heavy'\] is a tree of .*so that variations stack",
        ),
        (Changed(Cart(), max_steps=0), "max_steps is 0, but must be 1 or more"),
        (
            Changed(Cart(), max_steps=13.0),
            "max_steps is 13.0, but must be a whole number, 1 or more",
        ),
        (Changed(Cart(), action_size=0), "action_size is 0, but must be 1 or more"),
        (
            Changed(Cart(), observation_shape=(0,)),
            r"observation_shape is \(0,\), but must be a tuple of sizes of 1 or more",
        ),
        (
            Changed(Cart(), observation_shape=2),
            "observation_shape is 2, but must be a tuple of sizes",
        ),
        (
            Changed(Cart(), observation_shape=(3,)),
            r"observation that task\.reset returns has shape \(2,\), but must have \(3,\)",
        ),
        (
            changed_step(0, lambda state: state.replace(step=state.position)),
            r"state that task\.step returns has float32\[\] at \.step, but .*int32",
        ),
        (
            changed_step(0, lambda state: state.position),
            r"state that task\.step returns is a tree of",
        ),
        (
            changed_step(1, lambda observation: observation[:1]),
            r"observation that task\.step returns has shape \(1,\), but must have \(2,\)",
        ),
        (
            changed_step(1, lambda observation: observation.astype(jnp.int32)),
            "observation that task.step returns has dtype int32, but must be floating",
        ),
        (
            changed_step(2, lambda reward: reward[None]),
            r"the reward that task.step returns has shape \(1,\), but must have \(\)",
        ),
        (
            changed_step(3, lambda is_end: is_end.astype(jnp.float32)),
            "the end of the episode that task.step returns has dtype float32, but must be bool",
        ),
        (
            Changed(
                Cart(), step=lambda state, action, variation: (state, jnp.zeros(2), jnp.zeros(()))
            ),
            r"task\.step returns 3 results, but must return 4",
        ),
        (
            Changed(Cart(), step=lambda state, action, variation: state.speed or state),
            r"task\.step cannot be run, at .*test_testing.py:\d+: TracerBoolConversionError",
        ),
        (
            changed_step(2, lambda reward: reward + jnp.nan),
            r"the reward that task\.step returns is not finite: nan",
        ),
        (counting_reset(), r"task\.reset returns another value when it is called again"),
        (untidy_jit(), r"task\.reset returns another value under jax\.jit"),
    ],
)
def test_check_task_names_the_misfit(task, message):
    """Each planted misfit is found, and named with what was given and what is needed.

    Mutation: each check left out in turn.
    """
    with pytest.raises(ValueError, match=message):
        testing.check_task(task)


@pytest.mark.parametrize(
    "task",
    [
        Changed(Cart(), variations={"default": ()}),
        Changed(Cart(), observation_shape=(0,)),
        Changed(Cart(), max_steps=13.0),
        Changed(
            Cart(), reset=lambda key, variation: (Cart().reset(key, variation)[0], jnp.zeros(3))
        ),
        changed_step(0, lambda state: state.position),
        changed_step(1, lambda observation: observation[:1]),
        changed_step(2, lambda reward: reward[None]),
        changed_step(3, lambda is_end: is_end.astype(jnp.float32)),
    ],
)
def test_training_says_the_same_first(task):
    """What does not fit is refused in the words of the check before a generation is compiled.

    Mutation: rollouts that do not look at what tasks return.
    """
    with pytest.raises(ValueError, match=r"but must|must be equal") as expected:
        testing.check_task(task)
    strategy = ScoreFunction(population_size=2)
    with pytest.raises(ValueError, match=r"but must|must be equal") as error:
        hebbax.train(
            hebbax.Config(
                task=task, policy=Static(hidden_sizes=()), genome=Normal(), strategy=strategy
            )
        )
    assert str(error.value) == str(expected.value)


class Forgetful:
    """A policy whose memory changes its structure."""

    def parameters(self, task):
        return Static(hidden_sizes=()).parameters(task)

    def reset(self, key, phenotype):
        return ()

    def act(self, phenotype, memory, observation, reward):
        return observation @ phenotype[0], observation

    def plastic_weights(self, memory):
        return ()


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        (
            object(),
            r"policy \(object\) has no 'parameters'; needed are parameters, reset, act, plastic",
        ),
        (
            Changed(Static(), parameters=lambda task: (Parameter((2, 0), ("", ""), "weight"),)),
            r"policy\.parameters returns has a part of shape \(2, 0\), but no size may be zero",
        ),
        (
            Changed(Static(), parameters=lambda task: ()),
            r"policy\.parameters returns is \(\), but must have at least one Parameter",
        ),
        (
            Changed(Static(), parameters=lambda task: (jax.ShapeDtypeStruct((2, 1), jnp.int32),)),
            r"policy\.parameters returns has ShapeDtypeStruct.*, but must have .*Parameter alone",
        ),
        (
            Changed(Static(), parameters=lambda task: (Parameter((2, 1), ("",), "weight"),)),
            r"shape \(2, 1\) with the axes \('',\), but must name each axis",
        ),
        (
            Changed(Static(), act=lambda phenotype, memory, observation, reward: observation[:1]),
            r"policy\.act returns a ShapeDtypeStruct, but must return 2",
        ),
        (
            Forgetful(),
            r"memory that policy\.act returns is a tree of .*so that steps can be repeated",
        ),
        (
            Changed(
                Static(hidden_sizes=()),
                act=lambda phenotype, memory, observation, reward: (jnp.zeros(7), memory),
            ),
            r"action that policy\.act returns has shape \(7,\), but must have \(1,\)",
        ),
        (
            Changed(
                Static(hidden_sizes=()),
                act=lambda phenotype, memory, observation, reward: (
                    jnp.zeros(1, jnp.int32),
                    memory,
                ),
            ),
            "action that policy.act returns has dtype int32, but must be floating",
        ),
        (
            Changed(
                Hebbian(hidden_sizes=()),
                act=lambda phenotype, memory, observation, reward: (
                    jnp.zeros(1),
                    memory.replace(weights=(memory.weights[0].astype(jnp.float16),)),
                ),
            ),
            r"memory that policy\.act returns has float16\[2, 1\]",
        ),
    ],
)
def test_check_policy_names_the_misfit(policy, message):
    """Each planted misfit is found, and named with what was given and what is needed.

    Mutation: each check left out in turn.
    """
    with pytest.raises(ValueError, match=message):
        testing.check_policy(policy, Cart())


@jax.tree_util.register_pytree_node_class
class PlantedGenome:
    """A normal genome with functions replaced."""

    def __init__(self, genome, **changes):
        self.genome, self.changes = genome, changes
        for name, function in changes.items():
            setattr(
                self, name, lambda *arguments, function=function: function(self.genome, *arguments)
            )

    def tree_flatten(self):
        return (self.genome,), tuple(self.changes.items())

    @classmethod
    def tree_unflatten(cls, changes, children):
        return cls(children[0], **dict(changes))

    def __getattr__(self, name):
        if name.endswith("_gradient"):  # It would be that of another class.
            raise AttributeError(name)
        return getattr(self.genome, name)

    def learned(self):
        return PlantedGenome(self.genome.learned(), **self.changes)

    def with_std(self, std):
        return PlantedGenome(self.genome.with_std(std), **self.changes)


def planted(**changes):
    return Changed(
        Normal(), init=lambda key, shape: PlantedGenome(Normal().init(key, shape), **changes)
    )


@pytest.mark.parametrize(
    ("specification", "message"),
    [
        (object(), r"genome \(object\) has no 'init'"),
        (
            Changed(Normal(), init=lambda key, shape: jnp.zeros(3)),
            "has no 'sample'; needed are sample, log_prob, mode, with_std",
        ),
        (
            planted(sample=lambda genome, key: (genome.sample(key)[0][0],)),
            r"genotype that genome\.sample returns has float32\[3\] at \[0\], but .*float32\[2, "
            r"3\]",
        ),
        (
            planted(sample=lambda genome, key: genome.sample(key)[0]),
            r"genotype that genome\.sample returns is a tree of",
        ),
        (
            planted(mode=lambda genome: (genome.mean[0].T,)),
            r"genotype that genome\.mode returns has float32\[3, 2\]",
        ),
        (
            planted(log_prob=lambda genome, genotype: genotype[0][0]),
            r"log-density that genome\.log_prob returns has shape \(3,\), but must have \(\)",
        ),
        (
            planted(
                log_prob=lambda genome, genotype: jnp.sum(
                    jnp.sqrt(genotype[0] - genotype[0] + 0.0 * genome.mean[0])
                )
            ),
            r"gradient of genome\.log_prob is not finite",
        ),
        (
            planted(mirror=lambda genome, genotype: genotype[0]),
            r"genotype that genome\.mirror returns is a tree of",
        ),
        (
            planted(mirror=lambda genome, genotype: (genotype[0] + 1.0,)),
            r"genome\.mirror returns another genotype than the first when it is used twice",
        ),
        (
            planted(mirror=lambda genome, genotype: (3.0 - genotype[0],)),
            r"genome\.mirror returns a genotype that is not as probable",
        ),
        (
            planted(describe=lambda genome: {"means": genome.mean[0]}),
            r"info 'means' that genome\.describe returns has shape \(2, 3\)",
        ),
        (
            planted(natural_gradient=lambda genome, gradient: gradient.mean),
            r"what genome\.natural_gradient returns is a tree of",
        ),
        (
            planted(log_probs=lambda genome, genotypes: jnp.zeros(len(genotypes[0]))),
            r"genome\.log_probs returns another value than genome\.log_prob",
        ),
        (
            planted(with_std=lambda genome, std: genome.mean),
            r"genome that genome\.with_std returns is a tree of",
        ),
    ],
)
def test_check_genome_names_the_misfit(specification, message):
    """Each planted misfit is found, and named with what was given and what is needed.

    Mutation: each check left out in turn.
    """
    with pytest.raises(ValueError, match=message):
        testing.check_genome(specification, GENOTYPE_SHAPE)


STRATEGY = ScoreFunction(population_size=4)


def tell_with(info=None, change=lambda state: state):
    def tell(state, genotypes, fitness):
        state, own_info = STRATEGY.tell(state, genotypes, fitness)
        return change(state), own_info if info is None else info

    return tell


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        (object(), r"strategy \(object\) has no 'population_size'"),
        (
            Changed(STRATEGY, init=lambda key, genome: genome.std),
            "state that strategy.init returns .*has no 'genome'",
        ),
        (
            Changed(STRATEGY, population_size=1),
            r"strategy\.population_size is 1, but must be 2 or more",
        ),
        (
            Changed(STRATEGY, population_size=6),
            r"strategy\.ask returns has float32\[4, 2, 3\] at .*float32\[6, 2, 3\]",
        ),
        (
            Changed(
                STRATEGY,
                tell=tell_with(change=lambda state: state.replace(generation=jnp.zeros(()))),
            ),
            r"state that strategy\.tell returns has float32\[\] at \.generation, but .*int32\[\]; "
            r".*so that generations can follow",
        ),
        (
            Changed(STRATEGY, tell=tell_with(info={"norms": jnp.zeros(2)})),
            r"info 'norms' that strategy\.tell returns has shape \(2,\), but must be a number",
        ),
    ],
)
def test_check_strategy_names_the_misfit(strategy, message):
    """Each planted misfit is found, and named with what was given and what is needed.

    Mutation: each check left out in turn.
    """
    genome = NormalGenome(mean=(jnp.zeros((2, 3)),), std=jnp.asarray(0.1))
    with pytest.raises(ValueError, match=message):
        testing.check_strategy(strategy, genome)


def test_mirrored_pairs_need_a_mirror():
    """A strategy that mirrors refuses a genome without the function.

    Mutation: an attribute that is missing in the first generation.
    """

    @jax.tree_util.register_dataclass
    @dataclasses.dataclass(frozen=True)
    class OneSided:
        mean: jax.Array

        sample = log_prob = mode = NormalGenome.mode

        def with_std(self, std):
            return self

    with pytest.raises(
        ValueError,
        match=r"is_mirrored is True, but the genome \(OneSided\) has no 'mirror'; set it to False",
    ):
        testing.check_strategy(STRATEGY, OneSided(jnp.zeros(3)))
