"""Large results: bytes a second from the first task's end until the last result is confirmed, beside the C client's."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from benchmarks.scenario import Figure, Scenario, Target
from benchmarks.scenarios.race import c_address, ready
from benchmarks.stage import QUEUE, Broken, seconds_told

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.stage import Place

_KIBIBYTES = (4, 64, 1024)
_MOST_BYTES = 900 * 2**20  # of all results together, so that a worker's end is hardly any of the time


def results(place: Place, kibibytes: int) -> int:
    return min(place.tasks, _MOST_BYTES // (1024 * kibibytes))


def warrener(kibibytes: int) -> Callable[[Place], dict[str, float]]:
    def run(place: Place) -> dict[str, float]:
        count = results(place, kibibytes)
        place.environment |= {"BENCH_TASKS": str(count), "BENCH_BYTES": str(1024 * kibibytes)}
        place.module("warrener")
        worker = place.begin_worker("large", "--processes", "2")
        first = place.await_marks(count).first
        place.stop(worker)  # it ends once all is confirmed
        seconds = time.time() - first
        if left := ready(place.url, QUEUE):
            raise Broken(f"{left:,} tasks were not acknowledged")
        return {"results": count * kibibytes / 1024 / seconds, "tasks": count / seconds}

    return run


def c_client(kibibytes: int) -> Callable[[Place], dict[str, float]]:
    def run(place: Place) -> dict[str, float]:
        if not (binary := place.peers / "bin" / "ceiling").exists():
            raise Broken("the C client is not built")
        count = results(place, kibibytes)
        words = [*c_address(place.url), str(count)]
        place.run(str(binary), "enqueue", *words)
        seconds = seconds_told(place.run(str(binary), "work", *words, str(1024 * kibibytes)).output)
        return {"results": count * kibibytes / 1024 / seconds, "tasks": count / seconds}

    return run


def ours(kibibytes: int) -> str:
    return f"Warrener, {kibibytes:,} KiB"


def theirs(kibibytes: int) -> str:
    return f"C client, {kibibytes:,} KiB"


SCENARIO = Scenario(
    title="Large results, each confirmed, on RabbitMQ, two worker processes",
    figures=(Figure("results", "MiB/s", is_compared=False), Figure("tasks", is_compared=False)),
    contestants={
        name(kibibytes): run(kibibytes)
        for kibibytes in _KIBIBYTES
        for name, run in ((ours, warrener), (theirs, c_client))
    },
    tasks=20_000,
    targets=(Target(ours(1024), "results", 0.7, per=theirs(1024)),),
    has_peers=True,
)
