"""How long a task takes from when it was due to its end, at shares of what a contestant does, and after a burst.

Each one publishes and works at the same time: first as fast as it can, which is its rate, then at shares of that. Of Warrener the
end is when another connection can read the task's row, which is confirmed then; of peers, which store none, that of the handler.
"""

from __future__ import annotations

import time
from statistics import quantiles
from typing import TYPE_CHECKING, NamedTuple

from benchmarks import marks
from benchmarks.contestants import PEERS
from benchmarks.scenario import Figure, Scenario, Target

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from benchmarks.contestants import Peer
    from benchmarks.stage import Place

SHARES = (10, 50, 80)
_PERCENTILES = (50, 95, 99)
_STEADY = 4.0  # seconds at each share
_BURST = 2  # seconds of the full rate that come at once, on top of half of it
_BURST_LASTS = 8.0
_LEAST = 0.05  # seconds of latency that are no backlog


class Enqueuing(NamedTuple):
    """How a contestant enqueues, and where the ends of its tasks are marked."""

    module: str
    python: str
    marks: Path


def warrener(*, by_row: bool) -> Callable[[Place], dict[str, float]]:
    def run(place: Place) -> dict[str, float]:
        place.environment[marks.SCHEDULE] = ""
        place.warrener("setup")
        place.begin_worker("noop", "--processes", "2")
        if by_row:
            place.new_marks()
            place.begin_module("warrener", "rows")
        return measured(place, Enqueuing("warrener", place.python, place.marks))

    return run


def peer(contestant: Peer) -> Callable[[Place], dict[str, float]]:
    def run(place: Place) -> dict[str, float]:
        place.environment |= {**contestant.environment, marks.SCHEDULE: ""}
        python = str(place.peers / "bin" / "python")
        enqueuing = Enqueuing(contestant.module, python, place.marks)
        enqueue(place, enqueuing, 1, "")  # its queue is there before its worker
        contestant.begin(place)
        return measured(place, enqueuing)

    return run


def measured(place: Place, enqueuing: Enqueuing) -> dict[str, float]:
    if not marks.seen(enqueuing.marks).tasks:
        enqueue(place, enqueuing, 1, "")
    place.await_marks(1)
    enqueue(place, enqueuing, place.tasks, "")
    place.await_marks(1 + place.tasks)
    ends = sorted(end for _, end in marks.samples(enqueuing.marks))
    rate = place.tasks / (ends[-1] - ends[1])  # but for the one before
    figures, done = {"publishing and working": rate}, 1 + place.tasks
    for share in SHARES:
        steady = max(1.0, rate * share / 100)
        done += int(steady * _STEADY)
        latencies = [end - due for due, end in schedule(place, enqueuing, f"{steady}:{_STEADY}:0", done)]
        cuts = quantiles(latencies, n=100)
        figures |= {percentile(p, share): 1000 * cuts[p - 1] for p in _PERCENTILES}
    steady, burst = rate / 2, int(_BURST * rate)
    done += int(steady * _BURST_LASTS) + burst
    return figures | {"burst": recovery(schedule(place, enqueuing, f"{steady}:{_BURST_LASTS}:{burst}", done))}


def schedule(place: Place, enqueuing: Enqueuing, wanted: str, done: int) -> list[tuple[float, float]]:
    """When each task of a schedule was due, and when it ended."""
    start = time.time()
    enqueue(place, enqueuing, 0, wanted)
    place.await_marks(done)
    return [sample for sample in marks.samples(enqueuing.marks) if sample[0] > start]


def recovery(samples: list[tuple[float, float]]) -> float:
    """Seconds from the burst to the end of the last task that waited for it."""
    begin = samples[0][0] + _BURST_LASTS / 2
    late = [end for due, end in samples if due >= begin - _LEAST and end - due > _LEAST]
    return max(late, default=begin) - begin


def enqueue(place: Place, enqueuing: Enqueuing, tasks: int, wanted: str) -> None:
    """Enqueue so many tasks, or what a schedule says."""
    place.environment |= {"BENCH_TASKS": str(tasks), marks.SCHEDULE: wanted}
    place.enqueued(enqueuing.module, enqueuing.python)


def percentile(number: int, share: int) -> str:
    return f"p{number} at {share} %"


OURS = "Warrener, row can be read"
_PEERS = ("Dramatiq, 1 thread", "TaskIQ", "tarsk", "FastStream")
_JUDGED = tuple(percentile(p, share) for share in SHARES for p in (50, 99))
_LATENCIES = tuple(percentile(p, share) for share in SHARES for p in _PERCENTILES)

SCENARIO = Scenario(
    title="From when a task is due to its end, by how busy a contestant is, on RabbitMQ",
    figures=(
        Figure("publishing and working", is_compared=False),
        *(Figure(name, "ms", is_compared=False) for name in _LATENCIES),
        Figure("burst", "s", is_compared=False),
    ),
    contestants={
        OURS: warrener(by_row=True),
        "Warrener, handler's end": warrener(by_row=False),
        **{name: peer(PEERS[name]) for name in _PEERS},
    },
    tasks=8_000,
    targets=tuple(
        Target(OURS, name, 1, at_most=True, per=other) for other in _PEERS for name in (*_JUDGED, "burst")
    ),
    has_peers=True,
    rounds=1,
)
