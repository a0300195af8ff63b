"""Versions, devices and code: what a number must be read with."""

import datetime
import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import jax

# What touches numbers. The precision of products of matrices is the configuration's.
JAX_SETTINGS = ("jax_default_prng_impl", "jax_enable_x64", "jax_threefry_partitionable")


def jax_settings() -> dict[str, Any]:
    """The settings of JAX that touch numbers."""
    return {name: getattr(jax.config, name) for name in JAX_SETTINGS if hasattr(jax.config, name)}


def describe_environment() -> dict[str, Any]:
    """Versions, devices and code: what a number must be read with."""
    packages = (
        "hebbax",
        "jax",
        "jaxlib",
        "optax",
        "brax",
        "mujoco",
        "mujoco-mjx",
        "orbax-checkpoint",
        "numpy",
    )
    return {
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "packages": {name: version_of(name) for name in packages},
        "backend": jax.default_backend(),
        "devices": [device.device_kind for device in jax.local_devices()],
        "processes": jax.process_count(),
        "cores": len(os.sched_getaffinity(0)),
        "machine": platform.platform(),
        "git_commit": _git_commit(),
        "jax": jax_settings(),
    }


def _git_commit() -> str | None:
    """The commit of the code; None where it is no checkout, or git is not installed."""
    command = ["git", "describe", "--always", "--dirty"]
    try:
        return subprocess.run(
            command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def version_of(package: str) -> str | None:
    """The version of an installed package; None where it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
