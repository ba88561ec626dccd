"""Warrener: published from Python, as the peers do it; what works is `apps/noop.py`."""

import asyncio
import time

from benchmarks.work import argument, count, tell, url
from warrener import Publisher, Task

QUEUE = "bench"


async def enqueue() -> None:
    async with Publisher(url(), QUEUE) as publisher:
        start = time.perf_counter()
        await publisher.publish(Task(f"task-{n:07}", "noop", {"n": argument(n)}) for n in range(count()))
        tell(time.perf_counter() - start)


def main() -> None:
    asyncio.run(enqueue())
