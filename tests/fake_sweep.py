"""A sweep's folder with made-up numbers: what a sweep writes, without a generation lived."""

import dataclasses
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

import hebbax

EPISODES = 20


def make_sweep(
    folder: Path,
    configs: Mapping[str, hebbax.Config],
    seeds: Iterable[int],
    levels: Mapping[str, tuple[float, float]],
) -> Path:
    """Writes a whole sweep over all folds.

    Args:
        folder: where to.
        configs: the methods; every variation is held out in turn.
        seeds: of the runs of each fold.
        levels: of each method, the mean return in variations that it was trained on, and in the one
            held out.
    """
    random = np.random.default_rng(0)
    runs = []
    for method, config in configs.items():
        for fold in config.task.variations:
            for seed in seeds:
                path = f"runs/{method}/{fold}/seed-{seed}"
                runs.append({"method": method, "fold": fold, "seed": seed, "path": path})
                _write_run(
                    folder / path,
                    dataclasses.replace(config, held_out=fold, seed=seed),
                    levels[method],
                    random,
                )
    (folder / "sweep.json").write_text(
        json.dumps({"format": 1, "episodes": EPISODES, "runs": runs})
    )
    return folder


def change(file: Path, **changes: Any) -> None:
    """Changes fields of a JSON file."""
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def _write_run(
    path: Path, config: hebbax.Config, levels: tuple[float, float], random: np.random.Generator
) -> None:
    path.mkdir(parents=True)
    (path / "config.json").write_text(json.dumps(config.to_dict()))
    own_level = 1 + 0.15 * random.normal()
    rise = 1 - np.exp(-3 * np.arange(1, config.generations + 1) / config.generations)
    fitness = levels[0] * own_level * rise + 0.03 * levels[0] * random.normal(
        size=config.generations
    )
    lines = [
        json.dumps({"generation": number, "fitness_mean": value}) + "\n"
        for number, value in enumerate(fitness)
    ]
    (path / "metrics.jsonl").write_text("".join(lines))
    for name, is_sampled in (("evaluation.json", False), ("evaluation-samples.json", True)):
        scores = [
            _score(
                variation,
                variation == config.held_out,
                (0.9 if is_sampled else 1.0) * own_level,
                levels,
                random,
            )
            for variation in config.task.variations
        ]
        plain = {"episodes": EPISODES, "is_sampled": is_sampled, "is_best": False, "scores": scores}
        (path / name).write_text(json.dumps(plain))


def _score(
    variation: str,
    is_held_out: bool,
    factor: float,
    levels: tuple[float, float],
    random: np.random.Generator,
) -> dict[str, Any]:
    returns = factor * levels[1 if is_held_out else 0] * (1 + 0.2 * random.normal(size=EPISODES))
    mean, error = returns.mean(), returns.std(ddof=1) / np.sqrt(EPISODES)
    return {
        "variation": variation,
        "is_held_out": is_held_out,
        "returns": returns.tolist(),
        "non_finite": 0,
        "mean": mean,
        "std": returns.std(ddof=1),
        "low": mean - 1.96 * error,
        "high": mean + 1.96 * error,
        "ended_early": 0.25,
    }
