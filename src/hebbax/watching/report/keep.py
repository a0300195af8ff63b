"""What of a report is worth keeping beside the code.

The page, tables and vector pictures, no checkpoints.
"""

import shutil
from pathlib import Path

from hebbax.files import local_path

LARGEST_PAGE = 3 * 2**20  # Bytes; a larger page is not for a repository.


def copy_report(folder: str | Path, target: str | Path) -> list[Path]:
    """Copies report.html if it is below 3 MiB, results.csv, results.json and the pictures as SVG.

    Pictures of an earlier copy are replaced.

    Args:
        folder: of the sweep or the run, with a report.
        target: where to; made if it is not there.

    Returns:
        The copies.

    Raises:
        ValueError: if the folder has no report, or is the target.

    Examples:
        >>> import hebbax
        >>> task, policy = hebbax.tasks.Point(), hebbax.Hebbian(hidden_sizes=())
        >>> strategy = hebbax.ScoreFunction(population_size=4)
        >>> config = hebbax.Config(task, policy, hebbax.Normal(), strategy, generations=2)
        >>> result = hebbax.train(config, "runs/point")
        >>> page = hebbax.watching.write_report("runs/point")
        >>> [file.name for file in hebbax.watching.copy_report("runs/point", "kept")][:3]
        ['report.html', 'results.csv', 'results.json']
    """
    source, target = local_path(folder, "folder"), local_path(target, "target")
    page = source / "report.html"
    if not page.exists():
        raise ValueError(f"{source} has no report.html; write the report first")
    if source.resolve() == target.resolve():
        raise ValueError(f"the target is {target}, which is the folder itself; choose another")
    (target / "figures").mkdir(parents=True, exist_ok=True)
    for old in (
        page.name,
        *(path.relative_to(target) for path in (target / "figures").glob("*.svg")),
    ):
        (target / old).unlink(missing_ok=True)
    files = [
        *([page] if page.stat().st_size < LARGEST_PAGE else []),
        source / "results.csv",
        source / "results.json",
        *sorted((source / "figures").glob("*.svg")),
    ]
    return [Path(shutil.copy(file, target / file.relative_to(source))) for file in files]
