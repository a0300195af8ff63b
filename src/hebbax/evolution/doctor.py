"""What a machine and its packages are, and what of it is known not to go together.

Bounds of versions are those that the installed packages themselves declare.
"""

import importlib.metadata
import os
import platform
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import jax
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from hebbax import devices
from hebbax.evolution.environment import version_of

# Whose versions are shown, and whose requirements must be met.
PACKAGES = (
    *("hebbax", "jax", "jaxlib", "numpy", "flax", "optax", "evosax", "brax", "mujoco"),
    *("mujoco-mjx", "gymnax", "gymnasium", "matplotlib", "tensorboardX", "wandb"),
)
# hebbax's extras for those who run it; what they name need not be there.
EXTRAS = ("cuda", "gymnax", "slurm", "tensorboard", "viz", "wandb")
CUDA = [f"jax-cuda{major}-{part}" for major in (12, 13) for part in ("plugin", "pjrt")]


class Diagnosis(NamedTuple):
    """What is there, and what is wrong with it.

    facts: in words, by what they are of.
    faults: what is, what is allowed and what to do, each in a line.
    """

    facts: dict[str, str]
    faults: list[str]


def examine() -> Diagnosis:
    """Looks at versions, devices, memory, the cache of compiled programs and the environment."""
    is_cached = jax.config.values["jax_enable_compilation_cache"]
    place = jax.config.values["jax_compilation_cache_dir"] if is_cached else None
    hardware, cache = _examine_devices(), _examine_cache(place)
    versions = {name: version_of(name) or "not installed" for name in PACKAGES}
    faults = [*_version_faults(), *_cuda_faults(), *_setting_faults()]
    return Diagnosis(
        {"Python": platform.python_version(), **versions, **hardware.facts, **cache.facts},
        # What hebbax asks for, its packages may ask for as well.
        [*dict.fromkeys(faults), *hardware.faults, *cache.faults],
    )


def _version_faults() -> Iterator[str]:
    """Installed packages that need another Python, or other packages than are there."""
    python = platform.python_version()
    for name in PACKAGES:
        if (version := version_of(name)) is None:
            continue
        metadata = importlib.metadata.metadata(name)
        pythons = SpecifierSet(",".join(metadata.get_all("Requires-Python", [])))
        if not pythons.contains(python, prereleases=True):
            yield (
                f"Python is {python}, but {name} {version} needs {pythons}: pip install "
                f"--force-reinstall {name} takes one for this Python"
            )
        for line in importlib.metadata.requires(name) or ():
            yield from _requirement_faults(name, Requirement(line))
    if version_of("gymnax") and not version_of("six"):
        yield (
            "six is not installed, but gymnax imports it without declaring it: pip install "
            "'hebbax[gymnax]'"
        )


def _requirement_faults(asking: str, asked: Requirement) -> Iterator[str]:
    marker, found = asked.marker, version_of(asked.name)
    is_needed = marker is None or marker.evaluate({"extra": ""})
    is_looked_at = is_needed or (
        asking == "hebbax"
        and marker is not None
        and any(marker.evaluate({"extra": extra}) for extra in EXTRAS)
    )
    remedy = f"pip install '{asked.name}{asked.specifier}'"
    if found is None and is_needed:
        yield f"{asked.name} is not installed, but {asking} needs it: {remedy}"
    if found is not None and is_looked_at and not asked.specifier.contains(found, prereleases=True):
        yield f"{asked.name} is {found}, but {asking} needs {asked.specifier}: {remedy}"


def _cuda_faults() -> Iterator[str]:
    """Parts of JAX for GPUs that are of another version than its compiler."""
    jaxlib = version_of("jaxlib")
    for name in CUDA:
        found = version_of(name)
        if found and jaxlib and Version(found).release[:3] != Version(jaxlib).release[:3]:
            yield (
                f"{name} is {found}, but must be {jaxlib} as jaxlib is: pip install "
                f"'jax[{name.split('-')[1]}]=={version_of('jax')}'"
            )


def _setting_faults() -> Iterator[str]:
    if jax.config.values["jax_enable_x64"]:
        yield (
            "jax_enable_x64 is True, but must be False: numbers of 64 bits take twice the memory, "
            "and no others can resume such runs; unset JAX_ENABLE_X64"
        )
    if flags := os.environ.get("XLA_FLAGS"):
        yield (
            f"XLA_FLAGS is {flags!r}, but should not be set: it changes how programs are compiled, "
            "and a flag that jaxlib does not know ends the process; unset XLA_FLAGS"
        )


def _examine_devices() -> Diagnosis:
    try:
        backend, local = jax.default_backend(), jax.local_devices()
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        return Diagnosis(
            {"devices": "none"},
            [
                f"JAX starts no backend ({reason}), but needs one: unset JAX_PLATFORMS, or pip "
                "install 'hebbax[cuda]' if it names a GPU"
            ],
        )
    kinds = Counter(device.device_kind for device in local)
    facts = {
        "backend": backend,
        "devices": ", ".join(f"{amount} x {kind}" for kind, amount in kinds.items()),
        "cores": str(devices.num_cores()),
        "memory": f"{devices.free_bytes() / 2**30:.1f} GiB for arrays",
    }
    return Diagnosis(facts, list(_device_faults(backend, len(local))))


def _device_faults(backend: str, count: int) -> Iterator[str]:
    if backend == "cpu" and _has_gpu():
        is_chosen = "JAX_PLATFORMS" in os.environ
        remedy = "unset JAX_PLATFORMS" if is_chosen else "pip install 'hebbax[cuda]'"
        yield f"the backend is cpu, but should be gpu, for there is an NVIDIA GPU: {remedy}"
    threads = os.environ.get("NPROC", "")
    if backend == "cpu" and threads.isdigit() and 1 < count >= int(threads):
        yield (
            f"NPROC is {threads}, but must be above {count}, the number of devices, whose programs "
            "else wait for each other for ever: unset NPROC"
        )


def _has_gpu() -> bool:
    return shutil.which("nvidia-smi") is not None or any(Path("/dev").glob("nvidia[0-9]*"))


def _examine_cache(place: str | None) -> Diagnosis:
    """Where compiled programs are kept; a folder that is missing is made, as a run makes it."""
    name = "cache of programs"
    if not place:
        return Diagnosis({name: "switched off"}, [])
    if "://" in place:
        return Diagnosis({name: f"{place}, not looked into"}, [])
    folder = Path(place)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        return Diagnosis(
            {name: f"{place}, not writable"},
            [
                f"the {name} is {place}, but must be a folder that can be written "
                f"({error.strerror}), or every process compiles anew: name another one in "
                "JAX_COMPILATION_CACHE_DIR"
            ],
        )
    size = sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
    return Diagnosis({name: f"{place}, {size / 2**20:,.0f} MiB, writable"}, [])
