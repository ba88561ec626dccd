"""Urgent tasks among a hundred times as many normal ones that are being worked off."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from benchmarks import work
from benchmarks.scenario import Figure, Scenario, Target
from benchmarks.stage import QUEUE
from warrener import Publisher, Task

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.stage import Place

ALONE, CROWD = "alone", "in the crowd"
_CROWD_PER_URGENT = 100
_PRIORITY = 9


def urgent(*, in_crowd: bool) -> Callable[[Place], dict[str, float]]:
    def run(place: Place) -> dict[str, float]:
        place.warrener("setup")
        count = place.tasks // _CROWD_PER_URGENT
        crowd = place.tasks - count if in_crowd else 1
        place.warrener("publish", place.write_tasks(work.tasks(crowd)))
        worker = place.begin_worker("noop", "--processes", "2", "--drain")
        place.await_marks(max(1, crowd // 20))
        published_at, published = asyncio.run(publish(place.url, count))
        place.end(worker)
        place.tasks = crowd + count
        place.warrener("results", "-o", "results.jsonl")
        rows = list(place.rows())
        last = max(row["processed_at"] for row in rows if row["type"] == "urgent")
        after = sum(row["started_at"] > last for row in rows)
        return {"published": published, "done": last - published_at, "normal tasks after them": after}

    return run


async def publish(url: str, count: int) -> tuple[float, float]:
    """When it began, and how many seconds it took until all were confirmed."""
    async with Publisher(url, QUEUE) as publisher:
        start = time.time()
        await publisher.publish(
            Task(f"urgent-{n:05}", "urgent", {"n": work.argument(n)}, _PRIORITY) for n in range(count)
        )
        return start, time.time() - start


SCENARIO = Scenario(
    title="Urgent tasks, 1 for 99 normal ones that are being worked off, on RabbitMQ",
    figures=(
        Figure("published", "s"),
        Figure("done", "s"),
        Figure("normal tasks after them", "", is_compared=False),
    ),
    contestants={ALONE: urgent(in_crowd=False), CROWD: urgent(in_crowd=True)},
    tasks=50_000,
    yardstick=ALONE,
    targets=(
        Target(CROWD, "done", 1.25, per=ALONE, at_most=True),
    ),  # the quarter is for what is taken already
)
