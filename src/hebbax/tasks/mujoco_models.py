"""Environments of libraries that stand on MuJoCo, made once for each variation of their model.

A variation multiplies fields of the `mujoco.MjModel` *before* the library compiles it for JAX, and
MuJoCo then computes what it derives from them: what the inertia of a whole tree is, how heavy a
joint or a contact feels. Who changes what was compiled instead leaves these as they were, and its
contacts are wrong without a word.
"""

# pyright: reportAttributeAccessIssue=false
# It does not see what `mujoco` takes from its compiled modules.

import contextlib
import copy
import dataclasses
import functools
import inspect
import threading
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType, ModuleType
from typing import Any, final

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
from jaxtyping import Array

from hebbax.tasks.libraries import physics_rules
from hebbax.tasks.variants import Changes, Numbers

# What fields are named after, and how a model is asked for one such thing by its name.
THINGS = MappingProxyType(
    {
        "actuator": "actuator",
        "body": "body",
        "dof": "joint",
        "geom": "geom",
        "jnt": "joint",
        "site": "site",
        "tendon": "tendon",
    }
)
OPTIONS = ("density", "gravity", "timestep", "viscosity", "wind")


@final
@dataclasses.dataclass(frozen=True, eq=False)
class World:
    """An environment in all of its variations.

    environment: unchanged, as its library makes it.
    treedef: of all that the environment holds.
    held: what the environment holds, by where it is; arrays in NumPy, so that programs on any
        device may close over them.
    is_array: whether it is an array of JAX in the environment.
    variations: by name what differs between any two of them.
    models: by name the changed models; empty where an environment has none.
    """

    environment: Any
    treedef: Any
    held: Mapping[str, Any]
    is_array: tuple[bool, ...]
    variations: Mapping[str, Mapping[str, np.ndarray]]
    models: Mapping[str, mujoco.MjModel]

    def variation(self, name: str) -> dict[str, Array]:
        """What differs between variations, as this one has it."""
        differing = self.variations[name] or {"": np.zeros((), np.float32)}
        # Where nothing varies there is still something to stack.
        return {place: jnp.asarray(value) for place, value in differing.items()}

    def within(self, variation: Mapping[str, Array]) -> Any:
        """The environment with a variation's arrays in the place of its own."""
        leaves = [
            variation[place] if place in variation else jnp.asarray(value) if is_array else value
            for (place, value), is_array in zip(self.held.items(), self.is_array, strict=True)
        ]
        environment = copy.copy(self.environment)
        for name, value in jax.tree.unflatten(self.treedef, leaves).items():
            is_own = inspect.ismethod(value) and value.__self__ is self.environment
            vars(environment)[name] = value.__func__.__get__(environment) if is_own else value
        return environment

    @functools.cached_property
    def step_duration(self) -> float:
        """Seconds that one step of the environment takes."""
        with jax.ensure_compile_time_eval():
            return float(self.environment.dt)

    @functools.cached_property
    def observation_size(self) -> int:
        """How many numbers are observed."""
        with physics_rules():
            state = jax.eval_shape(self.environment.reset, jax.random.PRNGKey(0))
        return sum(leaf.size for leaf in jax.tree.leaves(state.obs))


def build_world(
    make: Callable[[], Any], taker: tuple[ModuleType, str], environment: str, changes: Changes
) -> World:
    """Makes an environment in all variations, which takes a second or so for each.

    Args:
        make: makes the environment.
        taker: where its library takes the model: see `changed_models`.
        environment: its name, for errors.
        changes: for each variation its name and its factors of the model's fields.

    Raises:
        ValueError: if a field is none of the model's, or nothing comes of a variation's factors.
    """
    with jax.ensure_compile_time_eval(), physics_rules():
        plain = make()
        made = {
            name: _make_changed(make, taker, environment, name, factors)
            for name, factors in changes
        }
    held = _held_by(plain)
    others = {name: _held_by(changed) for name, (changed, _) in made.items()}
    for name, factors in changes:
        if any(factor != 1 for _, factor in factors) and not _differing(held, [others[name]]):
            raise ValueError(
                f"task.variations[{name!r}] changes {', '.join(dict(factors))}, but "
                f"{environment} computes with other numbers: nothing comes of it"
            )
    differing = _differing(held, list(others.values()))
    leaves, treedef = jax.tree.flatten(vars(plain))
    return World(
        environment=plain,
        treedef=treedef,
        held=held,
        is_array=tuple(isinstance(leaf, jax.Array) for leaf in leaves),
        variations={
            name: {place: np.asarray(other[place]) for place in differing}
            for name, other in others.items()
        },
        models={name: seen[-1] for name, (_, seen) in made.items() if seen},
    )


def _make_changed(
    make: Callable[[], Any],
    taker: tuple[ModuleType, str],
    environment: str,
    name: str,
    factors: Numbers,
) -> tuple[Any, list[mujoco.MjModel]]:
    """An environment in a variation, and the models that it was made of."""
    place = f"task.variations[{name!r}]"
    with changed_models(taker, factors, place) as seen:
        changed = make()
    if factors and not seen:
        raise ValueError(
            f"{place} changes {factors[0][0]!r}, but {environment} has no model of MuJoCo"
        )
    return changed, seen


@contextlib.contextmanager
def changed_models(
    taker: tuple[ModuleType, str], factors: Numbers, place: str = "factors"
) -> Iterator[list[mujoco.MjModel]]:
    """Has this thread's environments change their model before they give it to their library.

    An environment reads its own file when it is made, and afterwards sets steps, solvers and
    motors of what was compiled: so the environment itself is made, while the one function that
    all of them hand their model to changes it first. That holds for every backend. Other threads
    load what they would have loaded; of those that change models one at a time may be here, as
    within `quiet_loading`.

    Args:
        taker: a module of the library, and the name of its function whose first argument is the
            model.
        factors: of the model's fields.
        place: what is at fault where there is no such field.

    Yields:
        The changed models, as they are handed over.
    """
    module, name = taker
    compile_model, thread, seen = getattr(module, name), threading.get_ident(), []

    @functools.wraps(compile_model)
    def change_and_compile(model: mujoco.MjModel, *arguments: Any, **options: Any) -> Any:
        if threading.get_ident() == thread:
            multiply_fields(model, factors, place)
            seen.append(model)
        return compile_model(model, *arguments, **options)

    setattr(module, name, change_and_compile)
    try:
        yield seen
    finally:
        setattr(module, name, compile_model)


def multiply_fields(model: mujoco.MjModel, factors: Numbers, place: str = "factors") -> None:
    """Multiplies fields of a model, and computes what MuJoCo derives from them.

    Args:
        model: is changed.
        factors: by a field's name such as `geom_friction` or `opt.gravity`, or by that and the
            name of one thing that has it, as in `body_mass:torso`.
        place: what is at fault where there is no such field.

    Raises:
        ValueError: if the model has no such field or no such thing.
    """
    if not factors:
        return
    is_mean = np.isclose(model.stat.meaninertia, np.mean(model.dof_M0))
    for field, factor in factors:
        owner, name, rows = _find(model, field, place)
        numbers = np.array(getattr(owner, name), float)
        numbers[rows] *= factor
        setattr(owner, name, numbers if numbers.ndim else float(numbers))
    mujoco.mj_setConst(model, mujoco.MjData(model))
    if is_mean:
        # By which solvers judge whether they are done. Unless a file gives it, it is derived as
        # well, but not by `mj_setConst`.
        model.stat.meaninertia = np.mean(model.dof_M0)


def _find(model: mujoco.MjModel, field: str, place: str) -> tuple[Any, str, Any]:
    """What has a field's numbers, under which name, and which of them are meant."""
    name, _, thing = field.partition(":")
    if name not in (known := list_fields(model)):
        raise ValueError(
            f"{place} changes {field!r}, but must change fields of the model that hold numbers "
            f"other than 0: {', '.join(known)}; for one thing alone, such as body_mass:NAME"
        )
    try:
        rows = _rows_of(model, name, thing) if thing else ...
    except KeyError as error:
        raise ValueError(
            f"{place} changes {field!r}, but there is nothing of that name: {error.args[0]}"
        ) from None
    if name.startswith("opt."):
        return model.opt, name.removeprefix("opt."), rows
    return model, name, rows


def list_fields(model: mujoco.MjModel) -> list[str]:
    """The fields of a model that can be multiplied: those with numbers other than 0.

    Without what they look like, and without what MuJoCo derives: masses of whole trees, and what
    ends in 0, of the pose 0.
    """
    fields = [name for name in dir(model) if name.partition("_")[0] in THINGS]
    numbers = {name: getattr(model, name) for name in fields}
    numbers |= {f"opt.{name}": getattr(model.opt, name) for name in OPTIONS}
    return [
        name
        for name, value in numbers.items()
        if not name.endswith(("_rgba", "_subtreemass", "0"))
        and np.issubdtype(np.asarray(value).dtype, np.floating)
        and np.any(value)
    ]


def _rows_of(model: mujoco.MjModel, field: str, thing: str) -> Any:
    """Where a field has the numbers of the thing of a name; a joint may have several."""
    kind = field.partition("_")[0]
    if kind not in THINGS:
        raise KeyError(f"{field} is of the whole model")
    number = getattr(model, THINGS[kind])(thing).id
    return model.dof_jntid == number if kind == "dof" else number


def _held_by(environment: Any) -> dict[str, Any]:
    """What an environment holds, by where it is; JAX's arrays as NumPy's."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(vars(environment))
    return {
        jax.tree_util.keystr(path, simple=True, separator="."): np.asarray(leaf)
        if isinstance(leaf, jax.Array)
        else leaf
        for path, leaf in leaves
    }


def _differing(held: Mapping[str, Any], others: list[dict[str, Any]]) -> list[str]:
    """Where numbers are that are not everywhere the same."""
    return [
        place
        for place, value in held.items()
        if isinstance(value, np.ndarray | float)
        and any(not np.array_equal(value, other[place], equal_nan=True) for other in others)
    ]
