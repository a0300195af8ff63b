"""Brax's environments as tasks: their own steps, with variations of their models."""

import dataclasses
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import brax
import jax
import jax.numpy as jnp
import mujoco
import numpy as np
import pytest
from brax import envs
from brax.io import mjcf

import hebbax
from hebbax.tasks import BraxTask
from hebbax.tasks.mujoco_models import changed_models
from hebbax.testing import check_task
from small_run import small_config

XML = (Path(brax.__file__).parent / "envs/assets/inverted_pendulum.xml").read_text()
HEAVY = {"body_mass": 2.0, "body_inertia": 2.0}
WEAK = {"actuator_gear:slide": 0.5}
TASK = BraxTask("inverted_pendulum", {"heavy": HEAVY, "weak": WEAK}, max_steps=20)
# What the file says where the variations give factors.
FILES = {
    "default": XML,
    "heavy": XML.replace("<geom contype", '<geom density="2000" contype'),
    "weak": XML.replace('gear="100"', 'gear="50"'),
}
# It has no physics but `generalized`, where Brax's code of fluids calls a function of JAX as it was
# before 0.10.
WITHOUT = {"swimmer"}

pytestmark = pytest.mark.usefixtures("lenient_promotion")


def numbers_of(tree: Any) -> dict[str, np.ndarray]:
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in leaves}


def test_a_task_is_named_before_anything_is_loaded():
    """Neither Brax nor MuJoCo is imported, and no backend of JAX is started."""
    code = """
import sys
import hebbax
task = hebbax.tasks.BraxTask("ant", {"heavy": {"body_mass": 2.0}})
config = hebbax.presets.for_task("brax:ant", variations={"heavy": {"body_mass": 2.0}})
assert list(config.task.variations) == ["default", "heavy"] and config.task == task
from jax._src import xla_bridge
assert not xla_bridge._backends, "JAX has been started"
print(sorted({"brax", "mujoco", "mujoco_playground"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "[]\n", done.stderr


def test_what_mujoco_derives_follows():
    """Bodies twice as heavy: so is the whole tree, and joints and contacts give half as much way.

    Mutations: masses changed without `mj_setConst`; the mean inertia as it was.
    """
    default, heavy = (TASK.variations.world.models[name] for name in ("default", "heavy"))
    np.testing.assert_allclose(heavy.body_subtreemass, 2 * default.body_subtreemass)
    np.testing.assert_allclose(heavy.dof_invweight0, default.dof_invweight0 / 2)
    np.testing.assert_allclose(heavy.body_invweight0, default.body_invweight0 / 2)
    assert heavy.stat.meaninertia == pytest.approx(2 * default.stat.meaninertia)


@pytest.mark.parametrize("variation", FILES)
def test_a_variation_is_what_a_changed_file_would_give(variation: str):
    """All numbers with which Brax and MuJoCo compute, as they are loaded from XML changed by hand.

    Mutations: factors of what is compiled; factors as values; all rows for the one named.
    """
    ours = TASK.variations.world.within(TASK.variations[variation]).sys
    theirs = numbers_of(mjcf.loads(FILES[variation]))
    for place, numbers in numbers_of(ours).items():
        if place != ".stat.meanmass":  # It is there for pictures alone.
            np.testing.assert_allclose(numbers, theirs[place], rtol=1e-6, err_msg=place)


def test_an_environments_own_settings_stay():
    """Brax's ant has a solver of its own for this physics, and what it sets by hand stays set."""
    task = BraxTask("ant", {"light": {"body_mass:torso": 0.5, "opt.gravity": 0.5}})
    world = task.variations.world
    ours, theirs = world.within(task.variations["light"]).sys, world.environment.sys
    assert ours.opt.iterations == theirs.opt.iterations == 1
    np.testing.assert_allclose(ours.opt.gravity, theirs.opt.gravity / 2)
    ratio = np.asarray(ours.link.inertia.mass / theirs.link.inertia.mass)
    assert list(ratio) == [0.5, *([1.0] * 8)]


def live(task: Any, key: jax.Array, variation: Any) -> tuple[jax.Array, ...]:
    """Where capsules are, and what is observed, at first; four observations, rewards and ends."""
    state, observation = task.reset(key, variation)
    places = task.scene("default").place(state)

    def step(state: Any, action: jax.Array) -> tuple[Any, tuple[jax.Array, ...]]:
        state, observation, reward, is_end = task.step(state, action, variation)
        return state, (observation, reward, is_end)

    _, seen = jax.lax.scan(step, state, jnp.asarray([[0.5], [-1.0], [3.0], [0.2]]))
    return places, observation, *seen


@pytest.fixture(scope="module")
def lives() -> tuple[Any, ...]:
    """Of two keys in three variations, under nested `vmap`."""
    keys = jax.random.split(jax.random.key(0), 2)
    variations = jax.tree.map(lambda *leaves: jnp.stack(leaves), *TASK.variations.values())
    inside = jax.vmap(lambda key, variation: live(TASK, key, variation), (None, 0))
    return jax.device_get(jax.jit(jax.vmap(inside, (0, None)))(keys, variations))


def test_steps_are_those_of_changed_environments(lives: tuple[Any, ...]):
    """Four steps of Brax's environment whose bodies were loaded from XML changed by hand.

    Mutations: the default's body for all; actions beyond 1 that are not clipped.
    """
    env: Any = envs.get_environment("inverted_pendulum", backend="mjx")
    systems = [mjcf.loads(file) for file in FILES.values()]
    key = jax.random.key_data(jax.random.split(jax.random.key(0), 2)[1])

    @jax.jit
    def their_life(leaves: Any) -> Any:
        env.sys = jax.tree.unflatten(jax.tree.structure(systems[0]), leaves)
        start = env.reset(key)

        def step(state: Any, action: jax.Array) -> tuple[Any, Any]:
            state = env.step(state, action)
            return state, (state.obs, state.reward, state.done)

        actions = jnp.asarray([[0.5], [-1.0], [1.0], [0.2]])
        return start.obs, *jax.lax.scan(step, start, actions)[1]

    for number, system in enumerate(systems):
        ours = [part[1, number] for part in lives[1:]]
        for mine, theirs in zip(ours, their_life(jax.tree.leaves(system)), strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-5)
    assert np.ptp(lives[2][1, :, -1], axis=0).max() > 0.01


def test_shapes_are_where_the_bodies_are(lives: tuple[Any, ...]):
    """The rail stays; the cart is where it is observed to be, and the pole stands on its middle.

    Mutations: bodies counted without the world; half lengths as lengths.
    """
    shapes = TASK.scene("default")
    (rail, cart, pole), (position, angle, *_) = (part[0, 0] for part in lives[:2])
    assert list(shapes.is_fixed) == [True, False, False]
    np.testing.assert_allclose(shapes.radii, [0.02, 0.1, 0.049], rtol=1e-6)
    np.testing.assert_allclose(np.sort(rail[:, 0]), [-1, 1], atol=1e-5)
    np.testing.assert_allclose(cart.mean(axis=0), [position, 0, 0], atol=1e-5)
    top = position + 0.6 * np.sin(angle) + 0.001 * np.cos(angle)
    np.testing.assert_allclose(np.max(pole[:, 2]), 0.6, atol=1e-3)
    np.testing.assert_allclose(pole[np.argmax(pole[:, 2]), 0], top, atol=1e-4)
    assert min(abs(position), abs(angle)) > 1e-3


def test_the_smallest_environment_passes_all_checks():
    """Brax's `fast` is no physics, so that it takes no time."""
    task = BraxTask("fast")
    check_task(task)
    assert (list(task.variations), task.observation_shape, task.action_size) == (
        ["default"],
        (2,),
        1,
    )
    with pytest.raises(ValueError, match="fast has no model of MuJoCo that could be drawn"):
        task.scene("default")


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted({*envs._envs} - {"fast"} - WITHOUT))
def test_every_registered_environment_is_a_task(name: str):
    """It passes all checks in two variations."""
    check_task(BraxTask(name, {"heavy": {"body_mass": 1.5, "body_inertia": 1.5}}))


@pytest.mark.parametrize("backend", ["generalized", "positional", "spring"])
def test_every_physics_has_its_variations(backend: Any):
    """Masses and motors are those of the changed model in each; the numbers of a file go on.

    Mutation: only what MuJoCo computes with is changed.
    """
    task = BraxTask("inverted_pendulum", {"heavy": HEAVY, "weak": WEAK}, backend)
    systems = [task.variations.world.within(task.variations[name]).sys for name in FILES]
    default, heavy, weak = systems
    np.testing.assert_allclose(heavy.link.inertia.mass, 2 * default.link.inertia.mass)
    np.testing.assert_allclose(heavy.link.invweight, default.link.invweight / 2)
    np.testing.assert_allclose(weak.actuator.gear, default.actuator.gear / 2)


def test_evolution_lives_in_all_variations_at_once(tmp_path: Path):
    """A population in two bodies, a third one held out, and a run that can be read back.

    Mutation: variations that do not stack.
    """
    task = BraxTask("inverted_pendulum", {"heavy": HEAVY, "weak": WEAK}, "spring", max_steps=4)
    config = small_config(task=task, generations=2, held_out="weak")
    result = hebbax.train(config, tmp_path)
    assert [list(metrics["returns"]) for metrics in result.history] == [["default", "heavy"]] * 2
    assert all(metrics["non_finite"] == 0 for metrics in result.history)
    assert hebbax.load(tmp_path).config == config
    assert hash(config) == hash(hebbax.Config.load(tmp_path))


@pytest.mark.slow
def test_a_leave_one_out_run_learns_and_is_filmed(tmp_path: Path):
    """Three bodies of a pole on a cart; the score rises, and the report shows a film."""
    pytest.importorskip("imageio_ffmpeg")
    pytest.importorskip("jinja2")
    begin: Any = hebbax.presets.for_task("brax:inverted_pendulum")
    config = dataclasses.replace(
        begin,
        task=dataclasses.replace(TASK, max_steps=100),
        strategy=dataclasses.replace(begin.strategy, population_size=32),
        generations=20,
        held_out="heavy",
    )
    result = hebbax.train(config, tmp_path)
    fitness = [metrics["fitness_mean"] for metrics in result.history]
    assert np.mean(fitness[-4:]) > np.mean(fitness[:4]) + 5
    page = hebbax.watching.write_report(tmp_path, films=1)
    assert (tmp_path / "films" / "heavy.mp4").exists()
    assert "<video" in page.read_text()


def test_other_threads_load_what_they_would_have():
    """A model that another thread loads meanwhile stays as it is, and so does Brax.

    Mutation: a change for whoever loads.
    """
    model = mujoco.MjModel.from_xml_string(XML)
    original, other = mjcf.load_model, []
    with changed_models((mjcf, "load_model"), (("body_mass", 2.0),)) as seen:
        thread = threading.Thread(target=lambda: other.append(mjcf.loads(XML)))
        thread.start()
        thread.join()
        mine = mjcf.loads(XML)
    assert mjcf.load_model is original
    np.testing.assert_allclose(other[0].body_mass, model.body_mass)
    np.testing.assert_allclose(mine.body_mass, 2 * model.body_mass)
    assert len(seen) == 1


def varied(**changes: float) -> Callable[[], Any]:
    return lambda: BraxTask("inverted_pendulum", {"other": changes}).variations["other"]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            varied(body_mas=2.0),
            r"\['other'\] changes 'body_mas', but must .* body_mass, body_quat, dof",
        ),
        (varied(dof_M0=2.0), "changes 'dof_M0', but must change fields"),
        (varied(jnt_stiffness=2.0), "fields of the model that hold numbers other than 0"),
        (varied(geom_bodyid=2.0), "changes 'geom_bodyid', but must change fields"),
        (varied(**{"body_mass:wheel": 2.0}), r"nothing of that name: .*'wheel'.*'cart', 'pole'"),
        (varied(**{"opt.gravity:pole": 2.0}), "opt.gravity is of the whole model"),
        (varied(site_size=2.0), "changes 'site_size'"),
        (varied(dof_length=2.0), "changes dof_length, but .* nothing comes of it"),
        (lambda: BraxTask("pendulum").observation_shape, "must be one of Brax's: ant, fast"),
        (lambda: BraxTask("swimmer").observation_shape, "task.backend is 'mjx', which is no phys"),
        (
            lambda: BraxTask("fast", {"heavy": {"body_mass": 2.0}}).variations["heavy"],
            r"\['heavy'\] changes 'body_mass', but fast has no model of MuJoCo",
        ),
        (lambda: BraxTask("ant", {"heavy": 2.0}), "must be a mapping from names to numbers"),
        (lambda: BraxTask("ant", backend="bullet"), "task.backend is 'bullet'"),
        (lambda: BraxTask("ant", max_steps=0), "task.max_steps is 0"),
    ],
)
def test_mistakes_are_named(make: Callable[[], Any], words: str):
    with pytest.raises(ValueError, match=words):
        make()


def test_missing_libraries_are_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "brax.io", None)
    with pytest.raises(ModuleNotFoundError, match=r"task ant needs brax .* but brax.io"):
        BraxTask("ant").action_size  # noqa: B018
