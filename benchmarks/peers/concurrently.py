"""How peers with asyncio enqueue: a thousand at a time, each awaiting its own confirm."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from benchmarks.work import due

AT_A_TIME = 1000


async def concurrently(one: Callable[[str], Awaitable[object]]) -> float:
    """Enqueue all tasks; the seconds it took."""
    tasks = due()

    async def some() -> None:
        for text, at in tasks:
            if (left := at - time.time()) > 0:
                await asyncio.sleep(left)
            await one(text)

    start = time.perf_counter()
    await asyncio.gather(*(some() for _ in range(AT_A_TIME)))
    return time.perf_counter() - start
