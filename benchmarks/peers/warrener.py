"""Warrener: published from Python, as the peers do it; what works is `apps/noop.py`. `rows` marks each row as it can be read."""

import asyncio
import os
import sys
import time

import msgspec

from benchmarks.marks import SCHEDULE, mark
from benchmarks.work import due, tell, url
from warrener import Publisher, Task
from warrener.address import Address
from warrener.brokers import connect

QUEUE = "bench"
_TURN = 0.002  # seconds between two calls where more than one task is due for each: to call for each costs more than to publish


class Row(msgspec.Struct):
    value: str


async def enqueue() -> None:
    async with Publisher(url(), QUEUE) as publisher:
        start = time.perf_counter()
        if os.environ.get(SCHEDULE):
            await keep_time(publisher)
        else:
            await publisher.publish(task(f"task-{n:07}", text) for n, (text, _) in enumerate(due()))
        tell(time.perf_counter() - start)


async def keep_time(publisher: Publisher) -> None:
    """What is due at the same time goes in one call; no call waits for the one before."""
    chunk: list[Task] = []
    async with asyncio.TaskGroup() as calls:
        for n, (text, at) in enumerate(due()):
            if (left := at - time.time()) > 0:
                calls.create_task(publisher.publish(chunk))
                turn = _TURN if len(chunk) > 1 else 0
                chunk = []
                await asyncio.sleep(max(left, turn))
            chunk.append(task(f"{n}-{text}", text))
        calls.create_task(publisher.publish(chunk))


def task(name: str, text: str) -> Task:
    return Task(name, "noop", {"n": text})


async def rows() -> None:
    async with connect(Address(url(), QUEUE)) as broker:
        async for batch in broker.results(follow=True):
            for row in batch:
                mark(msgspec.json.decode(row, type=Row).value)


def main() -> None:
    asyncio.run(rows() if sys.argv[1:] == ["rows"] else enqueue())
