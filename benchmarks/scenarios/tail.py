"""The end of a batch of tasks of very different lengths: nobody sits on tasks that others could run.

There are a hundred times as many tasks as slots, so when 99 % have ended the rest should all run already, and the
last of them should end no later than the longest of them takes.
"""

from __future__ import annotations

import json
import math
import random
from typing import TYPE_CHECKING

from benchmarks.scenario import Figure, Scenario, Target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.stage import Place

SLOTS, MEAN, SIGMA = 32, 0.5, 1.0


def lines(place: Place) -> Iterator[bytes]:
    chance = random.Random(20)  # noqa: S311 - the same lengths for everyone
    for n in range(place.tasks):
        seconds = chance.lognormvariate(math.log(MEAN) - SIGMA**2 / 2, SIGMA)
        yield json.dumps({"id": f"task-{n:07}", "type": "sleep", "data": {"seconds": seconds}}).encode()


def workers(count: int, processes: int) -> Callable[[Place], dict[str, float]]:
    def run(place: Place) -> dict[str, float]:
        place.warrener("publish", place.write_tasks(lines(place)))
        slots = str(SLOTS // (count * processes))
        words = ("--processes", str(processes), "--concurrency", slots, "--drain")
        running = [place.begin_worker("sleeping", *words) for _ in range(count)]
        for worker in running:
            place.end(worker)
        place.warrener("results", "-o", "results.jsonl")
        rows = sorted((row["processed_at"], row["duration"]) for row in place.rows())
        rest = rows[len(rows) * 99 // 100 :]
        tail = rest[-1][0] - rows[len(rows) * 99 // 100 - 1][0]
        longest = max(duration for _, duration in rest)
        return {"tail": tail, "longest task in it": longest, "tail / longest": tail / longest}

    return run


_CONTESTANTS = {"one worker, 2 x 16 slots": workers(1, 2), "two workers, 16 slots each": workers(2, 1)}

SCENARIO = Scenario(
    title=f"The last 1 % of log-normal async tasks, mean {MEAN} s, {SLOTS} slots, on RabbitMQ",
    figures=(
        Figure("tail", "s", is_compared=False),
        Figure("longest task in it", "s", is_compared=False),
        Figure("tail / longest", "x", is_compared=False),
    ),
    contestants=_CONTESTANTS,
    tasks=100 * SLOTS,
    rounds=1,
    targets=tuple(Target(name, "tail / longest", 1.1, at_most=True) for name in _CONTESTANTS),
)
