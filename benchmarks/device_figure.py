"""Draws `docs/images/devices.svg`: steps per second over the population, on each measured device.

It reads `benchmarks/results/device-*.jsonl` and the CPU's `*-cpu.json`.
"""

import argparse
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from hebbax.watching.visualization.style import COLOURS, panels, save, styled

HERE = Path(__file__).parent
PANELS = {"quadruped": "quadruped, the paper's network", "car": "car racing, from pixels"}
STEPS = 200  # Of an episode on an accelerator.

Points = dict[str, dict[str, list[tuple[int, float]]]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=HERE.parent / "docs" / "images")
    draw(read(HERE / "results"), parser.parse_args().out)


def read(folder: Path) -> Points:
    """Populations and steps per second, by panel and device."""
    points: Points = {name: defaultdict(list) for name in PANELS}
    for file in sorted(folder.glob("device-*.jsonl")):
        if file.stem.endswith("-first"):  # An older record of the same device.
            continue
        lines: list[dict[str, Any]] = [json.loads(line) for line in file.read_text().splitlines()]
        [device] = next(line["devices"] for line in lines if line["name"] == "device")
        for line in lines:
            is_alike = line.get("episode_steps") == STEPS and "steps_per_second" in line
            if line["name"] in PANELS and is_alike:
                points[line["name"]][device].append((line["population"], line["steps_per_second"]))
    cpu = {"quadruped": ("quadruped-cpu.json", "hebbian"), "car": ("car-racing-cpu.json", "loop")}
    for panel, (name, case) in cpu.items():
        for row in json.loads((folder / name).read_text())["cases"]:
            is_whole = row["cores"] == 2 and row["steps"] <= STEPS
            if row["name"] == case and row.get("body", "bullet") == "bullet" and is_whole:
                population = row["population"] if "population" in row else row["batch"]
                points[panel]["2 cores of a CPU"].append((population, row["steps_per_second"]))
    return points


@styled
def draw(points: Points, folder: Path) -> None:
    """Writes the figure."""
    figure, axes = panels(len(PANELS), len(PANELS), (3.2, 2.6))
    names = sorted({name for of in points.values() for name in of})
    for panel, (name, title) in zip(axes, PANELS.items(), strict=True):
        for device, measured in points[name].items():
            populations, speeds = zip(*sorted(measured), strict=True)
            colour = COLOURS[names.index(device)]
            panel.plot(populations, speeds, "o-", color=colour, label=device)
        panel.set(title=title, xscale="log", yscale="log", xlabel="population, in four variations")
    axes[0].set_ylabel("steps per second")
    axes[0].legend()
    save(figure, folder, "devices")


if __name__ == "__main__":
    main()
