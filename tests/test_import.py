"""`import hebbax` is cheap: what is heavy waits until it is asked for."""

import importlib.metadata
import json
import subprocess
import sys
from types import ModuleType

import pytest

import hebbax

HEAVY = {"brax", "evosax", "gymnasium", "gymnax", "matplotlib", "mujoco", "orbax"}

REPORT = """
import json, sys, time
start = time.perf_counter()
import jax
after_jax = time.perf_counter()
{imports}
seconds = time.perf_counter() - after_jax
loaded = sorted({{name.partition(".")[0] for name in sys.modules}})
print(json.dumps([loaded, after_jax - start, seconds]))
"""


def loaded_by(imports: str) -> set[str]:
    """The top-level modules that a fresh interpreter has loaded after some imports.

    Prints what they took.
    """
    command = [sys.executable, "-c", REPORT.format(imports=imports)]
    modules, jax_seconds, seconds = json.loads(
        subprocess.run(command, check=True, capture_output=True, text=True).stdout
    )
    print(f"jax: {jax_seconds:.2f} s; {imports}: {seconds:.2f} s more")
    return set(modules)


def test_import_loads_nothing_heavy():
    modules = loaded_by("import hebbax")
    assert "hebbax" in modules
    assert not modules & HEAVY


def test_heavy_import_is_seen():
    assert loaded_by("import hebbax, matplotlib") & HEAVY == {"matplotlib"}


def test_public_names_load_nothing_heavy():
    """A configuration can be written before physics is loaded. Mutation: evosax with the rest."""
    names = ("policies.LSTM", "genomes.Joint", "strategies.Sgd", "tasks.CarRacing")
    imports = "import hebbax; " + ", ".join(f"hebbax.{name}" for name in names)
    assert not loaded_by(imports) & HEAVY


NAMESPACES = (
    "comparison",
    "encodings",
    "evolution",
    "genomes",
    "policies",
    "rules",
    "strategies",
    "tasks",
    "watching",
)


@pytest.mark.parametrize("module", [hebbax, *(getattr(hebbax, name) for name in NAMESPACES)])
def test_public_names_are_there(module: ModuleType):
    """What a namespace exports can be had from it. Mutation: a misspelt home."""
    # gymnax is an extra, and takes long to load.
    assert all(getattr(module, name) for name in module.__all__ if name != "make_gymnax")
    with pytest.raises(AttributeError, match="no attribute 'Nobody'"):
        module.Nobody  # noqa: B018


def test_version_is_the_installed_one():
    assert hebbax.__version__ == importlib.metadata.version("hebbax")
