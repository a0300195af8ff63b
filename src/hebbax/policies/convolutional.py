"""Evolved convolutions in front of a policy that need not know of pictures."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, final

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from hebbax import platforms
from hebbax.policies import feedforward
from hebbax.policies.base import Policy, TaskShape
from hebbax.policies.hebbian import Hebbian
from hebbax.types import Memory, Parameter, PRNGKey, Struct, checks, shapes_of

MOST_TERMS = 256  # Of a sum of shifted pictures: more take long to compile.

sizes = checks.several(
    checks.integer(at_least=1), "a tuple of whole numbers, 1 or more, one for each convolution"
)


@final
class ConvolutionalPhenotype(Struct):
    """What an individual with eyes lives with.

    filters: per convolution `[rows, columns, in, out]` its kernel.
    head: what the policy behind the eyes lives with.
    """

    filters: tuple[Float[Array, "_rows _columns _in _out"], ...]
    head: Any


@dataclasses.dataclass(frozen=True)
class Features:
    """What the policy behind the eyes knows of its task."""

    observation_shape: tuple[int, ...]
    action_size: int


@final
@dataclasses.dataclass(frozen=True)
class Convolutional:
    """Evolved filters that see a picture, and a policy that acts on what they see.

    Each layer is a convolution without padding, the largest of each square of pixels, and an
    activation. The filters do not change within an episode. As it is by default, a picture of
    84 x 84 becomes 648 features.

    Source: Najarro and Risi 2020, https://arxiv.org/abs/2007.02686, with the filters of Palm et al.
    2021, https://arxiv.org/abs/2011.06811.

    Examples:
        >>> import hebbax
        >>> head = hebbax.Static(hidden_sizes=(), is_output_linear=True)
        >>> policy = hebbax.policies.Convolutional(head, channels=(4,), kernels=(3,), strides=(2,))
        >>> [kernel.shape for kernel in policy.parameters(hebbax.CarRacing()).filters]
        [(3, 3, 3, 4)]
    """

    head: Policy = dataclasses.field(
        default_factory=lambda: Hebbian(bound="largest", is_output_linear=True)
    )
    """The policy that acts on the features."""
    channels: tuple[int, ...] = (6, 8)
    """Filters of each convolution."""
    kernels: tuple[int, ...] = (3, 5)
    """Pixels along a side of their kernels."""
    strides: tuple[int, ...] = (1, 2)
    """Pixels between two places of a kernel."""
    pool: int = 2
    """Pixels along a side of the squares of which the largest stays; 1 keeps all."""
    activation: feedforward.Activation = "tanh"
    """What becomes of it."""

    def __post_init__(self) -> None:
        """Refuses convolutions without a size, or with sizes that differ in number."""
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
            channels=sizes,
            kernels=sizes,
            strides=sizes,
            pool=checks.integer(at_least=1),
            activation=feedforward.activation,
        )
        if not len(self.channels) == len(self.kernels) == len(self.strides) > 0:
            raise ValueError(
                f"policy.channels, kernels and strides are {self.channels}, {self.kernels} and "
                f"{self.strides}, but must have one number each for every convolution, of which "
                "there is one or more"
            )

    @property
    def is_output_linear(self) -> bool:
        """Whether the last layer, the head's, has no tanh."""
        return getattr(self.head, "is_output_linear", True)

    def parameters(self, task: TaskShape) -> PyTree:
        """The filters, and what the head lives with.

        Raises:
            ValueError: if the task shows no picture that is large enough.
        """
        shape = task.observation_shape
        least = self._least_side()
        if len(shape) != 3 or min(shape[:2]) < least:
            raise ValueError(
                f"policy is Convolutional, but the task's observation has shape {shape}; allowed "
                f"are pictures of {least} x {least} pixels or more, with an axis of colours; the "
                "policy's strides, kernels or pool may be smaller"
            )
        groups = ["colours", *(f"filters{i}" for i in range(len(self.channels)))]
        counts = [shape[2], *self.channels]
        filters = tuple(
            Parameter(
                (size, size, counts[i], counts[i + 1]), ("", "", *groups[i : i + 2]), "filter"
            )
            for i, size in enumerate(self.kernels)
        )
        picture = jax.ShapeDtypeStruct(shape, jnp.float32)
        features = jax.eval_shape(self.look, shapes_of(filters), picture)
        phenotype: Any = ConvolutionalPhenotype  # Of parameters here, not of arrays.
        head = self.head.parameters(Features(features.shape, task.action_size))
        return phenotype(filters=filters, head=head)

    def reset(self, key: PRNGKey, phenotype: ConvolutionalPhenotype) -> Memory:
        """The head's memory; eyes remember nothing. The key is consumed."""
        return self.head.reset(key, phenotype.head)

    def act(
        self,
        phenotype: ConvolutionalPhenotype,
        memory: Memory,
        observation: Float[Array, "rows columns colours"],
        reward: Float[Array, ""],
    ) -> tuple[Float[Array, " action"], Memory]:
        """Looks, then lets the head decide, and learn from its decision."""
        features = self.look(phenotype.filters, observation)
        return self.head.act(phenotype.head, memory, features, reward)

    def plastic_weights(self, memory: Memory) -> tuple[Array, ...]:
        """The head's."""
        return self.head.plastic_weights(memory)

    def look(
        self, filters: Sequence[Array], picture: Float[Array, "rows columns colours"]
    ) -> Float[Array, " features"]:
        """What the head sees of a picture."""
        # XLA's own convolution with a kernel for each individual takes many times as long anywhere.
        features = jnp.moveaxis(picture, -1, 0)
        for kernel, stride in zip(filters, self.strides, strict=True):
            is_sum = platforms.is_cpu() and math.prod(kernel.shape[:3]) <= MOST_TERMS
            see = _sum_and_pool if is_sum else convolve_and_pool
            # The maximum comes first, which spares three of four activations.
            largest = see(features, kernel, stride, self.pool)
            features = feedforward.ACTIVATIONS[self.activation](largest)
        return jnp.ravel(jnp.moveaxis(features, 0, -1))

    def _least_side(self) -> int:
        """Pixels along a side of the smallest picture of which a feature is left."""
        side = 1
        for size, stride in zip(reversed(self.kernels), reversed(self.strides), strict=True):
            side = (self.pool * side - 1) * stride + size
        return side


def _sum_and_pool(
    channels: Float[Array, "_in rows columns"],
    kernel: Float[Array, "_y _x _in _out"],
    stride: int,
    pool: int,
) -> Float[Array, "_out _ _"]:
    """`convolve_and_pool` as sums of shifted pictures, as a CPU likes them."""
    if stride == 1:
        convolved = convolve_by_shifts(channels, kernel)
    else:
        convolved = convolve_thinly(channels, kernel, stride)
    # One operation, which XLA does not fuse with a convolution: that would be computed anew for
    # each pixel of a square. An odd last row or column is left out.
    square = (1, pool, pool)
    return jax.lax.reduce_window(convolved, -jnp.inf, jax.lax.max, square, square, "VALID")


def convolve_and_pool(
    channels: Float[Array, "_in rows columns"],
    kernel: Float[Array, "_y _x _in _out"],
    stride: int,
    pool: int,
) -> Float[Array, "_out _ _"]:
    """A convolution, and the maximum of each square of its pixels: one product of matrices.

    Few large operations, as accelerators like them.
    """
    height, width, _, num_out = kernel.shape
    rows, columns = (
        ((size - extent) // stride + 1) // pool
        for size, extent in zip(channels.shape[1:], (height, width), strict=True)
    )
    apart = pool * stride  # Of the same pixel in two neighbouring squares.

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

    places = range(0, apart, stride)
    seen = jnp.stack([patches(top, left) for top in places for left in places])
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
    channels: Float[Array, "_in rows columns"], kernel: Float[Array, "_y _x _in _out"], stride: int
) -> Float[Array, "_out _ _"]:
    """A convolution at every `stride`-th pixel, over pictures thinned beforehand.

    So that loops go over neighbouring numbers.
    """
    height, width, num_in, _ = kernel.shape
    rows, columns = (
        (channels.shape[1] - height) // stride + 1,
        (channels.shape[2] - width) // stride + 1,
    )
    thinned = [
        [jax.lax.optimization_barrier(channels[:, y::stride, x::stride]) for x in range(stride)]
        for y in range(stride)
    ]
    return sum(
        (
            thinned[y % stride][x % stride][
                None, channel, y // stride : y // stride + rows, x // stride : x // stride + columns
            ]
            * kernel[y, x, channel][:, None, None]
            for y in range(height)
            for x in range(width)
            for channel in range(num_in)
        ),
        start=jnp.zeros((), jnp.float32),
    )
