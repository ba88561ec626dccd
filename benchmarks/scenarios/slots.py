"""How much of its slots' time a worker gets used: tasks that wait for 10 ms, and such that compute for 1 ms."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from benchmarks import work
from benchmarks.scenario import Figure, Scenario, Target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.stage import Place

WAIT, COMPUTE = 0.010, 0.001


def waiting(place: Place) -> Iterator[bytes]:
    for n in range(place.tasks):
        yield json.dumps({"id": f"task-{n:07}", "type": "sleep", "data": {"seconds": WAIT}}).encode()


def computing(place: Place) -> Iterator[bytes]:
    return work.tasks(place.tasks, "compute")


def ideal(
    tasks: Callable[[Place], Iterator[bytes]], seconds: float, slots: int, app: str, *words: str
) -> Callable[[Place], dict[str, float]]:
    def run(place: Place) -> dict[str, float]:
        place.warrener("publish", place.write_tasks(tasks(place)))
        place.begin_worker(app, *words)
        seen = place.await_marks(place.tasks)
        rate = seen.tasks / (seen.seconds + seconds)  # the first mark is the first task's end
        place.warrener("results", "-o", "results.jsonl")
        rows = list(place.rows())
        lasted = max(row["processed_at"] for row in rows) - min(row["started_at"] for row in rows)
        busy = sum(row["duration"] for row in rows) / (slots * lasted)
        return {"drain": rate, "of the ideal": 100 * rate * seconds / slots, "slots busy": 100 * busy}

    return run


def asynchronous(concurrency: int) -> Callable[[Place], dict[str, float]]:
    words = ("--processes", "1", "--concurrency", str(concurrency))
    return ideal(waiting, WAIT, concurrency, "sleeping", *words)


def of_processes(processes: int) -> Callable[[Place], dict[str, float]]:
    slots = min(processes, os.cpu_count() or 1)  # what the machine has for them
    return ideal(computing, COMPUTE, slots, "computing", "--processes", str(processes))


def waiting_at(concurrency: int) -> str:
    return f"10 ms async, {concurrency} at a time"


def computing_in(processes: int) -> str:
    return f"1 ms of CPU, {processes} process{'es' if processes > 1 else ''}"


SCENARIO = Scenario(
    title="Slots in use, on RabbitMQ",
    figures=(
        Figure("drain", is_compared=False),
        Figure("of the ideal", "%", is_compared=False),
        Figure("slots busy", "%", is_compared=False),
    ),
    contestants={
        **{waiting_at(concurrency): asynchronous(concurrency) for concurrency in (8, 32, 128)},
        **{computing_in(processes): of_processes(processes) for processes in (1, 2, 4)},
    },
    tasks=10_000,
    targets=(Target(waiting_at(32), "of the ideal", 90), Target(computing_in(2), "of the ideal", 75)),
    rounds=2,
)
