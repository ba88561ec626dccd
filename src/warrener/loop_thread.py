"""An event loop for callers that have none, or that run in one already: scripts and notebooks."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from concurrent.futures import Future

T = TypeVar("T")


class LoopThread:
    """An event loop in a thread of its own; use it with `with`, which ends both."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end = asyncio.Event()
        self._has_begun = threading.Event()
        # A daemon, so that a program can end while a generator that holds one is still around.
        self._thread = threading.Thread(target=self._run, name="warrener", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._has_begun.wait()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._loop  # noqa: S101 - it has begun
        with suppress(RuntimeError):  # the program ends, and the loop has ended with it
            self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()

    def start(self, main: Coroutine[Any, Any, T]) -> Future[T]:
        """Begin a coroutine there. What has not ended when the block does is cancelled, and waited for."""
        assert self._loop  # noqa: S101 - it has begun
        return asyncio.run_coroutine_threadsafe(main, self._loop)

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """What comes of a coroutine, for which this thread waits; Ctrl-C meanwhile cancels it."""
        return wait_for(self.start(main))

    def _run(self) -> None:
        with asyncio.Runner() as runner:
            self._loop = runner.get_loop()
            self._has_begun.set()
            runner.run(self._until_the_end())

    async def _until_the_end(self) -> None:
        await self._end.wait()


def wait_for(running: Future[T]) -> T:
    """What comes of what was started; it is cancelled when this thread is interrupted."""
    try:
        return running.result()
    finally:
        running.cancel()
