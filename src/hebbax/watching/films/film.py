"""A film of an episode.

`render` reads a run, lets an individual live once, and draws what happened.
"""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

import jax
import numpy as np

from hebbax.config import Config
from hebbax.evolution import interrupts, programs
from hebbax.evolution.episode import Setup, Trajectory, rollout_trajectory
from hebbax.evolution.keys import random_keys
from hebbax.evolution.result import Result, load_result
from hebbax.files import local_path, write_whole
from hebbax.genomes.base import Genome
from hebbax.tasks.base import Task
from hebbax.tasks.car_racing import CarRacing
from hebbax.tasks.quadruped import Quadruped
from hebbax.tasks.shapes import Shapes
from hebbax.types import PRNGKey, Variation, Wiring, checks
from hebbax.watching.films.encode import write_film
from hebbax.watching.films.quadruped import QuadrupedScene
from hebbax.watching.films.racer import RacerScene
from hebbax.watching.films.scene import Footage, Scene
from hebbax.watching.films.shapes import ShapesScene
from hebbax.watching.lesion import Lesion, check_lesion, damage

Format = Literal["mp4", "gif", "html"]
PICTURES_PER_SECOND = {
    "mp4": 30,
    "gif": 20,
    # About; a film shows every first, second or third step, so that it takes as long as the
    # episode.
}


def render(
    run: Result | str | Path,
    variation: str,
    output: str | Path | None = None,
    *,
    format: Format = "mp4",
    num_steps: int | None = None,
    lesion: Lesion | None = None,
    is_sampled: bool = False,
    seed: int = 0,
    trust: Sequence[str] = (),
) -> Path:
    """Films one episode, in real time, until it ends.

    Args:
        run: a result of `train`, or the folder of a run, of which the newest checkpoint is taken.
        variation: the name of the variation to live in.
        output: the file to write; `films/VARIATION.FORMAT` in the run's folder if None.
        format: `mp4`, `gif`, or for the quadruped `html`: Brax's viewer, whose program the page
            loads from the network.
        num_steps: the most policy steps to film; the whole episode if None.
        lesion: damage to the policy in the middle of the episode; none if None.
        is_sampled: whether the individual is drawn from the genome, instead of the genome's mode.
        seed: which episode; the same one gives the same film.
        trust: modules, or files that end in `.py`, whose classes the run may be of; see
            `Config.from_dict`.

    Returns:
        The file.

    Raises:
        ValueError: if the run, the variation, the format or the lesion is none that can be filmed.

    Examples:
        >>> import hebbax
        >>> lesion = hebbax.watching.Lesion(layer=0, step=300)
        >>> hebbax.watching.render("runs/paper", "default", lesion=lesion)  # doctest: +SKIP
        PosixPath('runs/paper/films/default.mp4')
    """
    seed, is_sampled = (
        checks.integer(at_most=2**32 - 1)("seed", seed),
        checks.flag("is_sampled", is_sampled),
    )
    num_steps = checks.optional(checks.integer())("steps", num_steps)
    result = run if isinstance(run, Result) else load_result(run, trust)
    scene = _check(result.config, variation, format, num_steps, lesion)
    if output is None and isinstance(run, Result):
        raise ValueError("output is None, but must be a file: a result of train has no folder")
    path = (
        local_path(str(run), "run") / "films" / f"{variation}.{format}"
        if output is None
        else local_path(output, "output")
    )
    if path.suffix != f".{format}":
        raise ValueError(f"output is {path}, but must end in .{format}, the format")

    footage = film(
        result,
        scene,
        variation,
        num_steps=num_steps,
        lesion=lesion,
        is_sampled=is_sampled,
        seed=seed,
    )
    if format == "html" and isinstance(scene, QuadrupedScene):
        # Brax is loaded with the quadruped's physics, not with this module.
        from hebbax.tasks.quadruped.viewer import show_in_browser

        path.parent.mkdir(parents=True, exist_ok=True)
        page = show_in_browser(footage.kept, scene.lower_legs, scene.step_duration, footage.title)
        write_whole(path, page)
        return path
    stride = max(1, round(1 / scene.step_duration / PICTURES_PER_SECOND[format]))
    shown = range(0, len(footage.rewards), stride)
    write_film(path, scene.draw(footage._replace(shown=shown)), 1 / scene.step_duration / stride)
    return path


def scene_of(task: Task, variation: str) -> Scene:
    """How a task is filmed.

    Raises:
        ValueError: if hebbax cannot draw it.
    """
    if isinstance(task, Quadruped):
        return QuadrupedScene(task.variations[variation].lower_legs, task.step_duration)
    if isinstance(task, CarRacing):
        return RacerScene(task)
    # A task that offers one: an environment of Brax, or one of the user's own.
    scene = getattr(task, "scene", None)
    if scene is None:
        raise ValueError(
            f"the run's task is {type(task).__name__}, which hebbax cannot draw; films are of "
            "Quadruped, CarRacing and tasks with a function scene that returns hebbax.tasks.Shapes"
        )
    shapes = scene(variation)
    if not isinstance(shapes, Shapes):
        raise ValueError(
            f"task.scene returns a {type(shapes).__name__}, but must return hebbax.tasks.Shapes"
        )
    return ShapesScene(shapes)


def film(
    result: Result,
    scene: Scene,
    variation: str,
    *,
    num_steps: int | None,
    lesion: Lesion | None,
    is_sampled: bool,
    seed: int,
) -> Footage:
    """Lives the episode that is filmed, until it ends; the arguments are those of `render`."""
    config = result.config
    setup = Setup.of(config)
    hurt = functools.partial(damage, lesion, config.policy) if lesion else lambda state: state

    def rollout(key: PRNGKey, genome: Genome, wiring: Wiring, body: Variation) -> Trajectory:
        sample_key, episode_key = jax.random.split(key)
        genotype = genome.sample(sample_key) if is_sampled else genome.mode()
        return rollout_trajectory(
            setup,
            wiring,
            episode_key,
            genotype,
            body,
            keep=scene.keep,
            num_steps=num_steps,
            before_step=hurt,
        )

    key = jax.random.fold_in(random_keys(config.seed).films, seed)
    trajectory = jax.device_get(
        interrupts.call(
            jax.jit(programs.with_precision(config.precision, rollout)),
            key,
            result.genome,
            result.wiring,
            config.task.variations[variation],
        )
    )
    num_steps_made = int(trajectory.num_steps())
    if not np.isfinite(trajectory.rewards[num_steps_made - 1]):
        num_steps_made -= 1  # What led to a reward that is not finite cannot be drawn.
    if num_steps_made == 0:
        raise ValueError(
            f"the episode in {variation} has no step whose reward is finite; film another one by "
            "seed"
        )
    return Footage(
        kept=jax.tree.map(lambda leaf: leaf[:num_steps_made], trajectory.kept),
        rewards=trajectory.rewards[:num_steps_made],
        shown=range(num_steps_made),
        title=f"{variation} (held out)" if variation == config.held_out else variation,
        damage=f"layer {lesion.layer} set to zero at step {lesion.step}" if lesion else "",
        damage_step=lesion.step if lesion else 0,
    )


def _check(
    config: Config, variation: str, format: str, num_steps: int | None, lesion: Lesion | None
) -> Scene:
    """Refuses what cannot be filmed, before anything is computed; returns how it is filmed."""
    task = config.task
    if not isinstance(variation, str) or variation not in task.variations:
        raise ValueError(
            f"variation is {variation!r}, but must be one of the task's: "
            f"{', '.join(task.variations)}"
        )
    scene = scene_of(task, variation)
    if format not in get_args(Format) or (format == "html" and not isinstance(task, Quadruped)):
        raise ValueError(f"format is {format!r}, but must be mp4 or gif, or for Quadruped html")
    most = f"from 1 to the {task.max_steps} of an episode"
    checks.optional(checks.integer(1, task.max_steps, most))("steps", num_steps)
    if lesion is not None and not isinstance(lesion, Lesion):
        raise ValueError(f"lesion is {lesion!r}, but must be a Lesion or None")
    if lesion is not None:
        check_lesion(lesion, config)
        if lesion.step >= (num_steps or task.max_steps):
            raise ValueError(
                f"lesion.step is {lesion.step}, but must be below the "
                f"{num_steps or task.max_steps} steps of the film"
            )
    return scene
