"""What is carried to a machine without a network, and what is measured there.

Neither must outlive the names that it uses.
"""

import re
import runpy
from pathlib import Path

import pytest

from hebbax.presets import PRESETS

ROOT = Path(__file__).parents[1]


def test_carried_packages_are_locked():
    """A package that the lock file lacks would be missed only there.

    Mutation: a misspelt name in `prepare.sh`.
    """
    (names,) = re.findall(
        r"^names='(.*?)'", (ROOT / "benchmarks/offline/prepare.sh").read_text(), flags=re.S | re.M
    )
    locked = {
        line.split("==")[0]
        for line in (ROOT / "requirements.lock").read_text().splitlines()
        if "==" in line
    }
    assert len(names.split()) > 20
    assert set(names.split()) - locked == set()


def test_measured_presets_exist(monkeypatch: pytest.MonkeyPatch):
    """At every size a configuration can be made, in a rehearsal too."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    jobs = runpy.run_path(str(ROOT / "benchmarks/accelerator.py"))["JOBS"]
    presets = {job.preset for job in jobs if hasattr(job, "preset")}
    assert presets
    assert presets - set(PRESETS) == set()
    assert len({(job.name, str(job.__dict__)) for job in jobs}) == len(jobs)


@pytest.mark.parametrize("script", ["prepare.sh", "device.sh", "rehearse.sh"])
def test_scripts_end_with_their_first_error(script: str):
    """Bash goes on after errors by default."""
    assert "set -euo pipefail" in (ROOT / "benchmarks/offline" / script).read_text()


def test_device_tests_are_those_with_the_mark():
    """The files that are run on the other machine are all files with the mark.

    Mutation: a marked test in a file that nobody runs there.
    """
    listed = set((ROOT / "benchmarks/offline/device_tests").read_text().split())
    marked = {
        str(file.relative_to(ROOT))
        for file in (ROOT / "tests").rglob("test_*.py")
        if "pytest.mark.device" in file.read_text() and file != Path(__file__)
    }
    assert listed == marked
