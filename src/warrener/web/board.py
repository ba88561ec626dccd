"""What is known of a queue just now, for any number of streams: the newest of each kind, written once for all of them."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from warrener.codec import encode

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

ALIVE_EVERY: Final = 15.0
"""Seconds after which a stream without news says that it is there, so that a browser that is gone is noticed."""


class Board:
    """The newest of each event."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        """What was told last, by event."""
        self.is_closed = False
        self._events: dict[str, tuple[int, bytes]] = {}
        self._number = 0
        self._changed = asyncio.Event()  # another one for each change

    def tell(self, event: str, value: Any) -> None:
        """Let all streams have this, unless it is what was told last."""
        data = encode(value)
        text = b"event: %s\ndata: %s\n\n" % (event.encode(), data)
        if event in self._events and self._events[event][1] == text:
            return
        self._number += 1
        self.values[event] = value
        self._events[event] = self._number, text
        self.stir()

    def stir(self) -> None:
        """Have whoever waits look again."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def wait_for(self, is_so: Callable[[], Any], seconds: float) -> None:
        """Wait until something is so after an event or a stir, or the board is closed, or for so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not (is_so() or self.is_closed):
                    await self._changed.wait()

    def close(self) -> None:
        """End all streams."""
        self.is_closed = True
        self._changed.set()

    async def stream(self) -> AsyncGenerator[bytes]:
        """Server-sent events until it is closed: first the newest of each, then what is new. Whoever is slow misses some."""
        told = 0
        yield b"retry: 1000\n\n"
        while not self.is_closed:
            news = sorted(event for event in self._events.values() if event[0] > told)
            if news:
                told = news[-1][0]
                yield b"".join(text for _, text in news)
            elif not await self._has_more_than(told):
                yield b": still here\n\n"

    async def _has_more_than(self, told: int) -> bool:
        await self.wait_for(lambda: self._number > told, ALIVE_EVERY)
        return self._number > told
