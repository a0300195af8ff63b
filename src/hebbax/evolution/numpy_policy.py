"""A policy that hebbax has evolved, in NumPy alone.

This file stands beside the `policy.npz` that `hebbax export` has written, and needs nothing else:

    from numpy_policy import Policy

    policy = Policy.load("policy.npz")
    memory = policy.reset(seed=0)
    action, memory = policy.act(memory, observation, reward)

`reward` is that of the step before, 0 in the first; most networks do not look at it.
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
            weights: first weights, layer by layer, in place of drawn ones.
        """
        return self.network.reset(np.random.default_rng(seed), weights)

    def act(
        self, memory: Memory, observation: Any, reward: float = 0.0
    ) -> tuple[np.ndarray, Memory]:
        """What to do, and what is remembered then."""
        return self.network.act(memory, np.asarray(observation, np.float32), np.float32(reward))


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
    weights: list[np.ndarray], observation: np.ndarray, biases: Any, is_output_linear: bool
) -> list[np.ndarray]:
    """What every group of neurons puts out, the observation first."""
    outputs = [observation.ravel()]
    for i, layer in enumerate(weights):
        total = outputs[-1] @ layer
        if biases:
            total = total + biases[i][0]
        is_linear = is_output_linear and i == len(weights) - 1
        outputs.append(total if is_linear else np.tanh(total))
    return outputs


def sigmoid(values: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x))."""
    return 0.5 * (1.0 + np.tanh(0.5 * values))


class Static:
    """Weights that do not change."""

    def __init__(self, specification: dict[str, Any], arrays: Arrays) -> None:
        self.is_output_linear = specification["is_output_linear"]
        self.weights = layers_of(arrays, "")

    def reset(self, random: np.random.Generator, weights: Any) -> Memory:
        return ()

    def act(
        self, memory: Memory, observation: np.ndarray, reward: np.float32
    ) -> tuple[np.ndarray, Memory]:
        return activations(self.weights, observation, (), self.is_output_linear)[-1], memory


class LSTM:
    """A first layer that remembers."""

    def __init__(self, specification: dict[str, Any], arrays: Arrays) -> None:
        self.is_output_linear = specification["is_output_linear"]
        self.arrays, self.layers = arrays, layers_of(arrays, ".layers")

    def reset(self, random: np.random.Generator, weights: Any) -> Memory:
        empty = np.zeros(self.arrays[".from_hidden"].shape[0], np.float32)
        return empty, empty

    def act(
        self, memory: Memory, observation: np.ndarray, reward: np.float32
    ) -> tuple[np.ndarray, Memory]:
        hidden, cell = memory
        gates = observation.ravel() @ self.arrays[".from_input"] + self.arrays[".input_bias"]
        gates = gates + hidden @ self.arrays[".from_hidden"] + self.arrays[".hidden_bias"]
        i, f, g, o = np.split(gates, 4)
        cell = sigmoid(f) * cell + sigmoid(i) * np.tanh(g)
        hidden = sigmoid(o) * np.tanh(cell)
        outputs = activations(self.layers, hidden, (), self.is_output_linear)
        return outputs[-1], (hidden, cell)


class Hebbian:
    """Weights that a rule changes after every action."""

    def __init__(self, specification: dict[str, Any], arrays: Arrays) -> None:
        self.specification = specification
        self.rules, self.first = layers_of(arrays, ".rules"), layers_of(arrays, ".weights")
        self.rule = RULES[kind_of(specification["rule"])](specification["rule"])
        self.bound = BOUNDS[specification["bound"]]
        self.num_layers = len(specification["hidden_sizes"]) + 1

    def reset(self, random: np.random.Generator, weights: Any) -> Memory:
        most = self.specification["initial_range"]
        drawn = [random.uniform(-most, most, rules.shape[1:]) for rules in self.rules]
        first = [np.asarray(one, np.float32) for one in (weights or self.first or drawn)]
        return first, [self.rule.init(layer) for layer in first]

    def act(
        self, memory: Memory, observation: np.ndarray, reward: np.float32
    ) -> tuple[np.ndarray, Memory]:
        weights, traces = memory
        layers, biases = weights[: self.num_layers], weights[self.num_layers :]
        is_linear = self.specification["is_output_linear"]
        outputs = activations(layers, observation, biases, is_linear)
        pairs = list(itertools.pairwise(outputs))
        if biases:
            pairs += [(np.ones(1, np.float32), post) for _, post in pairs]
        action, modulation = outputs[-1], np.float32(1)
        if self.specification["has_modulator"]:
            action, modulation = action[:-1], action[-1]
        changed = [
            self.rule.update(*of_layer, (pre[:, None], post[None], reward, modulation))
            for *of_layer, (pre, post) in zip(weights, traces, self.rules, pairs, strict=True)
        ]
        after = [layer for layer, _ in changed]
        if biases:
            halves = zip(after[: len(layers)], after[len(layers) :], strict=True)
            both = [self.bound(np.concatenate(pair)) for pair in halves]
            after = [one[:-1] for one in both] + [one[-1:] for one in both]
        else:
            after = [self.bound(one) for one in after]
        return action, (after, [trace for _, trace in changed])


class Vision:
    """Two convolutions in front of another network."""

    def __init__(self, specification: dict[str, Any], arrays: Arrays) -> None:
        self.filters = layers_of(arrays, ".filters")
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
        picture = observation
        for kernel, stride in zip(self.filters, (1, 2), strict=True):
            picture = np.tanh(pooled(convolved(picture, kernel, stride)))
        outputs, memory = self.head.act(memory, picture.ravel(), reward)
        return np.concatenate([np.tanh(outputs[:1]), sigmoid(outputs[1:])]), memory


def convolved(picture: np.ndarray, kernel: np.ndarray, stride: int) -> np.ndarray:
    """A convolution without padding: `[rows, columns, in]` to `[rows, columns, out]`."""
    windows = np.lib.stride_tricks.sliding_window_view(picture, kernel.shape[:2], axis=(0, 1))
    return np.einsum("rciyx,yxio->rco", windows[::stride, ::stride], kernel, optimize=True)


def pooled(picture: np.ndarray) -> np.ndarray:
    """The largest of each 2 x 2 pixels; an odd last row or column is left out."""
    rows, columns = picture.shape[0] // 2, picture.shape[1] // 2
    squares = picture[: 2 * rows, : 2 * columns].reshape(rows, 2, columns, 2, -1)
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


NETWORKS: dict[str, Any] = {"Static": Static, "LSTM": LSTM, "Hebbian": Hebbian, "Vision": Vision}
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
