"""A long run through a small window: it goes on as fast as it began, and no process grows.

`make bench ONLY=window TASKS=10000000` is the long one.
"""

from __future__ import annotations

import time
from contextlib import suppress
from itertools import pairwise
from typing import TYPE_CHECKING

from benchmarks import marks
from benchmarks.processor import descendants, peak_mebibytes
from benchmarks.scenario import Figure, Scenario, Target
from benchmarks.stage import WARRENER

if TYPE_CHECKING:
    import subprocess

    from benchmarks.stage import Place

_PARTS = 10
_MANY = 4  # parts in which a trend shows, and not what else the machine does for a while
_LEAST_WINDOW, _MOST_WINDOW = 1_000, 100_000
_LOOK_EVERY = 0.2

RUN = "warrener run"


def run(place: Place) -> dict[str, float]:
    window = max(_LEAST_WINDOW, min(_MOST_WINDOW, place.tasks // _PARTS))
    words = [place.app("noop"), place.write_tasks(), "--window", str(window), "--processes", "2"]
    running = place.begin(*WARRENER, "run", *words)
    reached, ours, child = watched(place, running)
    place.end(running)
    for _ in place.rows():
        pass  # as many as there are tasks, or it raises
    parts = [after - before for before, after in pairwise(reached)]
    steady = parts[:-1]  # beside the last one nothing is published any more
    seen = marks.seen(place.marks)
    return {
        "tasks": seen.tasks / seen.seconds,
        "slowest tenth": 100 * min(steady) / max(steady),
        "last four tenths": 100 * sum(steady[:_MANY]) / sum(steady[-_MANY:]),
        "run MiB": ours,
        "child MiB": child,
        "broker MiB": peak_mebibytes(place.broker_pid),
    }


def watched(place: Place, running: subprocess.Popen[bytes]) -> tuple[list[float], float, float]:
    """When each tenth was reached, and the peaks of the run's process and of the largest that it has started."""
    reached: list[float] = []
    ours = child = 0.0
    while running.poll() is None:
        done = marks.seen(place.marks).tasks
        while done >= max(1, place.tasks * len(reached) // _PARTS) and len(reached) <= _PARTS:
            reached.append(time.monotonic())
        with suppress(OSError):  # one that ends just now
            ours = max(ours, peak_mebibytes(running.pid))
            child = max([child, *map(peak_mebibytes, descendants(running.pid))])
        time.sleep(_LOOK_EVERY)
    return reached, ours, child


SCENARIO = Scenario(
    title="A run through a small window, on RabbitMQ, two worker processes",
    figures=(
        Figure("tasks", is_compared=False),
        Figure("slowest tenth", "%", is_compared=False),
        Figure("last four tenths", "%", is_compared=False),
        *(Figure(f"{what} MiB", "MiB", is_compared=False) for what in ("run", "child", "broker")),
    ),
    contestants={RUN: run},
    tasks=300_000,
    targets=(
        Target(RUN, "slowest tenth", 90),
        *(Target(RUN, f"{what} MiB", 300, at_most=True) for what in ("run", "child", "broker")),
    ),
    rounds=1,
)
