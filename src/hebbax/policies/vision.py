"""Eyes for car racing: two evolved convolutions in front of a policy that need not know of pictures."""

import dataclasses
from typing import Any, final

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from hebbax.policies.base import Policy, TaskShape
from hebbax.policies.hebbian import Hebbian
from hebbax.types import Memory, PRNGKey, Struct

FIRST = (3, 3, 3, 6)  # Rows, columns, colours, filters.
SECOND = (5, 5, 6, 8)
STRIDE = 2  # Of the second convolution.
CONTROLS = 3  # Steering, gas and brake.


@final
class VisionGenotype(Struct):
    """What an individual with eyes inherits.

    filters: the kernels of both convolutions, `[3, 3, 3, 6]` and `[5, 5, 6, 8]`: rows, columns, channels in, channels out.
    head: what the policy behind the eyes inherits.
    """

    filters: tuple[Float[Array, "_rows _columns _in _out"], ...]
    head: Any


@dataclasses.dataclass(frozen=True)
class Features:
    """What the policy behind the eyes knows of its task."""

    observation_shape: tuple[int, ...]
    action_size: int = CONTROLS


@final
@dataclasses.dataclass(frozen=True)
class Vision:
    """A policy that sees a picture through evolved filters, and drives: steering ends in tanh, gas and brake in a sigmoid.

    The filters do not change within a lifetime. A picture of 84 x 84 becomes 648 features.

    Source: Najarro and Risi 2020, https://arxiv.org/abs/2007.02686, with the filters of Palm et al. 2021, https://arxiv.org/abs/2011.06811.
    """

    head: Policy = dataclasses.field(default_factory=lambda: Hebbian(is_bounded=True, is_output_linear=True))
    """The policy that acts on the features; its last layer must be linear, for what it says is squashed here."""

    def __post_init__(self) -> None:
        """Refuses a policy whose actions are squashed already."""
        if not getattr(self.head, "is_output_linear", True):
            raise ValueError("policy.head.is_output_linear is False, but must be True: Vision squashes what its head says")

    def genotype_shape(self, task: TaskShape) -> PyTree:
        """The filters, and what the head inherits.

        Raises:
            ValueError: if the task shows no picture that is large enough, or has other controls than a car's.
        """
        shape = task.observation_shape
        if len(shape) != 3 or shape[2] != FIRST[2] or min(shape[:2]) < 16:
            raise ValueError(f"policy is Vision, but the task's observation has shape {shape}; allowed are pictures of 16 x 16 x 3 or more")
        if task.action_size != CONTROLS:
            raise ValueError(f"policy is Vision, but the task's action has {task.action_size} numbers; allowed are steering, gas and brake")
        filters = tuple(jax.ShapeDtypeStruct(kernel, jnp.float32) for kernel in (FIRST, SECOND))
        features = jax.eval_shape(look, filters, jax.ShapeDtypeStruct(shape, jnp.float32))
        genotype: Any = VisionGenotype  # Of shapes here, not of arrays.
        return genotype(filters=filters, head=self.head.genotype_shape(Features(features.shape)))

    def reset(self, key: PRNGKey, genotype: VisionGenotype) -> Memory:
        """The head's memory; eyes remember nothing. The key is consumed."""
        return self.head.reset(key, genotype.head)

    def act(
        self, genotype: VisionGenotype, memory: Memory, observation: Float[Array, "rows columns 3"]
    ) -> tuple[Float[Array, "3"], Memory]:
        """Looks, then lets the head decide and learn from its decision before it is squashed."""
        said, memory = self.head.act(genotype.head, memory, look(genotype.filters, observation))
        return jnp.concatenate([jnp.tanh(said[:1]), jax.nn.sigmoid(said[1:])]), memory


def look(filters: tuple[Array, ...], picture: Float[Array, "rows columns 3"]) -> Float[Array, " features"]:
    """Convolution, maximum of each 2 x 2 pixels, tanh; twice.

    The maximum comes before the tanh, which is the same and spares three of four. On a CPU XLA's own convolution with a kernel for each individual takes
    ten times as long as what stands here.
    """
    first, second = filters
    channels = jnp.moveaxis(picture, -1, 0)
    features = jnp.tanh(_pool(_convolve_by_shifts(channels, first)))
    features = jnp.tanh(_pool(_convolve_by_product(features, second)))
    return jnp.ravel(jnp.moveaxis(features, 0, -1))


def _convolve_by_shifts(channels: Float[Array, "_in rows columns"], kernel: Float[Array, "_y _x _in _out"]) -> Float[Array, "_out _ _"]:
    """A sum of shifted pictures: cheapest for few channels, because it is one loop that nothing is stored for."""
    height, width, num_in, _ = kernel.shape
    rows, columns = channels.shape[1] - height + 1, channels.shape[2] - width + 1
    return sum(
        (
            channels[None, channel, y : y + rows, x : x + columns] * kernel[y, x, channel][:, None, None]
            for y in range(height)
            for x in range(width)
            for channel in range(num_in)
        ),
        start=jnp.zeros(()),
    )


def _convolve_by_product(channels: Float[Array, "_in rows columns"], kernel: Float[Array, "_y _x _in _out"]) -> Float[Array, "_out _ _"]:
    """A matrix product of the kernel with all patches, `STRIDE` apart."""
    height, width, _, num_out = kernel.shape
    rows, columns = (channels.shape[1] - height) // STRIDE + 1, (channels.shape[2] - width) // STRIDE + 1
    patches = jnp.concatenate(
        [
            channels[:, y : y + STRIDE * (rows - 1) + 1 : STRIDE, x : x + STRIDE * (columns - 1) + 1 : STRIDE]
            for y in range(height)
            for x in range(width)
        ]
    )
    return (kernel.reshape(-1, num_out).T @ patches.reshape(-1, rows * columns)).reshape(num_out, rows, columns)


def _pool(channels: Float[Array, "channels rows columns"]) -> Float[Array, "channels _ _"]:
    """The maximum of each 2 x 2 pixels; an odd last row or column is left out."""
    _, rows, columns = channels.shape
    even = channels[:, : rows // 2 * 2, : columns // 2 * 2]
    return jnp.maximum(
        jnp.maximum(even[:, 0::2, 0::2], even[:, 0::2, 1::2]),
        jnp.maximum(even[:, 1::2, 0::2], even[:, 1::2, 1::2]),
    )
