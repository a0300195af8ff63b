"""What hebbax does on one accelerator.

Are its numbers right, how fast is a generation, and where does the time go.

Each figure is a line of JSON in `device.jsonl`, written as soon as it is known, the most important
first: a time limit loses only what was left. Every figure has a process of its own. All compile
side by side at the start, and measure one after another when all have compiled. `--tiny` rehearses
on a CPU.

Figures
    device: bytes a second of a large copy, read and written; operations a second of a product of
        float32 matrices; seconds that a trip of a loop takes, with one operation in it and with 33
        that cannot be fused.
    generations: seconds of whole generations, the strategy's part included, in the paper's
        networks; steps are the lifetimes', of all individuals and variations. `plasticity` has no
        physics, `physics` no network.
    agreement: the largest differences from the CPU in the same process: worlds, views, networks
        with their plasticity, the mixture's gradient.
    profile: the kernels of ten policy steps, and how long none ran.
"""

import argparse
import concurrent.futures
import json
import os
import subprocess
import sys
import time
import traceback
from typing import Any

import harness
from device_jobs import GENERATIONS, JOBS, LINE, Job
from harness import by_name, fields

# Records up to that of commit 6776601 have other names of generations.
FIELDS = by_name(
    {
        **{job.name: job.fields for job in JOBS},
        "compiled": LINE | fields("done of"),
        "end": LINE,
        "*": GENERATIONS,
    }
)


class Lines:
    """The file of figures, and the time that is left."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._file = harness.folder(options) / "device.jsonl"
        self._seconds, self._begin = options.seconds, time.perf_counter()

    def left(self) -> float:
        return self._seconds - (time.perf_counter() - self._begin)

    def write(self, name: str, **figures: Any) -> None:
        """Writes a line, which has the fields that its name asks for unless it failed."""
        seconds = round(time.perf_counter() - self._begin, 1)
        line = {"name": name, "at_seconds": seconds, **figures}
        if not {"error", "skipped"} & figures.keys():
            harness.check_fields(line, FIELDS, name)
        print(json.dumps(line), flush=True)
        with self._file.open("a") as stream:
            stream.write(json.dumps(line) + "\n")


class Worker:
    """A process that compiles one thing, and measures it when it is told to."""

    def __init__(self, number: int, options: argparse.Namespace) -> None:
        """Starts it, and waits until it has compiled."""
        tiny = ["--tiny"] if options.tiny else []
        command = [sys.executable, __file__, "--worker", str(number), *tiny]
        self._process = subprocess.Popen(
            [*command, "--out", str(options.out)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.answer = self._hear()
        # A rehearsal needs no quiet, but memory for few processes.
        if options.tiny:
            self.measure()

    def measure(self) -> dict[str, Any]:
        """Has it measure, the first time. After a failure the answer is the error."""
        if self._process.poll() is None and "error" not in self.answer:
            assert self._process.stdin
            self._process.stdin.write("go\n")
            self._process.stdin.flush()
            self.answer |= self._hear()
        self._process.kill()
        self._process.wait()
        return self.answer

    def _hear(self) -> dict[str, Any]:
        assert self._process.stdout
        try:
            return harness.hear(self._process.stdout)
        except EOFError:
            return {"error": f"the process ended with code {self._process.wait()}"}


def main() -> None:
    """Measures everything, until the time is over."""
    options = _parse()
    if options.worker is not None:
        work(JOBS[options.worker], options)
        return
    lines = Lines(options)
    chosen = [
        number
        for number, job in enumerate(JOBS)
        if not options.only or job.name in options.only.split(";")
    ]
    with concurrent.futures.ThreadPoolExecutor(options.processes) as pool:
        compiling = {number: pool.submit(Worker, number, options) for number in chosen}
        # Nothing is measured while others compile.
        concurrent.futures.wait(compiling.values(), timeout=max(1.0, 0.6 * options.seconds))
        num_done = sum(worker.done() for worker in compiling.values())
        lines.write("compiled", done=num_done, of=len(compiling))
        for number, worker in compiling.items():
            name, sizes = JOBS[number].name, JOBS[number].sizes(options)
            if not worker.done() or lines.left() < 5:
                lines.write(name, **sizes, skipped="no time left")
                continue
            answer = pool.submit(worker.result().measure)
            try:
                lines.write(name, **sizes, **answer.result(timeout=max(5.0, lines.left())))
            except concurrent.futures.TimeoutError:
                lines.write(name, **sizes, error="not measured in time")
                break
        lines.write("end")
        os._exit(0)  # Some may still compile.


def _parse() -> argparse.Namespace:
    parser = harness.arguments(__doc__)
    parser.add_argument(
        "--seconds", type=float, default=480.0, help="after which nothing new is begun"
    )
    parser.add_argument("--only", default="", help="names, separated by semicolons; all if empty")
    parser.add_argument(
        "--processes",
        type=int,
        default=len(os.sched_getaffinity(0)),
        help="how many compile at a time",
    )
    parser.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


def work(job: Job, options: argparse.Namespace) -> None:
    """What a process does: compiles, says so, waits, measures."""
    try:
        for answer in job.run(options):
            harness.say(answer)
            if not sys.stdin.readline():
                return  # Nobody waits any more.
    except Exception as error:
        traceback.print_exc(limit=6)
        harness.say({"error": f"{type(error).__name__}: {str(error)[:400]}"})


if __name__ == "__main__":
    main()
