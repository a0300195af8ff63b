"""What every benchmark needs: cases in processes of their own, clocks, and files of results.

A peer's Python, which has no hebbax, imports this file too: what needs hebbax or JAX is imported
where it is used.
"""

import argparse
import dataclasses
import functools
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RESULTS = HERE / "results"
SAYING = "figures: "  # Begins the line with which a process tells its figures.
OTHERS = "*"  # Stands for all names that are not listed.


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """Cases that are measured in turn, each in a process of its own.

    name: of the file of results.
    cases: frozen dataclasses with `name`, `cores` and what `measure` needs. `cores` counts for CPUs
        alone. One with `rounds` is measured by so many processes at most.
    measure: the figures of a case.
    figure: the one of which every process's value is kept.
    ratios: compares cases with their figures.
    fields: of the file, see `check_fields`.
    tiny: the most that fields of a case may be when it only has to run.
    peers: names of cases that `peers.py` measures, each with the module that it needs.
    has_cache: whether a case's later processes find the programs that the first has compiled.
    """

    name: str
    cases: Sequence[Any]
    measure: Callable[[Any], dict[str, Any]]
    figure: str
    ratios: Callable[[list[dict[str, Any]]], dict[str, float]]
    fields: Mapping[str, Any]
    tiny: Mapping[str, int]
    peers: Mapping[str, str]
    has_cache: bool = False


def run(benchmark: Benchmark, description: str | None) -> None:
    """Measures all cases and writes their medians, or measures one in a process for it."""
    parser = arguments(description, rounds=(3, 1))
    parser.add_argument("--only", default="", help="names of cases, separated by commas")
    parser.add_argument("--peer-python", default=sys.executable, help="a Python that has the peers")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        case = type(benchmark.cases[0])(**json.loads(options.case))
        take_cores(case.cores)
        return say(benchmark.measure(case))
    runs: dict[Any, list[dict[str, Any]]] = {case: [] for case in cases_here(benchmark, options)}
    with tempfile.TemporaryDirectory() as folder:
        cache = {"JAX_COMPILATION_CACHE_DIR": folder} if benchmark.has_cache else {}
        for number in range(options.rounds):
            for case in [case for case in runs if number < getattr(case, "rounds", number + 1)]:
                command = [sys.executable, sys.argv[0], "--case"]
                if case.name in benchmark.peers:
                    command = [options.peer_python, str(HERE / "peers.py"), benchmark.name]
                measured = in_a_process([*command, json.dumps(dataclasses.asdict(case))], cache)
                runs[case].append(measured)
                print(f"{case}: {measured}", flush=True)
    rows = [_row(case, measured, benchmark.figure) for case, measured in runs.items()]
    results = {"environment": environment(), "ratios": benchmark.ratios(rows), "cases": rows}
    return write(options, f"{benchmark.name}-{{device}}", results, benchmark.fields, ["ratios"])


def cases_here(benchmark: Benchmark, options: argparse.Namespace) -> list[Any]:
    """The cases that are asked for and can be measured here."""
    found = []
    for case in benchmark.cases:
        module = benchmark.peers.get(case.name)
        if options.only and case.name not in options.only.split(","):
            continue
        if module and not _has(options.peer_python, module):
            print(f"{case} is left out: {options.peer_python} lacks {module}")
            continue
        changes = {
            name: min(most, getattr(case, name))
            for name, most in benchmark.tiny.items()
            if options.tiny
        }
        # Peers run on a CPU wherever they are.
        cores = case.cores if module else cores_here(case.cores)
        found.append(dataclasses.replace(case, cores=cores, **changes))
    return list(dict.fromkeys(found))  # Without cores some are alike.


def _has(python: str, module: str) -> bool:
    done = subprocess.run([python, "-c", f"import {module}"], capture_output=True, check=False)
    return done.returncode == 0


def _row(case: Any, measured: list[dict[str, Any]], figure: str) -> dict[str, Any]:
    """A case with its figures: of numbers the medians over its processes.

    But for the first one's seconds of compiling, whose programs the others may find.
    """
    first = measured[0]
    medians = {
        name: statistics.median(run[name] for run in measured)
        for name, value in first.items()
        if isinstance(value, int | float) and name != "compile_seconds"
    }
    values = [run[figure] for run in measured if figure in run]
    return dataclasses.asdict(case) | first | medians | {f"all_{figure}": values}


@functools.cache
def environment() -> dict[str, Any]:
    """Versions, devices and code, found in a process of its own: JAX does not start in this one."""
    tell = "from hebbax.evolution import environment; import harness; "
    command = [sys.executable, "-c", tell + "harness.say(environment.describe_environment())"]
    return in_a_process(command, {"PYTHONPATH": os.pathsep.join([str(HERE), *sys.path])})


def cores_here(count: int) -> int | None:
    """A number of cores where programs run on a CPU; None elsewhere."""
    return count if environment()["backend"] == "cpu" else None


def take_cores(count: int | None) -> None:
    """Confines this process to some cores of a CPU, each a device; None leaves it as it is.

    Call it before JAX is first used.
    """
    if count is not None:
        import hebbax

        pin(count)
        hebbax.use_cpu_cores(count)


def pin(count: int) -> None:
    """Confines this process to some cores."""
    available = sorted(os.sched_getaffinity(0))
    if count > len(available):
        raise ValueError(f"{count} cores are asked for, but there are {len(available)}")
    os.sched_setaffinity(0, available[:count])


def peak_memory() -> int:
    """The most bytes that this process has had in memory."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def device_memory(figure: str) -> int | None:
    """What an accelerator says of its memory; None of a CPU."""
    import jax

    return (jax.local_devices()[0].memory_stats() or {}).get(figure)


def in_a_process(command: Sequence[str], variables: Mapping[str, str] = {}) -> dict[str, Any]:
    """What a command says; its NumPy uses one thread."""
    single = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        command,
        env={**os.environ, **single, **variables},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return hear(done.stdout.splitlines())


def say(figures: dict[str, Any]) -> None:
    """Tells figures to the process that started this one."""
    print(f"\n{SAYING}{json.dumps(figures)}", flush=True)


def hear(lines: Iterable[str]) -> dict[str, Any]:
    """The next figures that are said.

    Raises:
        EOFError: if there are none.
    """
    for line in lines:
        if line.startswith(SAYING):
            return json.loads(line.removeprefix(SAYING))
    raise EOFError("the process ended without a word")


def seconds_of(call: Callable[[], Any]) -> float:
    """How long a call takes until all its results are there."""
    import jax

    started = time.perf_counter()
    jax.block_until_ready(call())
    return time.perf_counter() - started


def repeat(call: Callable[[], Any], times: int, warm_ups: int = 1) -> list[float]:
    """How long each of some calls takes, after some that do not count."""
    return [seconds_of(call) for _ in range(warm_ups + times)][warm_ups:]


def compiled(function: Any, *arguments: Any) -> tuple[Any, float]:
    """A jitted function's program for some arguments, and the seconds of compiling it."""
    started = time.perf_counter()
    program = function.lower(*arguments).compile()
    return program, time.perf_counter() - started


def ratios_of(
    figures: Mapping[Any, float], pairs: Mapping[str, tuple[Any, Any]]
) -> dict[str, float]:
    """The first of each pair's figures over the second, where both were measured."""
    return {
        name: figures[first] / figures[second]
        for name, (first, second) in pairs.items()
        if first in figures and second in figures
    }


def arguments(description: str | None, **sizes: tuple[int, int]) -> argparse.ArgumentParser:
    """The command line that all benchmarks share.

    Args:
        description: of the script.
        sizes: options of its own, each with what is measured, and what is only tried.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, help="the folder of the results")
    parser.add_argument(
        "--tiny", action="store_true", help="tries the script; by default in a temporary folder"
    )
    for name, (measured, tried) in sizes.items():
        default = tried if "--tiny" in sys.argv else measured
        parser.add_argument(f"--{name}", type=int, default=default, help=f"by default {measured}")
    return parser


def folder(options: argparse.Namespace) -> Path:
    """Where results go: what was only tried never replaces what was measured."""
    options.out = options.out or (Path(tempfile.mkdtemp()) if options.tiny else RESULTS)
    options.out.mkdir(parents=True, exist_ok=True)
    return options.out


def write(
    options: argparse.Namespace,
    name: str,
    results: dict[str, Any],
    fields: Mapping[str, Any],
    shown: Iterable[str] = (),
) -> None:
    """Writes results that have the fields that the benchmark states, and prints some of them.

    Where these name an environment that the results lack, it is this process's. `{device}` in the
    name of the file is that environment's.
    """
    from hebbax.evolution.environment import describe_environment
    from hebbax.files import write_json

    if "environment" in fields and "environment" not in results:
        results = {"environment": describe_environment(), **results}
    check_fields(results, fields)
    device = results["environment"]["devices"][0] if "environment" in results else ""
    file = folder(options) / f"{name.format(device=device.replace(' ', '-'))}.json"
    write_json(file, results)
    for part in shown:
        print(f"{part}: {json.dumps(results[part], indent=2)}")
    print(f"written to {file}")


def fields(names: str, **parts: Any) -> dict[str, Any]:
    """Names of fields, and of those that have fields themselves."""
    return {**dict.fromkeys(names.split()), **parts}


def by_name(kinds: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], Any]:
    """The fields of records that differ by what their `name` says."""
    return lambda record: kinds.get(record["name"], kinds[OTHERS])


def check_fields(value: Any, fields: Any, place: str = "the results") -> None:
    """Refuses results that lack fields, or have others.

    Args:
        value: the results; of a list each member is looked at.
        fields: names, each with its own fields, or None where nobody looks further; `OTHERS` stands
            for all other names. A function tells the fields of a record.
        place: of the value, for the error.
    """
    if fields is None:
        return
    if isinstance(value, list):
        for member in value:
            check_fields(member, fields, place)
        return
    fields = fields(value) if callable(fields) else fields
    missing = fields.keys() - {OTHERS} - value.keys()
    unknown = set() if OTHERS in fields else value.keys() - fields.keys()
    if missing or unknown:
        raise ValueError(f"{place} lack {sorted(missing)} and have unknown {sorted(unknown)}")
    for name, part in value.items():
        check_fields(part, fields.get(name, fields.get(OTHERS)), f"{place}, {name}")
