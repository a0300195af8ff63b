"""A run's network for programs without JAX."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from hebbax.evolution import numpy_policy
from hebbax.evolution.episode import Setup
from hebbax.evolution.observations import Senses, deviation
from hebbax.evolution.result import Result, load_result
from hebbax.files import local_path, replacing, write_whole
from hebbax.files.plain import to_plain

CODE = Path(numpy_policy.__file__)


def export(
    run: Result | str | Path, folder: str | Path, trust: Sequence[str] = ()
) -> tuple[Path, Path]:
    """Writes the network of a genome's mode, and what it needs to act in NumPy alone.

    What a task makes of an action, such as the racer's tanh and sigmoids, is the task's.

    Args:
        run: a result of `train`, or the folder of a run, of which the newest checkpoint is taken.
        folder: where to; made if it is not there.
        trust: modules, or files that end in `.py`, whose classes the run may be of; see
            `Config.from_dict`.

    Returns:
        The files: `policy.npz` with the numbers, and `numpy_policy.py`, which reads them and whose
        first lines say how.

    Raises:
        ValueError: if the network, or its rule, is none of hebbax's own.

    Examples:
        >>> import hebbax
        >>> task, policy = hebbax.tasks.Point(), hebbax.Hebbian(hidden_sizes=())
        >>> strategy = hebbax.ScoreFunction(population_size=4)
        >>> config = hebbax.Config(task, policy, hebbax.Normal(), strategy, generations=2)
        >>> result = hebbax.train(config)
        >>> [file.name for file in hebbax.evolution.export(result, "exported")]
        ['policy.npz', 'numpy_policy.py']
    """
    folder = local_path(folder, "folder")
    result = run if isinstance(run, Result) else load_result(run, trust)
    specification = to_plain(result.config.policy)
    _check_known(specification)
    setup = Setup.of(result.config)
    phenotype = setup.read(result.wiring, setup.express(result.wiring, result.genome.mode()))
    arrays: dict[str, Any] = {
        jax.tree_util.keystr(path): np.asarray(leaf)
        for path, leaf in jax.tree_util.tree_leaves_with_path(phenotype)
    }
    if isinstance(result.wiring, Senses):
        arrays["observation_mean"] = np.asarray(result.wiring.statistics.mean)
        arrays["observation_deviation"] = np.asarray(deviation(result.wiring.statistics))
    folder.mkdir(parents=True, exist_ok=True)
    files = folder / "policy.npz", folder / CODE.name
    with replacing(files[0]) as half, half.open("wb") as stream:
        np.savez(stream, specification=json.dumps(specification), **arrays)
    write_whole(files[1], CODE.read_text())
    return files


def _check_known(specification: Any) -> None:
    """Refuses networks and rules that the exported code does not have."""
    known = {**numpy_policy.NETWORKS, **numpy_policy.RULES}
    if isinstance(specification, dict):
        name = specification.get("class", "")
        if not (name.startswith("hebbax.") and numpy_policy.kind_of(specification) in known):
            raise ValueError(
                f"run has a network of {name}, but only networks and rules of hebbax can be "
                f"exported: {', '.join(known)}"
            )
        for part in specification.values():
            _check_known(part)
