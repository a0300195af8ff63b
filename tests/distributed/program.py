"""What each of many processes runs: trainings and evaluations, as its argument says.

names: of the configurations, one after another.
changes: fields of all configurations.
address, processes, process: how the processes meet.
cluster: whether a cluster says so; alone without both.
devices: CPU devices of each.
folder: for the runs; none if null.
sweep: a folder, in which the configurations are compared instead.
answer: file for the numbers, which the first writes.
"""

import json
import sys
from pathlib import Path
from typing import Any

from many import changed, configurations, numbers

import hebbax
from hebbax.evolution import join_processes


def main() -> None:
    """Does what it is told."""
    told = json.loads(sys.argv[1])
    hebbax.use_cpu_cores(told.get("devices", 1))
    hebbax.devices.use_compilation_cache()
    is_distributed = "address" in told or "cluster" in told
    if is_distributed:
        # Before the configurations: evosax uses JAX as soon as it is imported.
        join_processes(
            *((told["address"], told["processes"], told["process"]) if "address" in told else ())
        )
    if "sweep" in told:
        methods = {name: configurations()[name] for name in told["names"]}
        hebbax.sweep(methods, told["sweep"], ["heavy"], 2, 4, together=True, distributed=True)
        return
    answers = {}
    for name in told["names"]:
        config = changed(configurations()[name], told.get("changes", {}))
        folder = told.get("folder")
        result = hebbax.train(
            config,
            folder and f"{folder}/{name}",
            [say],
            distributed=is_distributed,
        )
        scores = hebbax.evaluate(result, 4, distributed=is_distributed)
        answers[name] = numbers(result, scores)
    if "answer" in told:
        Path(f"{told['answer']}-{told['process']}").write_text(json.dumps(answers))


def say(metrics: Any, handle: Any) -> None:
    """Says how far the run is."""
    print(f"generation {metrics['generation'] + 1}.", flush=True)


if __name__ == "__main__":
    main()
