"""How long a task takes from when it was due to its end, at shares of what a contestant does, and after a burst.

Each one publishes and works at the same time: first as fast as it can, which is its rate, then at shares of that. Of Warrener the
end is when another connection can read the task's row, which is confirmed then; of peers, which store none, that of the handler.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import quantiles
from typing import TYPE_CHECKING, NamedTuple

from benchmarks import marks
from benchmarks.contestants import PEERS
from benchmarks.scenario import Figure, Scenario, Target

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.contestants import Peer
    from benchmarks.stage import Place

SHARES = (10, 50, 80)
_PERCENTILES = (50, 95, 99)
_STEADY = 4.0  # seconds at each share
_BURST = 2  # seconds of the full rate that come at once, on top of half of it
BURST_LASTS = 8.0
_LEAST = 0.05  # seconds of latency that are no backlog


Measure = Callable[["Place", "Enqueuing"], dict[str, float]]


class Enqueuing(NamedTuple):
    """How a contestant enqueues, and where the ends of its tasks are marked."""

    module: str
    python: str
    marks: Path


def warrener(measured: Measure, *, by_row: bool) -> Callable[[Place], dict[str, float]]:
    def run(place: Place) -> dict[str, float]:
        place.environment[marks.SCHEDULE] = ""
        place.warrener("setup")
        place.begin_worker("noop", "--processes", "2")
        if by_row:
            place.new_marks()
            place.begin_module("warrener", "rows")
        return begun(measured, place, Enqueuing("warrener", place.python, place.marks))

    return run


def peer(measured: Measure, contestant: Peer) -> Callable[[Place], dict[str, float]]:
    def run(place: Place) -> dict[str, float]:
        place.environment |= {**contestant.environment, marks.SCHEDULE: ""}
        python = str(place.peers / "bin" / "python")
        enqueuing = Enqueuing(contestant.module, python, place.marks)
        enqueue(place, enqueuing, 1, "")  # its queue is there before its worker
        contestant.begin(place)
        return begun(measured, place, enqueuing)

    return run


def begun(measured: Measure, place: Place, enqueuing: Enqueuing) -> dict[str, float]:
    """What is measured once the worker has had a task."""
    if not marks.seen(enqueuing.marks).tasks:
        enqueue(place, enqueuing, 1, "")
    place.await_marks(1)
    return measured(place, enqueuing)


def at_shares(place: Place, enqueuing: Enqueuing) -> dict[str, float]:
    enqueue(place, enqueuing, place.tasks, "")
    place.await_marks(1 + place.tasks)
    ends = sorted(end for _, end in marks.samples(enqueuing.marks))
    rate = place.tasks / (ends[-1] - ends[1])  # but for the one before
    figures = {"publishing and working": rate}
    for share in SHARES:
        steady = max(1.0, rate * share / 100)
        cuts = latencies(place, enqueuing, steady)
        figures |= {percentile(p, share): cuts[p - 1] for p in _PERCENTILES}
    return figures | {
        "burst": recovery(schedule(place, enqueuing, rate / 2, BURST_LASTS, int(_BURST * rate)))
    }


def latencies(place: Place, enqueuing: Enqueuing, rate: float) -> list[float]:
    """The 1st to 99th percentile, in milliseconds, with so many tasks a second for some seconds."""
    seen = schedule(place, enqueuing, rate, _STEADY)
    return quantiles((1000 * (end - due) for due, end in seen), n=100)


def schedule(
    place: Place, enqueuing: Enqueuing, rate: float, seconds: float, burst: int = 0
) -> list[tuple[float, float]]:
    """When each task was due, and when it ended: so many a second for so long, with as many more in the middle."""
    start = time.time()
    before = marks.seen(enqueuing.marks).tasks
    enqueue(place, enqueuing, 0, f"{rate}:{seconds}:{burst}")
    place.await_marks(before + int(rate * seconds) + burst)
    return [sample for sample in marks.samples(enqueuing.marks) if sample[0] > start]


def recovery(samples: list[tuple[float, float]]) -> float:
    """Seconds from the burst to the end of the last task that waited for it."""
    begin = samples[0][0] + BURST_LASTS / 2
    late = [end for due, end in samples if due >= begin - _LEAST and end - due > _LEAST]
    return max(late, default=begin) - begin


def enqueue(place: Place, enqueuing: Enqueuing, tasks: int, wanted: str) -> None:
    """Enqueue so many tasks, or what a schedule says."""
    place.environment |= {"BENCH_TASKS": str(tasks), marks.SCHEDULE: wanted}
    place.enqueued(enqueuing.module, enqueuing.python)


def contestants(measured: Measure) -> dict[str, Callable[[Place], dict[str, float]]]:
    """Warrener and its peers, of each of which this is measured."""
    return {
        OURS: warrener(measured, by_row=True),
        "Warrener, handler's end": warrener(measured, by_row=False),
        **{name: peer(measured, PEERS[name]) for name in THEIRS},
    }


def percentile(number: int, share: int) -> str:
    return f"p{number} at {share} %"


OURS = "Warrener, row can be read"
THEIRS = ("Dramatiq, 1 thread", "TaskIQ", "tarsk", "FastStream")
_JUDGED = tuple(percentile(p, share) for share in SHARES for p in (50, 99))
_LATENCIES = tuple(percentile(p, share) for share in SHARES for p in _PERCENTILES)

SCENARIO = Scenario(
    title="From when a task is due to its end, by how busy a contestant is, on RabbitMQ",
    figures=(
        Figure("publishing and working", is_compared=False),
        *(Figure(name, "ms", is_compared=False) for name in _LATENCIES),
        Figure("burst", "s", is_compared=False),
    ),
    contestants=contestants(at_shares),
    tasks=8_000,
    targets=tuple(
        Target(OURS, name, 1, at_most=True, per=other) for other in THEIRS for name in (*_JUDGED, "burst")
    ),
    has_peers=True,
    rounds=1,
)
