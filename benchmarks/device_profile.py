"""The kernels that a call runs on a GPU."""

import collections
import re
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
from harness import fields

PROFILE = fields(
    "kernels span_seconds busy_seconds kernel_median_seconds", largest=fields("name count seconds")
)


def profile(call: Callable[[], Any]) -> dict[str, Any]:
    """The kernels of a call on the device, by the time that they took; of a CPU there are none."""
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder):
            jax.block_until_ready(call())
        (file,) = Path(folder).glob("**/*.xplane.pb")
        planes = jax.profiler.ProfileData.from_file(str(file)).planes
        events = [
            (event.name, event.start_ns / 1e9, event.duration_ns / 1e9)
            for plane in planes
            if plane.name.startswith("/device:GPU")
            for line in plane.lines
            if line.name.startswith("Stream")
            for event in line.events
        ]
    busy: dict[str, list[float]] = collections.defaultdict(list)
    for name, _, duration in events:
        busy[re.sub(r"[._]\d+$", "", name)].append(duration)
    begin = min((start for _, start, _ in events), default=0.0)
    end = max((start + duration for _, start, duration in events), default=0.0)
    durations = [duration for *_, duration in events]
    largest = sorted(busy.items(), key=lambda item: -sum(item[1]))[:25]
    return {
        "kernels": len(events),
        "span_seconds": end - begin,
        "busy_seconds": sum(durations),
        "kernel_median_seconds": statistics.median(durations or [0.0]),
        "largest": [
            {"name": name, "count": len(times), "seconds": sum(times)} for name, times in largest
        ],
    }
