"""The quadruped: a body with four legs that learns to walk, in five variations of its body."""

import dataclasses
import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, final

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from hebbax.tasks.libraries import quiet_loading
from hebbax.tasks.quadruped.anatomy import (
    ANKLE_SIGNS,
    LOWER_LEGS,
    NUM_JOINTS,
    NUM_LEGS,
    Pose,
    place_limbs,
)
from hebbax.tasks.quadruped.senses import NUM_SENSES, observe, progress
from hebbax.types import Lazy, PRNGKey, Struct, checks

if TYPE_CHECKING:
    from hebbax.tasks.quadruped.engine import Body, Engine

INITIAL_HEIGHT = 0.75  # m, of the torso.
INITIAL_SPREAD = 0.1  # rad, joints start within +- this.
# rad, around which ankles start, within their limits.
INITIAL_ANKLE = float(np.deg2rad(30.0)) + INITIAL_SPREAD
CONTACT_GAP = 0.01  # m, a lower leg this near to the ground touches it.

GRACE_STEPS = 200  # Policy steps before an episode may end early.
MIN_HEIGHT = 0.26  # m, of the torso.
MAX_STEPS_BACKWARDS = 30


class QuadrupedState(Struct):
    """The state of an episode.

    physics: what the engine carries.
    center: `[2]` m, mean place of the body's parts.
    has_contact: `[4]` whether a lower leg touched the ground after this step; sensed one step
        later, as in the original.
    num_steps: `[]` policy steps so far.
    num_backwards: `[]` consecutive steps of negative progress after the grace.
    """

    physics: Any
    center: Float[Array, "2"]
    has_contact: Bool[Array, "4"]
    num_steps: Int[Array, ""]
    num_backwards: Int[Array, ""]


@final
@dataclasses.dataclass(frozen=True)
class Quadruped:
    """A four-legged body, AntBullet, that shall walk towards +x.

    A policy step of the paper's body is 0.0165 s in two substeps of `mjx`, of Brax's 0.05 s in
    five. Over 120 episodes of 300 steps under full torque in random directions two substeps were
    as stable as twelve, and height and distance did not tell them apart; with one, the torso sank
    0.02 m deeper into the floor and the fastest joints were an eighth faster.

    Source: Palm et al. 2020, https://arxiv.org/abs/2011.06811, and the environments of
    pybullet-gym.

    Examples:
        >>> import hebbax
        >>> task = hebbax.Quadruped(variation_set="najarro", episode_steps=500)
        >>> list(task.variations)
        ['default', 'damaged_front_left', 'damaged_front_right']
    """

    body: Literal["bullet", "brax"] = "bullet"
    """The paper's body with Bullet's masses and strength, or Brax's own ant."""
    variation_set: Literal["paper", "reference", "najarro"] = "paper"
    """The five bodies as the paper names them, or as the files of its public code have them.

    Or the three of Najarro and Risi 2020.
    """
    episode_steps: int = 1000
    """Steps of an episode, the burn-in's included."""
    burn_in_steps: int = 40
    """Steps without action at the start, neither scored nor learned from."""

    def __post_init__(self) -> None:
        """Checks the configuration."""
        checks.settle(
            self,
            "task.",
            body=checks.choice("bullet", "brax"),
            variation_set=checks.choice(*LOWER_LEGS),
            burn_in_steps=checks.integer(),
        )
        checks.settle(
            self,
            "task.",
            episode_steps=checks.integer(
                at_least=self.burn_in_steps + 1,
                allowed=f"more than the {self.burn_in_steps} of burn_in_steps, and below 2^31",
            ),
        )

    @property
    def variations(self) -> Mapping[str, "Body"]:
        """The bodies by name; a body is built when it is asked for."""
        return Lazy(LOWER_LEGS[self.variation_set], lambda name: self._engine.variation(name))

    @property
    def observation_shape(self) -> tuple[int, ...]:
        """One observation's shape; `senses.observe` says what it holds."""
        return (NUM_SENSES,)

    @property
    def action_size(self) -> int:
        """One torque per joint, hip and ankle of each leg in turn.

        1 is full strength, more is clipped.
        """
        return NUM_JOINTS

    @property
    def max_steps(self) -> int:
        """The most policy steps of an episode: the burn-in does not count."""
        return self.episode_steps - self.burn_in_steps

    @property
    def step_duration(self) -> float:
        """Seconds that one policy step takes."""
        return self._engine.step_duration

    def reset(self, key: PRNGKey, variation: "Body") -> tuple[QuadrupedState, Float[Array, "28"]]:
        """Drops a body and lets it come to rest. The key is consumed.

        The torso starts 0.75 m high. As in the original joints are drawn from +-0.1 rad, but ankles
        around a bend of 0.1 rad within their limits: the original starts them outside, and Bullet
        lets them stay there.
        """
        draws = jax.random.uniform(
            key, (NUM_LEGS, 2), minval=-INITIAL_SPREAD, maxval=INITIAL_SPREAD
        )
        angles = draws.at[:, 1].add(INITIAL_ANKLE * ANKLE_SIGNS).reshape(-1)
        torso = jnp.array([0.0, 0.0, INITIAL_HEIGHT, 1.0, 0.0, 0.0, 0.0])
        pose = Pose(q=jnp.concatenate([torso, angles]), qd=jnp.zeros(6 + NUM_JOINTS))
        limbs = place_limbs(pose, variation.lower_legs)
        start = QuadrupedState(
            physics=self._engine.start(pose),
            center=limbs.center,
            has_contact=limbs.clearance < CONTACT_GAP,
            num_steps=jnp.int32(0),
            num_backwards=jnp.int32(0),
        )

        def rest(
            senses: tuple[QuadrupedState, Array], step: None
        ) -> tuple[tuple[QuadrupedState, Array], None]:
            state, observation, _, _ = self.step(senses[0], jnp.zeros(NUM_JOINTS), variation)
            return (state, observation), None

        state, observation = jax.lax.scan(
            rest, (start, self._sense(pose, start)), None, length=self.burn_in_steps
        )[0]
        return state.replace(num_steps=jnp.int32(0), num_backwards=jnp.int32(0)), observation

    def step(
        self, state: QuadrupedState, action: Float[Array, "8"], variation: "Body"
    ) -> tuple[QuadrupedState, Float[Array, "28"], Float[Array, ""], Bool[Array, ""]]:
        """Advances an episode by one policy step.

        Returns:
            The next state, what is sensed in it, the progress towards the target in m/s, and
            whether the episode ends: after the last step, or, once 200 policy steps are over, when
            the torso is at 0.26 m or lower or progress was negative for more than 30 steps in a
            row.
        """
        physics = self._engine.step(state.physics, action, variation)
        pose = Pose(q=physics.q, qd=physics.qd)
        limbs = place_limbs(pose, variation.lower_legs)
        reward = progress(state.center, limbs.center) / self.step_duration

        num_steps = state.num_steps + 1
        is_past_grace = num_steps > GRACE_STEPS
        num_backwards = jnp.where(is_past_grace & (reward < 0), state.num_backwards + 1, 0)
        is_down = is_past_grace & (pose.q[2] <= MIN_HEIGHT)
        done = is_down | (num_backwards > MAX_STEPS_BACKWARDS) | (num_steps >= self.max_steps)

        observation = self._sense(pose, state.replace(center=limbs.center))
        state = QuadrupedState(
            physics=physics,
            center=limbs.center,
            has_contact=limbs.clearance < CONTACT_GAP,
            num_steps=num_steps,
            num_backwards=num_backwards,
        )
        return state, observation, reward, done

    def _sense(self, pose: Pose, state: QuadrupedState) -> Float[Array, "28"]:
        return observe(
            pose,
            state.center,
            state.has_contact,
            INITIAL_HEIGHT,
            jnp.asarray(self._engine.joint_range),
        )

    @property
    def _engine(self) -> "Engine":
        return _build(self.body, self.variation_set)


@functools.cache
def _build(body: Any, variation_set: Any) -> "Engine":
    # Loads Brax and MuJoCo, which takes seconds: not before an episode runs.
    with quiet_loading():
        from hebbax.tasks.quadruped.engine import build_engine

        return build_engine(body, variation_set)
