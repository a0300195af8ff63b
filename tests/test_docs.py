"""The pages of the documentation: their code runs."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

PAGE = Path(__file__).parents[1] / "docs" / "own-task.md"
BLOCK = re.compile(r'^```python title="(?P<title>[\w.]+)"\n(?P<code>.*?)^```$', re.MULTILINE | re.DOTALL)
LIMIT = 200  # s; it takes a tenth of that.


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    """The page's code, by file."""
    return {block["title"]: block["code"] for block in BLOCK.finditer(PAGE.read_text())}


def test_own_task_is_small(files: dict[str, str]):
    """All code of the page together has under 60 lines, and there is none that this test does not see."""
    assert list(files) == ["cart.py", "train_cart.py"]
    assert PAGE.read_text().count("```") == 2 * len(files)
    assert sum(len(code.splitlines()) for code in files.values()) < 60


def test_own_task_learns(files: dict[str, str], tmp_path: Path):
    """The page's code runs as it stands, scores three variations, one held out, and fitness rises by more than four standard errors.

    Mutation: a learning rate of zero fails here.
    """
    for name, code in files.items():
        (tmp_path / name).write_text(code)
    environment = os.environ | {"PYTHONWARNINGS": "error::DeprecationWarning:__main__"}
    command = [sys.executable, "train_cart.py"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=LIMIT, check=False)
    assert done.returncode == 0, done.stderr
    rows = done.stdout.splitlines()
    assert [row.split()[0] for row in rows] == ["light", "medium", "heavy"]
    assert [row.endswith("held out") for row in rows] == [False, False, True]

    lines = (tmp_path / "runs" / "cart" / "metrics.jsonl").read_text().splitlines()
    fitness = np.asarray([json.loads(line)["fitness_mean"] for line in lines])
    first, last = fitness[:5], fitness[-5:]
    standard_error = np.sqrt(first.var(ddof=1) / 5 + last.var(ddof=1) / 5)
    assert (last.mean() - first.mean()) / standard_error > 4, (first, last)
