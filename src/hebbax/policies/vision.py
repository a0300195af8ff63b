"""Eyes for car racing.

Two evolved convolutions in front of a policy that need not know of pictures.
"""

import dataclasses
from typing import Any, final

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from hebbax import platforms
from hebbax.policies.base import Policy, TaskShape
from hebbax.policies.hebbian import Hebbian
from hebbax.types import Memory, Parameter, PRNGKey, Struct, checks, shapes_of

FIRST = (3, 3, 3, 6)  # Rows, columns, colours, filters.
SECOND = (5, 5, 6, 8)
STRIDE = 2  # Of the second convolution.
CONTROLS = 3  # Steering, gas and brake.


@final
class VisionPhenotype(Struct):
    """What an individual with eyes lives with.

    filters: the kernels of both convolutions, `[3, 3, 3, 6]` and `[5, 5, 6, 8]`: rows, columns,
        channels in, channels out.
    head: what the policy behind the eyes lives with.
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
    """A policy that sees a picture through evolved filters, and drives.

    Steering ends in tanh, gas and brake in a sigmoid.

    The filters do not change within an episode. A picture of 84 x 84 becomes 648 features.

    Source: Najarro and Risi 2020, https://arxiv.org/abs/2007.02686, with the filters of Palm et al.
    2021, https://arxiv.org/abs/2011.06811.
    """

    head: Policy = dataclasses.field(
        default_factory=lambda: Hebbian(bound="largest", is_output_linear=True)
    )
    """The policy that acts on the features.

    Its last layer must be linear, for its outputs are squashed here.
    """

    def __post_init__(self) -> None:
        """Refuses a policy whose actions are squashed already."""
        checks.settle(
            self,
            "policy.",
            head=checks.having(
                "parameters",
                "reset",
                "act",
                "plastic_weights",
                example="Hebbian(is_output_linear=True)",
            ),
        )
        if not getattr(self.head, "is_output_linear", True):
            raise ValueError(
                "policy.head.is_output_linear is False, but must be True: Vision squashes its "
                "head's outputs"
            )

    def parameters(self, task: TaskShape) -> PyTree:
        """The filters, and what the head lives with.

        Raises:
            ValueError: if the task shows no picture that is large enough, or has other controls
                than a car's.
        """
        shape = task.observation_shape
        if len(shape) != 3 or shape[2] != FIRST[2] or min(shape[:2]) < 16:
            raise ValueError(
                f"policy is Vision, but the task's observation has shape {shape}; allowed are "
                "pictures of 16 x 16 x 3 or more"
            )
        if task.action_size != CONTROLS:
            raise ValueError(
                f"policy is Vision, but the task's action has {task.action_size} numbers; allowed "
                "are steering, gas and brake"
            )
        filters = (
            Parameter(FIRST, ("", "", "colours", "filters0"), "filter"),
            Parameter(SECOND, ("", "", "filters0", "filters1"), "filter"),
        )
        picture = jax.ShapeDtypeStruct(shape, jnp.float32)
        features = jax.eval_shape(look, shapes_of(filters), picture)
        phenotype: Any = VisionPhenotype  # Of parameters here, not of arrays.
        return phenotype(filters=filters, head=self.head.parameters(Features(features.shape)))

    def reset(self, key: PRNGKey, phenotype: VisionPhenotype) -> Memory:
        """The head's memory; eyes remember nothing. The key is consumed."""
        return self.head.reset(key, phenotype.head)

    def act(
        self,
        phenotype: VisionPhenotype,
        memory: Memory,
        observation: Float[Array, "rows columns 3"],
        reward: Float[Array, ""],
    ) -> tuple[Float[Array, "3"], Memory]:
        """Looks, then lets the head decide and learn from its decision before it is squashed."""
        features = look(phenotype.filters, observation)
        outputs, new_memory = self.head.act(phenotype.head, memory, features, reward)
        action = jnp.concatenate([jnp.tanh(outputs[:1]), jax.nn.sigmoid(outputs[1:])])
        return action, new_memory

    def plastic_weights(self, memory: Memory) -> tuple[Array, ...]:
        """The head's."""
        return self.head.plastic_weights(memory)


def look(
    filters: tuple[Array, ...], picture: Float[Array, "rows columns 3"]
) -> Float[Array, " features"]:
    """Convolution, maximum of each 2 x 2 pixels, tanh; twice.

    The maximum comes before the tanh, which is the same and spares three of four.
    """
    # XLA's own convolution with a kernel for each individual takes many times as long, anywhere.
    features = jnp.moveaxis(picture, -1, 0)
    for kernel, stride in zip(filters, (1, STRIDE), strict=True):
        if not platforms.is_cpu():
            pooled = convolve_and_pool(features, kernel, stride)
        else:
            convolve = convolve_by_shifts if stride == 1 else convolve_thinly
            # One operation, which XLA does not fuse with a convolution: that would be computed anew
            # for each of the four. An odd last row or column is left out.
            pooled = jax.lax.reduce_window(
                convolve(features, kernel), -jnp.inf, jax.lax.max, (1, 2, 2), (1, 2, 2), "VALID"
            )
        features = jnp.tanh(pooled)
    return jnp.ravel(jnp.moveaxis(features, 0, -1))


def convolve_and_pool(
    channels: Float[Array, "_in rows columns"], kernel: Float[Array, "_y _x _in _out"], stride: int
) -> Float[Array, "_out _ _"]:
    """A convolution, and the maximum of each 2 x 2 of its pixels: one product of matrices.

    Few large operations, as accelerators like them.
    """
    height, width, _, num_out = kernel.shape
    rows, columns = (
        ((size - extent) // stride + 1) // 2
        for size, extent in zip(channels.shape[1:], (height, width), strict=True)
    )
    apart = 2 * stride  # Of the same pixel in two neighbouring squares.

    def patches(top: int, left: int) -> Float[Array, "_kernel _ _"]:
        """What the kernel sees for the pixels at one place of their squares."""
        return jnp.concatenate(
            [
                channels[:, y : y + apart * (rows - 1) + 1 : apart][
                    :, :, x : x + apart * (columns - 1) + 1 : apart
                ]
                for y in range(top, top + height)
                for x in range(left, left + width)
            ]
        )

    seen = jnp.stack([patches(top, left) for top in (0, stride) for left in (0, stride)])
    return jnp.max(jnp.einsum("pkrc,ko->porc", seen, kernel.reshape(-1, num_out)), axis=0)


def convolve_by_shifts(
    channels: Float[Array, "_in rows columns"], kernel: Float[Array, "_y _x _in _out"]
) -> Float[Array, "_out _ _"]:
    """A convolution over pictures whose rows lie behind one another.

    A shift is one slice, and the loops are long.
    """
    height, width, num_in, num_out = kernel.shape
    _, rows, columns = channels.shape
    num_places = (rows - height + 1) * columns
    lines = jnp.pad(channels.reshape(num_in, -1), ((0, 0), (0, width - 1)))

    total = jnp.zeros((), jnp.float32)
    for channel in range(num_in):
        shifts = [(y, x, y * columns + x) for y in range(height) for x in range(width)]
        terms = [
            lines[None, channel, start : start + num_places] * kernel[y, x, channel][:, None]
            for y, x, start in shifts
        ]
        # XLA's compiler makes vectors of the terms of one channel, but not of all at once.
        total = jax.lax.optimization_barrier(sum(terms, start=total))
    # The last columns mix the ends of rows with the beginnings of the next.
    return total.reshape(num_out, -1, columns)[:, :, : columns - width + 1]


def convolve_thinly(
    channels: Float[Array, "_in rows columns"], kernel: Float[Array, "_y _x _in _out"]
) -> Float[Array, "_out _ _"]:
    """A convolution at every `STRIDE`-th pixel, over pictures thinned beforehand.

    So that loops go over neighbouring numbers.
    """
    height, width, num_in, _ = kernel.shape
    rows, columns = (
        (channels.shape[1] - height) // STRIDE + 1,
        (channels.shape[2] - width) // STRIDE + 1,
    )
    thinned = [
        [jax.lax.optimization_barrier(channels[:, y::STRIDE, x::STRIDE]) for x in range(STRIDE)]
        for y in range(STRIDE)
    ]
    return sum(
        (
            thinned[y % STRIDE][x % STRIDE][
                None, channel, y // STRIDE : y // STRIDE + rows, x // STRIDE : x // STRIDE + columns
            ]
            * kernel[y, x, channel][:, None, None]
            for y in range(height)
            for x in range(width)
            for channel in range(num_in)
        ),
        start=jnp.zeros((), jnp.float32),
    )
