"""What is copied of a report."""

from pathlib import Path

import pytest

from hebbax.watching.report import copy_report, keep
from small_run import contents


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a report."""
    folder = tmp_path / "sweep"
    for name in (
        "report.html",
        "results.csv",
        "results.json",
        "figures/a.svg",
        "figures/a.png",
        "runs/a/checkpoints/1/data",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


def test_page_tables_and_pictures_are_copied(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """No checkpoints, no earlier report's pictures, and no page that is too large."""
    target = tmp_path / "kept"
    kept = ["figures/a.svg", "report.html", "results.csv", "results.json"]
    assert (
        sorted(str(path.relative_to(target)) for path in copy_report(folder, target))
        == list(contents(target))
        == kept
    )
    (folder / "figures" / "a.svg").rename(folder / "figures" / "b.svg")
    monkeypatch.setattr(keep, "LARGEST_PAGE", 3)
    copy_report(folder, target)
    assert list(contents(target)) == ["figures/b.svg", "results.csv", "results.json"]


def test_bad_targets_are_refused(folder: Path, tmp_path: Path):
    before = contents(tmp_path)
    with pytest.raises(ValueError, match="which is the folder itself"):
        copy_report(folder, folder)
    with pytest.raises(ValueError, match=r"has no report\.html; write the report first"):
        copy_report(tmp_path, tmp_path / "kept")
    assert contents(tmp_path) == before
