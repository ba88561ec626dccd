"""Items on their way into an event loop, in chunks: as many at a time as have come, so that none waits for others."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from itertools import islice
from typing import Final, Generic, Self, TypeVar

T = TypeVar("T")

CHUNK: Final = 500
_AHEAD: Final = 4 * CHUNK
_LOOK_EVERY: Final = 0.01


class Bridge(Generic[T]):
    """What is read from an iterable that may block, by a thread that may wait.

    Take its `chunks` in the event loop, and run `read` in any other thread. It holds no more than a few chunks.
    """

    def __init__(self, items: Iterable[T]) -> None:
        self._items = items
        self._waiting: deque[T | _End] = deque()
        self._is_closed = False

    def start(self) -> Self:
        """Have a thread of its own do the reading."""
        # A daemon, because nothing ends a read that waits for input, and the program must end.
        threading.Thread(target=self.read, daemon=True).start()
        return self

    def read(self) -> None:
        """Read to the end, or until nobody wants more; what the iterable raises is raised by `chunks`."""
        error = None
        try:
            for item in self._items:
                if not self._put(item):
                    return
        except BaseException as raised:  # noqa: BLE001 - it is raised where the items are wanted
            error = raised
        self._waiting.append(_End(error))

    def close(self) -> None:
        """Want no more."""
        self._is_closed = True

    async def chunks(self) -> AsyncIterator[list[T]]:
        """What has come, as soon as something has."""
        try:
            while True:
                chunk, end = self._take()
                if chunk:
                    yield chunk
                elif end is None:
                    await asyncio.sleep(_LOOK_EVERY)
                if end and end.error:
                    raise end.error
                if end:
                    return
        finally:
            self.close()

    def _put(self, item: T) -> bool:
        while len(self._waiting) >= _AHEAD and not self._is_closed:
            time.sleep(_LOOK_EVERY)
        self._waiting.append(item)
        return not self._is_closed

    def _take(self) -> tuple[list[T], _End | None]:
        chunk: list[T] = []
        while self._waiting and len(chunk) < CHUNK:
            item = self._waiting.popleft()
            if isinstance(item, _End):
                return chunk, item
            chunk.append(item)
        return chunk, None


class _End:
    """What comes after the last item: why they end early, if they do."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def chunks(items: Iterable[T] | AsyncIterable[T] | Bridge[T]) -> AsyncIterator[list[T]]:
    """The items of a bridge, of an async iterable, or of a plain one that does not block."""
    if isinstance(items, Bridge):
        return items.chunks()
    return _gathered(aiter(items)) if isinstance(items, AsyncIterable) else _cut(iter(items))


async def _cut(items: Iterator[T]) -> AsyncIterator[list[T]]:
    while chunk := list(islice(items, CHUNK)):
        yield chunk


async def _gathered(items: AsyncIterator[T]) -> AsyncIterator[list[T]]:
    chunk: list[T] = []
    following = asyncio.ensure_future(_next(items))
    try:
        while True:
            await asyncio.wait([following], timeout=_LOOK_EVERY if chunk else None)
            if not following.done():
                yield chunk
                chunk = []
                continue
            item = following.result()
            if chunk and (isinstance(item, _End) or len(chunk) == CHUNK):
                yield chunk
                chunk = []
            if isinstance(item, _End):
                if item.error:
                    raise item.error
                return
            chunk.append(item)
            following = asyncio.ensure_future(_next(items))
    finally:
        following.cancel()


async def _next(items: AsyncIterator[T]) -> T | _End:
    try:
        return await anext(items, _End(None))
    except Exception as error:  # noqa: BLE001 - it is raised after what came before it
        return _End(error)
