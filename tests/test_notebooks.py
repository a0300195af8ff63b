"""The notebooks of the documentation: they are valid, hold no outputs, and run in small."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[1] / "docs" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
LIMIT = 300  # s; it takes a tenth of that.
# What each of them prints at last, if it comes that far.
LAST_LINES = {"first_hour": r".*report\.html", "ppo_on_the_racer": r"force_east +-?\d+\.\d *"}


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def code_of(path: Path) -> str:
    """All code cells as one program, as a notebook has one namespace."""
    cells = [cell for cell in read(path)["cells"] if cell["cell_type"] == "code"]
    return "\n\n".join("".join(cell["source"]) for cell in cells)


def test_every_notebook_is_known():
    assert [path.stem for path in NOTEBOOKS] == list(LAST_LINES)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_of_the_format(path: Path):
    """Format 4.5: cells have names, each once. Outputs are not kept, nor where anything was run."""
    notebook = read(path)
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    cells = notebook["cells"]
    assert len({cell["id"] for cell in cells}) == len(cells)
    for cell in cells:
        common = {"cell_type", "id", "metadata", "source"}
        assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", cell["id"])
        assert all(isinstance(line, str) for line in cell["source"])
        if cell["cell_type"] == "markdown":
            assert set(cell) == common
        else:
            assert set(cell) == common | {"execution_count", "outputs"}
            assert (cell["execution_count"], cell["outputs"]) == (None, [])
    assert not re.search(r"[\"'(\s]/(home|root|tmp|work|Users|content)/", path.read_text())


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_links_lead_somewhere(path: Path):
    text = "".join(
        "".join(cell["source"]) for cell in read(path)["cells"] if cell["cell_type"] == "markdown"
    )
    links = [link for link in re.findall(r"\]\((.+?)\)", text) if not link.startswith("https://")]
    assert all((FOLDER / link.partition("#")[0]).exists() for link in links), links


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_run(path: Path, tmp_path: Path):
    """All cells in turn, in a process of their own as users run them, with small settings.

    Mutation: a name, an option or a field that does not exist, in any cell.
    """
    if path.stem == "first_hour":
        pytest.importorskip("gymnax")
    program = tmp_path / "cells.py"
    program.write_text(code_of(path), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, program.name],
        cwd=tmp_path,
        env=os.environ | {"SMALL": "1"},
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(LAST_LINES[path.stem], done.stdout.splitlines()[-1]), done.stdout
