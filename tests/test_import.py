"""`import hebbax` is cheap: what is heavy waits until it is asked for."""

import json
import subprocess
import sys

HEAVY = {"brax", "evosax", "gymnax", "matplotlib", "mujoco", "orbax"}

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
