"""What many processes cost one, and how far their numbers are from one's.

It writes `benchmarks/results/many-processes-DEVICE.json`.

Overhead
    A process that is the only one of a distributed run trains the quadruped twice, alone and
    distributed. Both trainings take turns: each makes a generation, the loop around it included,
    while the other waits, in the reverse order every other turn. The ratio is the median of each
    turn's own, with its quartiles.

Numbers
    The paper's plastic network without physics evolves on other numbers of processes and devices,
    and is stopped and gone on with on others. `genome` is the largest difference of the genome's
    numbers from those on one device, over the largest of these; `fitness` that of the mean fitness.
    What differs is the order of sums.
"""

import dataclasses
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import harness
from harness import fields

GENERATIONS = 20
ALONE = {"processes": 1, "devices": 1}
# Processes and devices of each, before half of the generations and after it.
PLACES = {
    "one process, one device": [ALONE],
    "one process, two devices": [{"processes": 1, "devices": 2}],
    "two processes": [{"processes": 2, "devices": 1}],
    "four processes": [{"processes": 4, "devices": 1}],
    "one process, gone on with by two": [ALONE, {"processes": 2, "devices": 1}],
    "four processes, gone on with by one": [{"processes": 4, "devices": 1}, ALONE],
}
RATIO = fields("median low high")
DIFFERENCE = fields("genome fitness")
FIELDS = fields(
    "environment turns seconds",
    overhead=RATIO,
    differences={"*": {"first": DIFFERENCE, "last": DIFFERENCE}},
)


def main() -> None:
    """Measures both, or is one of the processes."""
    if sys.argv[1:2] == ["--child"]:
        child(json.loads(sys.argv[2]))
        return
    options = harness.arguments(__doc__, turns=(40, 2)).parse_args()
    overhead, seconds = take_turns(options.turns, is_tiny=options.tiny)
    print(overhead)
    differences = compare(GENERATIONS if not options.tiny else 2)
    print(json.dumps(differences, indent=2))
    results = {"turns": options.turns, "overhead": overhead, "seconds": seconds}
    results |= {"differences": differences}
    harness.write(options, "many-processes-{device}", results, FIELDS)


def take_turns(turns: int, *, is_tiny: bool) -> tuple[dict[str, float], float]:
    """The ratio of a distributed generation's time to a lonely one's, and the latter's median."""
    from in_turn import quartiles  # Not for the children: it loads physics, which print.

    cores = min(2, len(os.sched_getaffinity(0)))
    told = {"kind": "turns", "is_tiny": is_tiny, "devices": cores, "generations": turns + 1}
    one = start(told | {"port": free_port(), "processes": 1, "process": 0})
    times = json.loads(one.communicate()[0].splitlines()[-1])
    ratios = [b / a for a, b in zip(*times, strict=True)]
    return quartiles(ratios), statistics.median(times[0])


def compare(generations: int) -> dict[str, Any]:
    """The differences of all places from the first."""
    runs = {}
    for name, halves in PLACES.items():
        with tempfile.TemporaryDirectory() as folder:
            for number, place in enumerate(halves, 1):
                length = generations * number // len(halves)
                told = {"kind": "numbers", "generations": length, "folder": folder} | place
                runs[name] = run_together(told)
    expected = runs["one process, one device"]
    return {
        name: {when: difference(run[when], expected[when]) for when in ("first", "last")}
        for name, run in runs.items()
    }


def run_together(told: dict[str, Any]) -> Any:
    """What the first of some processes says."""
    meeting = {} if told == told | ALONE else {"port": free_port()}
    started = [start(told | meeting | {"process": i}) for i in range(told["processes"])]
    answers = [one.communicate()[0] for one in started]
    if any(one.returncode for one in started):
        raise RuntimeError(f"exit codes are {[one.returncode for one in started]}")
    return json.loads(answers[0].splitlines()[-1])


def difference(found: Any, expected: Any) -> dict[str, float]:
    """How far genome and fitness are from what is expected, relative to its largest number."""

    def largest(numbers: Any) -> float:
        return max(map(abs, numbers))

    return {
        name: largest([a - b for a, b in zip(found[name], expected[name], strict=True)])
        / largest(expected[name])
        for name in ("genome", "fitness")
    }


def start(told: dict[str, Any]) -> subprocess.Popen[str]:
    """Starts a process."""
    command = [sys.executable, __file__, "--child", json.dumps(told)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def free_port() -> int:
    """A port of this machine that nobody listens at."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def child(told: dict[str, Any]) -> None:
    """Trains as one of the processes."""
    # What libraries print is none of the answer.
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    import hebbax
    from hebbax.evolution import join_processes

    hebbax.use_cpu_cores(told["devices"])
    if is_distributed := "port" in told:
        join_processes(f"127.0.0.1:{told['port']}", told["processes"], told["process"])
    if told["kind"] == "turns":
        print(json.dumps(train_in_turn(told)), file=answer, flush=True)
        return
    folder = Path(told["folder"])

    def note(metrics: Any, handle: Any) -> None:
        if metrics["generation"] == 0:
            (folder / "first.json").write_text(json.dumps(numbers(handle.result())))

    result = hebbax.train(
        without_physics(told), folder / "run", callbacks=[note], distributed=is_distributed
    )
    if told["process"] == 0:
        first = json.loads((folder / "first.json").read_text())
        print(json.dumps({"first": first, "last": numbers(result)}), file=answer, flush=True)


def train_in_turn(told: dict[str, Any]) -> tuple[list[float], list[float]]:
    """The seconds of generations of a training alone, and of a distributed one, in turn."""
    import hebbax

    config = quadruped(told)
    gates = [threading.Semaphore(0), threading.Semaphore(0)]
    done = threading.Semaphore(0)

    def train(index: int) -> None:
        def wait(*_: Any) -> None:
            done.release()
            gates[index].acquire()

        gates[index].acquire()
        hebbax.train(config, callbacks=[wait], distributed=index == 1)

    threads = [threading.Thread(target=train, args=(index,)) for index in (0, 1)]
    for thread in threads:
        thread.start()
    times: tuple[list[float], list[float]] = ([], [])
    for turn in range(config.generations):
        for index in (0, 1) if turn % 2 else (1, 0):
            started = time.perf_counter()
            gates[index].release()
            done.acquire()
            if turn:  # The first compiles.
                times[index].append(time.perf_counter() - started)
    for gate, thread in zip(gates, threads, strict=True):
        gate.release()
        thread.join()
    return times


def numbers(result: Any) -> dict[str, Any]:
    """What is compared of a training."""
    import jax

    genome = [float(x) for leaf in jax.tree.leaves(result.genome.mode()) for x in leaf.ravel()]
    return {"genome": genome, "fitness": [result.history[-1]["fitness_mean"]]}


def quadruped(told: dict[str, Any]) -> Any:
    """The configuration whose generations are timed."""
    import hebbax

    is_tiny = told["is_tiny"]
    return hebbax.Config(
        task=hebbax.Quadruped(body="brax", episode_steps=5 if is_tiny else 60, burn_in_steps=0),
        policy=hebbax.Hebbian(),
        genome=hebbax.Normal(init_scale=0.03),
        strategy=hebbax.ScoreFunction(population_size=4 if is_tiny else 32),
        generations=told["generations"],
        held_out="long_front_legs",
    )


def without_physics(told: dict[str, Any]) -> Any:
    """The configuration whose numbers are compared."""
    from stand_ins import NoPhysics

    import hebbax

    config = hebbax.Config(
        task=NoPhysics(max_steps=20),
        policy=hebbax.Hebbian(),
        genome=hebbax.Normal(init_scale=0.03),
        strategy=hebbax.ScoreFunction(population_size=32, std=hebbax.Schedule(0.03)),
    )
    return dataclasses.replace(config, generations=told["generations"])


if __name__ == "__main__":
    main()
