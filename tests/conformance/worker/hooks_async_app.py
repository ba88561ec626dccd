"""The same hooks in an event loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.conformance.worker.hooks_app import Client, Pool, app, note, use

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Loop:
    """What an event loop has of its own."""

    def __init__(self) -> None:
        self.loop, self.task = asyncio.get_running_loop(), asyncio.current_task()


@app.lifespan
async def loop() -> AsyncIterator[Loop]:
    made = Loop()
    yield made
    assert made.task is asyncio.current_task()
    note("loop left")


@app.task
async def use_async(pool: Pool, number: int, client: Client, loop: Loop) -> list[object]:
    await asyncio.sleep(0)
    assert loop.loop is asyncio.get_running_loop()
    return use(pool, number, client)
