"""The quadruped in Brax's viewer: a page with a body that can be watched from all sides."""

import html
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from brax import kinematics
from brax.base import Motion, State
from brax.io import html as brax_html
from jaxtyping import Float

from hebbax.tasks.libraries import physics_rules
from hebbax.tasks.quadruped.engine import load_system


def show_in_browser(
    poses: Float[np.ndarray, "steps 15"],
    lower_legs: Float[jax.Array, "4"],
    step_duration: float,
    title: str,
) -> str:
    """Returns a page that shows an episode.

    Brax's viewer itself, and what it stands on, the page loads from the network.

    The skeleton is that of Brax's own ant, cut to the lengths of the legs, for either body: they
    have the same joints, and where the paper's body has balls that collide, this one has whole
    capsules to look at.

    Args:
        poses: `[steps, 15]` coordinates of the body after each step, as in `Pose`.
        lower_legs: `[4]` m along x and along y, the length of each leg's lower part.
        step_duration: s, between two poses.
        title: of the page.
    """
    with physics_rules():
        legs = tuple(np.asarray(lower_legs).tolist())
        system: Any = load_system("brax", legs, 1)
        system = system.tree_replace({"opt.timestep": jnp.float32(step_duration)})
        still = jnp.zeros(system.qd_size())

        @jax.jit
        def stand(q: jax.Array) -> State:
            places, _ = kinematics.forward(system, q, still)
            return State(q=q, qd=still, x=places, xd=Motion.zero(), contact=None)

        page = brax_html.render(
            system, [jax.device_get(stand(q)) for q in poses], height="100vh", colab=False
        )
    return page.replace("<title>Brax visualizer</title>", f"<title>{html.escape(title)}</title>")
