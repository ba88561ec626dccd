"""The same hooks in an event loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.conformance.worker.hooks_app import Client, Pool, app, note, note_seen, notes, see, use
from warrener import Attempt, Stopped, Task

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator


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


@app.middleware
async def innermost(task: Task, loop: Loop) -> AsyncGenerator[None, object]:
    assert loop.loop is asyncio.get_running_loop()
    try:
        note_seen(f"innermost {task.id} {(yield)}")
    finally:
        await asyncio.sleep(0)


@app.task(retries=1)
async def see_async(says: str) -> str:
    await asyncio.sleep(0)
    return see(says)


@app.task
async def leave_async(attempt: Attempt) -> int:
    note("leave")
    if len(notes("leave")) > 1:
        return attempt.number
    while not attempt.is_stopping:
        await asyncio.sleep(0.01)
    raise Stopped


@app.task(retries=0, soft_timeout=1)
async def be_late_async(makes_do: bool, attempt: Attempt) -> str:
    try:
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        assert attempt.is_late
        if not makes_do:
            raise
    return "what there is"
