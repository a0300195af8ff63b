"""A policy that hebbax has evolved, in NumPy alone.

This file stands beside the `policy.npz` that `hebbax export` has written, and needs nothing else:

    from numpy_policy import Policy

    policy = Policy.load("policy.npz")
    memory = policy.reset(seed=0)
    action, memory = policy.act(memory, observation, reward)

`reward` is that of the step before, 0 in the first; most networks do not look at it. What a task
makes of an action, such as the racer's tanh and sigmoids, is not in here.
"""

import itertools
import json
from typing import Any

import numpy as np

Memory = Any
Arrays = dict[str, np.ndarray]


class Policy:
    """A network with its evolved numbers.

    specification: the policy's fields, as a run's configuration has them.
    arrays: its numbers, by their place in the phenotype.
    """

    def __init__(self, specification: dict[str, Any], arrays: Arrays) -> None:
        """Of a specification and the numbers that go with it."""
        self.specification = specification
        self.network = NETWORKS[kind_of(specification)](specification, arrays)
        self.mean = arrays.get("observation_mean", np.float32(0))
        self.deviation = arrays.get("observation_deviation")

    @classmethod
    def load(cls, file: Any) -> "Policy":
        """Reads what `hebbax export` has written."""
        with np.load(file) as stored:
            arrays = {name: stored[name] for name in stored.files}
        return cls(json.loads(str(arrays.pop("specification"))), arrays)

    def reset(self, seed: int | None = None, weights: Any = None) -> Memory:
        """What is remembered when an episode begins.

        Args:
            seed: of first weights that are drawn anew in every episode.
            weights: first weights in place of drawn ones: of each layer, then recurrent ones, then
                biases.
        """
        return self.network.reset(np.random.default_rng(seed), weights)

    def act(
        self, memory: Memory, observation: Any, reward: float = 0.0
    ) -> tuple[np.ndarray, Memory]:
        """What to do, and what is remembered then."""
        observation = np.asarray(observation, np.float32)
        if self.deviation is not None:
            observation = np.clip((observation - self.mean) / self.deviation, -10.0, 10.0)
        return self.network.act(memory, observation, np.float32(reward))


def kind_of(specification: dict[str, Any]) -> str:
    """The name of a specification's class."""
    return specification["class"].split(":")[1]


def layers_of(arrays: Arrays, prefix: str) -> list[np.ndarray]:
    """The arrays `prefix[0]`, `prefix[1]`, ... as far as they go."""
    found = []
    while f"{prefix}[{len(found)}]" in arrays:
        found.append(arrays[f"{prefix}[{len(found)}]"])
    return found


def activations(
    specification: dict[str, Any],
    weights: list[np.ndarray],
    observation: np.ndarray,
    offsets: Any = (),
) -> list[np.ndarray]:
    """What every group of neurons puts out, the observation first."""
    hidden = ACTIVATIONS[specification["activation"]]
    last = ACTIVATIONS["linear" if specification["is_output_linear"] else "tanh"]
    outputs = [observation.ravel()]
    for i, layer in enumerate(weights):
        total = outputs[-1] @ layer
        if i < len(offsets):
            total = total + offsets[i]
        outputs.append(last(total) if i == len(weights) - 1 else hidden(total))
    return outputs


def sigmoid(values: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x))."""
    return 0.5 * (1.0 + np.tanh(0.5 * values))


class Static:
    """Weights that do not change."""

    def __init__(self, specification: dict[str, Any], arrays: Arrays) -> None:
        self.specification, self.weights = specification, layers_of(arrays, "")

    def reset(self, random: np.random.Generator, weights: Any) -> Memory:
        return ()

    def act(
        self, memory: Memory, observation: np.ndarray, reward: np.float32
    ) -> tuple[np.ndarray, Memory]:
        return activations(self.specification, self.weights, observation)[-1], memory


class LSTM:
    """A first layer that remembers."""

    def __init__(self, specification: dict[str, Any], arrays: Arrays) -> None:
        self.specification = specification
        self.arrays, self.layers = arrays, layers_of(arrays, ".layers")

    def reset(self, random: np.random.Generator, weights: Any) -> Memory:
        empty = np.zeros(self.arrays[".from_hidden"].shape[0], np.float32)
        return empty, empty

    def act(
        self, memory: Memory, observation: np.ndarray, reward: np.float32
    ) -> tuple[np.ndarray, Memory]:
        hidden, cell = memory
        i, f, g, o = np.split(sum(gates(self.arrays, hidden, observation)), 4)
        cell = sigmoid(f) * cell + sigmoid(i) * np.tanh(g)
        hidden = sigmoid(o) * np.tanh(cell)
        return activations(self.specification, self.layers, hidden)[-1], (hidden, cell)


class GRU:
    """A first layer that remembers, with fewer gates."""

    def __init__(self, specification: dict[str, Any], arrays: Arrays) -> None:
        self.specification = specification
        self.arrays, self.layers = arrays, layers_of(arrays, ".layers")

    def reset(self, random: np.random.Generator, weights: Any) -> Memory:
        return np.zeros(self.arrays[".from_hidden"].shape[0], np.float32)

    def act(
        self, memory: Memory, observation: np.ndarray, reward: np.float32
    ) -> tuple[np.ndarray, Memory]:
        from_input, from_hidden = gates(self.arrays, memory, observation)
        x_r, x_z, x_n = np.split(from_input, 3)
        h_r, h_z, h_n = np.split(from_hidden, 3)
        z = sigmoid(x_z + h_z)
        hidden = (1 - z) * np.tanh(x_n + sigmoid(x_r + h_r) * h_n) + z * memory
        return activations(self.specification, self.layers, hidden)[-1], hidden


def gates(
    arrays: Arrays, hidden: np.ndarray, observation: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """What enters the gates from the observation, and from the last output."""
    return (
        observation.ravel() @ arrays[".from_input"] + arrays[".input_bias"],
        hidden @ arrays[".from_hidden"] + arrays[".hidden_bias"],
    )


class Hebbian:
    """Weights that a rule changes after every action."""

    def __init__(self, specification: dict[str, Any], arrays: Arrays) -> None:
        self.specification = specification
        self.rules, self.first = layers_of(arrays, ".rules"), layers_of(arrays, ".weights")
        self.rule = RULES[kind_of(specification["rule"])](specification["rule"])
        self.bound = BOUNDS[specification["bound"]]

    def reset(self, random: np.random.Generator, weights: Any) -> Memory:
        most = self.specification["initial_range"]
        drawn = [random.uniform(-most, most, rules.shape[1:]) for rules in self.rules]
        first = [np.asarray(one, np.float32) for one in (weights or self.first or drawn)]
        sizes = self.specification["hidden_sizes"] if self.specification["is_recurrent"] else ()
        before = [np.zeros(size, np.float32) for size in sizes]
        return first, [self.rule.init(layer) for layer in first], before

    def act(
        self, memory: Memory, observation: np.ndarray, reward: np.float32
    ) -> tuple[np.ndarray, Memory]:
        weights, traces, before = memory
        layers, recurrent, biases = self.parts(weights)
        offsets = itertools.zip_longest(
            (last @ layer for last, layer in zip(before, recurrent, strict=True)),
            (bias[0] for bias in biases),
            fillvalue=np.float32(0),
        )
        added = [from_before + bias for from_before, bias in offsets]
        outputs = activations(self.specification, layers, observation, added)
        posts = outputs[1:]
        pairs = [
            *itertools.pairwise(outputs),
            *zip(before, posts[: len(before)], strict=True),
            *((np.ones(1, np.float32), post) for post in posts[: len(biases)]),
        ]
        action, modulation = outputs[-1], np.float32(1)
        if self.specification["has_modulator"]:
            action, modulation = action[:-1], action[-1]
        changed = [
            self.rule.update(*of_layer, (pre[:, None], post[None], reward, modulation))
            for *of_layer, (pre, post) in zip(weights, traces, self.rules, pairs, strict=True)
        ]
        after = self.bounded([layer for layer, _ in changed])
        return action, (after, [trace for _, trace in changed], posts[: len(before)])

    def parts(self, weights: Any) -> tuple[Any, Any, Any]:
        """The layers, their recurrent weights, and their biases."""
        num_layers = len(self.specification["hidden_sizes"]) + 1
        end = num_layers + (num_layers - 1 if self.specification["is_recurrent"] else 0)
        return weights[:num_layers], weights[num_layers:end], weights[end:]

    def bounded(self, weights: list[np.ndarray]) -> list[np.ndarray]:
        """Weights within their bounds, which hold for all together that lead to a layer."""
        bounded = list(weights)
        for group in itertools.zip_longest(*self.parts(range(len(weights)))):
            members = [i for i in group if i is not None]
            together = self.bound(np.concatenate([weights[i] for i in members]))
            ends = np.cumsum([len(weights[i]) for i in members])[:-1]
            for i, part in zip(members, np.split(together, ends), strict=True):
                bounded[i] = part
        return bounded


class Convolutional:
    """Convolutions in front of another network."""

    def __init__(self, specification: dict[str, Any], arrays: Arrays) -> None:
        self.specification, self.filters = specification, layers_of(arrays, ".filters")
        head = {
            name.removeprefix(".head"): array
            for name, array in arrays.items()
            if name.startswith(".head")
        }
        self.head = NETWORKS[kind_of(specification["head"])](specification["head"], head)

    def reset(self, random: np.random.Generator, weights: Any) -> Memory:
        return self.head.reset(random, weights)

    def act(
        self, memory: Memory, observation: np.ndarray, reward: np.float32
    ) -> tuple[np.ndarray, Memory]:
        activation, picture = ACTIVATIONS[self.specification["activation"]], observation
        for kernel, stride in zip(self.filters, self.specification["strides"], strict=True):
            largest = pooled(convolved(picture, kernel, stride), self.specification["pool"])
            picture = activation(largest)
        return self.head.act(memory, picture.ravel(), reward)


def convolved(picture: np.ndarray, kernel: np.ndarray, stride: int) -> np.ndarray:
    """A convolution without padding: `[rows, columns, in]` to `[rows, columns, out]`."""
    windows = np.lib.stride_tricks.sliding_window_view(picture, kernel.shape[:2], axis=(0, 1))
    return np.einsum("rciyx,yxio->rco", windows[::stride, ::stride], kernel, optimize=True)


def pooled(picture: np.ndarray, side: int) -> np.ndarray:
    """The largest of each square of pixels; rows and columns that are left over are left out."""
    rows, columns = picture.shape[0] // side, picture.shape[1] // side
    squares = picture[: side * rows, : side * columns].reshape(rows, side, columns, side, -1)
    return squares.max(axis=(1, 3))


class ABCD:
    """eta (A o_i o_j + B o_i + C o_j + D) and its smaller relatives."""

    def __init__(self, specification: dict[str, Any]) -> None:
        rate, terms = specification["rate"], specification["terms"]
        self.rate = rate
        self.names = (*(("eta",) if rate != "none" else ()), *terms)
        self.names += ("E",) if rate == "both" else ()

    def init(self, weights: np.ndarray) -> Any:
        return ()

    def update(
        self, weights: np.ndarray, trace: Any, coefficients: np.ndarray, signals: tuple
    ) -> tuple[np.ndarray, Any]:
        o_i, o_j, _, _ = signals
        own = dict(zip(self.names, coefficients, strict=True))
        rate = own.get("eta", np.float32(1))
        change = own["A"] * o_i * o_j
        if "B" in own:
            change = change + own["B"] * o_i + own["C"] * o_j
        constant = own.get("D", 0.0)
        change = rate * change + (constant if self.rate == "outside" else rate * constant)
        return weights + change + own.get("E", 0.0), trace


class Oja:
    """eta (o_i o_j - o_j^2 w_ij)."""

    def __init__(self, specification: dict[str, Any]) -> None:
        pass

    def init(self, weights: np.ndarray) -> Any:
        return ()

    def update(
        self, weights: np.ndarray, trace: Any, coefficients: np.ndarray, signals: tuple
    ) -> tuple[np.ndarray, Any]:
        o_i, o_j, _, _ = signals
        return weights + coefficients[0] * o_j * (o_i - o_j * weights), trace


class Decay:
    """Another rule, whose weights shrink."""

    def __init__(self, specification: dict[str, Any]) -> None:
        self.rate = specification["rate"]
        self.rule = RULES[kind_of(specification["rule"])](specification["rule"])

    def init(self, weights: np.ndarray) -> Any:
        return self.rule.init(weights)

    def update(
        self, weights: np.ndarray, trace: Any, coefficients: np.ndarray, signals: tuple
    ) -> tuple[np.ndarray, Any]:
        changed, trace = self.rule.update(weights, trace, coefficients, signals)
        return changed - self.rate * weights, trace


class Every:
    """Another rule, in every so many steps."""

    def __init__(self, specification: dict[str, Any]) -> None:
        self.steps = specification["steps"]
        self.rule = RULES[kind_of(specification["rule"])](specification["rule"])

    def init(self, weights: np.ndarray) -> Any:
        return 0, self.rule.init(weights)

    def update(
        self, weights: np.ndarray, trace: Any, coefficients: np.ndarray, signals: tuple
    ) -> tuple[np.ndarray, Any]:
        num_steps, inner = trace[0] + 1, trace[1]
        if num_steps % self.steps == 0:
            weights, inner = self.rule.update(weights, inner, coefficients, signals)
        return weights, (num_steps, inner)


class Modulated:
    """Another rule, whose changes wait for a signal."""

    def __init__(self, specification: dict[str, Any]) -> None:
        self.by, self.decay = specification["by"], specification["decay"]
        self.mean_rate = specification["mean_rate"]
        self.rule = RULES[kind_of(specification["rule"])](specification["rule"])

    def init(self, weights: np.ndarray) -> Any:
        return np.zeros_like(weights), np.float32(0), self.rule.init(weights)

    def update(
        self, weights: np.ndarray, trace: Any, coefficients: np.ndarray, signals: tuple
    ) -> tuple[np.ndarray, Any]:
        _, _, reward, neuron = signals
        eligibility, mean, inner = trace
        signal = {"reward": reward, "surprise": reward - mean, "neuron": neuron}[self.by]
        changed, inner = self.rule.update(weights, inner, coefficients, signals)
        eligible = self.decay * eligibility + (changed - weights)
        mean = mean + self.mean_rate * (reward - mean)
        return weights + signal * eligibility, (eligible, mean, inner)


def divided_by_largest(weights: np.ndarray) -> np.ndarray:
    """A layer of zeros stays as it is."""
    largest = np.max(np.abs(weights))
    return weights / largest if largest > 0 else weights


def divided_by_norm(weights: np.ndarray) -> np.ndarray:
    """What leads to each neuron, over its length."""
    length = np.linalg.norm(weights, axis=0, keepdims=True)
    return weights / np.where(length > 0, length, 1)


NETWORKS: dict[str, Any] = {
    "Static": Static,
    "LSTM": LSTM,
    "GRU": GRU,
    "Hebbian": Hebbian,
    "Convolutional": Convolutional,
}
ACTIVATIONS: dict[str, Any] = {
    "tanh": np.tanh,
    "relu": lambda total: np.maximum(total, 0),
    "sigmoid": sigmoid,
    "elu": lambda total: np.where(total > 0, total, np.expm1(np.minimum(total, 0))),
    "gelu": lambda total: 0.5 * total * (1 + np.tanh(0.7978846 * (total + 0.044715 * total**3))),
    "silu": lambda total: total * sigmoid(total),
    "linear": lambda total: total,
}
RULES: dict[str, Any] = {
    "ABCD": ABCD,
    "Oja": Oja,
    "Decay": Decay,
    "Every": Every,
    "Modulated": Modulated,
}
BOUNDS: dict[str, Any] = {
    "none": lambda weights: weights,
    "largest": divided_by_largest,
    "clip": lambda weights: np.clip(weights, -1.0, 1.0),
    "row_norm": divided_by_norm,
}
