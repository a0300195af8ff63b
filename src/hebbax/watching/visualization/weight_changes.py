"""What a rule does: the change of a weight over the activations before and behind it."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure

from hebbax.rules.base import Rule, Signals
from hebbax.watching.visualization.rules import Rules
from hebbax.watching.visualization.style import DIVERGING, panels, styled

FEW = 12  # Rules that have a panel each; of more there are quantiles.
QUANTILES = (0.1, 0.5, 0.9)
ACTIVATIONS = np.linspace(-1.0, 1.0, 21)  # What tanh gives, and what others mostly do.


@styled
def draw_weight_changes(rules: Rules, title: str = "") -> Figure:
    """Draws what rules make of the activations of two neurons, before any bound on the weights.

    The weight is 0 before, and there was no reward.

    Few rules have a panel each, the most used first, with the share of the synapses that use it. Of
    many rules, panels have the change below which a tenth, half and nine tenths of the synapses
    are, at each pair of activations on its own.

    Args:
        rules: as `hebbax.watching.visualization.rules.rules_of` returns them.
        title: of the picture, such as the method's name.

    Examples:
        >>> import hebbax
        >>> import numpy as np
        >>> use = np.asarray([0.75, 0.25])
        >>> rules = hebbax.watching.Rules(hebbax.ABCD(), np.eye(2, 5), use, entropies=None)
        >>> figure = hebbax.watching.draw_weight_changes(rules, "two rules")
        >>> [axes.get_title("left") for axes in figure.axes[:2]]
        ['rule 1: 75% of use', 'rule 2: 25% of use']
    """
    changes = weight_changes(rules.rule, rules.coefficients)
    if len(changes) <= FEW:
        order = np.argsort(-rules.use, kind="stable")
        pictures = changes[order]
        titles = [f"rule {rule + 1}: {rules.use[rule]:.0%} of use" for rule in order]
    else:
        pictures = np.quantile(changes, QUANTILES, axis=0, weights=rules.use, method="inverted_cdf")
        titles = [
            f"{quantile:.0%} quantile" if quantile != 0.5 else "median" for quantile in QUANTILES
        ]
    figure, grid = panels(len(pictures), columns=4, size=(2.1, 2.3), beside=1.2)
    largest = max(float(np.max(np.abs(pictures))), float(np.finfo(np.float32).tiny))
    meshes = [
        _draw_panel(axes, picture, words, largest)
        for axes, picture, words in zip(grid, pictures, titles, strict=True)
    ]
    figure.supxlabel("activation before the synapse", fontsize="medium")
    figure.supylabel("activation behind it", fontsize="medium")
    figure.colorbar(meshes[-1], ax=grid, label="change of the weight")
    figure.suptitle(title)
    return figure


def weight_changes(rule: Rule, coefficients: np.ndarray) -> np.ndarray:
    """The changes of a weight, `[rules, pre, post]`, by each rule at each pair of activations."""
    pre, post = jnp.asarray(ACTIVATIONS, jnp.float32)[:, None], jnp.asarray(ACTIVATIONS)[None, :]
    signals = Signals(pre, post.astype(jnp.float32), reward=jnp.float32(0))
    weights = jnp.zeros((len(ACTIVATIONS), len(ACTIVATIONS)), jnp.float32)

    def change(coefficients: Array) -> Array:
        # A layer whose synapses all have this rule.
        everywhere = jnp.broadcast_to(
            coefficients[:, None, None], (coefficients.size, *weights.shape)
        )
        return rule.update(weights, rule.init(weights), everywhere, signals)[0]

    return np.asarray(jax.jit(jax.vmap(change))(jnp.asarray(coefficients, jnp.float32)))


def _draw_panel(axes: Axes, changes: np.ndarray, title: str, largest: float) -> QuadMesh:
    axes.set_title(title, fontsize="medium")
    axes.grid(visible=False)
    axes.set(aspect="equal", xticks=[-1, 0, 1], yticks=[-1, 0, 1])
    return axes.pcolormesh(
        ACTIVATIONS,
        ACTIVATIONS,
        changes.T,
        cmap=DIVERGING,
        vmin=-largest,
        vmax=largest,
        shading="gouraud",
        rasterized=True,
    )
