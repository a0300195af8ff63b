"""SLURM's commands on one machine, as far as jobs of many processes need them.

`install` makes a folder of commands for PATH; each runs this file with its name. A job's folder has
`state`, `requeue` if it shall run again, and `tasks`, the processes of its step.
"""

import itertools
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

COMMANDS = ("sbatch", "srun", "sacct", "scontrol")
GRACE = 20.0  # s, from SIGTERM to SIGKILL.


def install(folder: Path) -> dict[str, str]:
    """Makes the commands; returns the variables with which they are found."""
    (folder / "bin").mkdir(parents=True)
    for name in COMMANDS:
        command = folder / "bin" / name
        command.write_text(f'#!/bin/sh\nexec {sys.executable} {__file__} {name} "$@"\n')
        command.chmod(0o755)
    return {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "FAKE_SLURM": str(folder)}


def job_folder(job: str) -> Path:
    """Where a job's files are."""
    return Path(os.environ["FAKE_SLURM"]) / job


def tasks(job: str) -> list[int]:
    """The processes of a job's step; none before it has begun."""
    file = job_folder(job) / "tasks"
    return list(map(int, file.read_text().split())) if file.exists() else []


def send(job: str, kind: signal.Signals) -> None:
    """Sends all of a job's processes a signal, as SLURM does."""
    for task in tasks(job):
        os.kill(task, kind)


def requeue(job: str) -> None:
    """Ends a job, which then runs again: SIGTERM first, SIGKILL later."""
    (job_folder(job) / "requeue").touch()
    send(job, signal.SIGTERM)


def sbatch(*arguments: str) -> None:
    """Starts a script in the background, again and again while it is requeued."""
    script = Path(arguments[-1])
    options = dict(re.findall(r"^#SBATCH --([\w-]+)=(\S+)", script.read_text(), re.MULTILINE))
    nodes = int(options.get("nodes", "1"))
    count = int(options.get("ntasks", nodes * int(options.get("ntasks-per-node", "1"))))
    job = str(os.getpid())
    folder = job_folder(job)
    folder.mkdir()
    (folder / "state").write_text("RUNNING")
    print(f"Submitted batch job {job}", flush=True)
    if os.fork():
        os._exit(0)
    os.setsid()
    quiet = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(quiet, stream)
    variables = {"SLURM_JOB_ID": job, "SLURM_NTASKS": str(count), "SLURM_NNODES": str(nodes)}
    variables |= {"SLURM_JOB_NODELIST": "localhost", "SLURM_JOB_NUM_NODES": str(nodes)}
    with (folder / "log").open("w") as log:
        while True:
            code = subprocess.call(
                ["sh", str(script)], env=os.environ | variables, stdout=log, stderr=log
            )
            if not (folder / "requeue").exists():
                break
            (folder / "requeue").unlink()
    (folder / "state").write_text("FAILED" if code else "COMPLETED")


def srun(*arguments: str) -> None:
    """Runs a command as each task of the job's step."""
    options = [one for one in arguments if one.startswith("--")]
    command = [one for one in arguments if not one.startswith("--")]
    values = dict(one[2:].split("=", 1) for one in options if "=" in one)
    # Of options with a value behind a blank, the value stands before the command.
    for name in ("--output", "--error"):
        if name in options:
            values[name[2:]] = command.pop(0)
    job = os.environ["SLURM_JOB_ID"]
    started = []
    for i in range(int(os.environ["SLURM_NTASKS"])):
        variables = {"SLURM_PROCID": str(i), "SLURM_LOCALID": "0", "SLURM_NODEID": str(i)}
        variables |= {"SLURM_STEP_NODELIST": "localhost", "SLURM_STEP_NUM_NODES": "1"}
        output = values.get("output", str(job_folder(job) / "task-%t"))
        output = output.replace("%j", job).replace("%A", job).replace("%t", str(i))
        with open(output, "a") as stream:
            started.append(
                subprocess.Popen(
                    command, env=os.environ | variables, stdout=stream, stderr=subprocess.STDOUT
                )
            )
    (job_folder(job) / "tasks").write_text(" ".join(str(one.pid) for one in started))
    ending = None
    while any(one.poll() is None for one in started):
        if (job_folder(job) / "requeue").exists():
            ending = ending or time.monotonic() + GRACE
            if time.monotonic() > ending:
                send(job, signal.SIGKILL)
        time.sleep(0.1)
    sys.exit(max(abs(one.wait()) for one in started))


def sacct(*arguments: str) -> None:
    """The states of jobs."""
    print("JobID|State|NodeList")
    for name, job in itertools.pairwise(arguments):
        if name == "-j" and job_folder(job).exists():
            print(f"{job}|{(job_folder(job) / 'state').read_text()}|localhost")


def scontrol(*arguments: str) -> None:
    """Requeues a job, or says names of hosts."""
    if arguments[0] == "requeue":
        requeue(arguments[1])
    else:
        print("localhost")


if __name__ == "__main__":
    {"sbatch": sbatch, "srun": srun, "sacct": sacct, "scontrol": scontrol}[sys.argv[1]](
        *sys.argv[2:]
    )
