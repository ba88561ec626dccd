"""A child of an app with `async` handlers: runs them in an event loop, and the others in threads beside it."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from warrener.worker.child.perform import perform_async
from warrener.worker.child.threads import Child, or_die
from warrener.worker.frames import Alive

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from warrener.worker.child.output import Output
    from warrener.worker.child.runnable import Runnable
    from warrener.worker.frames import WorkItem


class LoopChild(Child):
    """Runs tasks in an event loop. Args: as `Child`."""

    def __init__(
        self, connection: socket.socket, output: Output, app: Runnable, slots: int, max_result: int
    ) -> None:
        super().__init__(connection, output, app, slots, max_result)
        self._loop = asyncio.new_event_loop()
        self._left = asyncio.Event()
        self._running: set[asyncio.Task[None]] = set()

    def run(self) -> None:
        """Work until the supervisor is gone, or wants this child no more."""
        self._loop.set_default_executor(ThreadPoolExecutor(self._slots))
        super().run()

    def _live(self) -> None:
        # Not asyncio.run(), which would first cancel the tasks that run, as if they had failed.
        with self._prepared():
            self._loop.run_until_complete(self._live_async())

    async def _live_async(self) -> None:
        async with self._lifespans.entered_async():
            self._be_ready()
            await self._left.wait()

    def _leave(self) -> None:
        self._loop.call_soon_threadsafe(self._left.set)

    def _answer(self) -> None:
        self._loop.call_soon_threadsafe(self._send, Alive())

    def _begin(self, items: list[WorkItem]) -> None:
        self._inbox.extend(items)
        self._loop.call_soon_threadsafe(self._fill)

    def _fill(self) -> None:
        while len(self._running) < self._slots and (item := self._next()):
            task = self._loop.create_task(self._perform_async(item))
            self._running.add(task)
            task.add_done_callback(self._on_done)

    def _on_done(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or task.exception():
            or_die(task.result)
        self._running.discard(task)
        self._fill()

    async def _perform_async(self, item: WorkItem) -> None:
        handler = self._handler(item)
        if handler is None or not (handler.is_async or self._around.is_async):
            self._send(await self._loop.run_in_executor(None, self._perform, item))
            return
        self._output.begin(item.key)
        report = await perform_async(handler, item, self._max_result, self._around, elsewhere=self._in_thread)
        self._output.end()
        if self._around.traces:
            report = self._around.traced(report)
        self._send(report)

    async def _in_thread(self, function: Callable[[], Any]) -> Any:
        return await self._loop.run_in_executor(None, copy_context().run, function)
