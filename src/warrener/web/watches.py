"""The queues that are being looked at: each of them read once, from the first who looks until a while after the last."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from warrener.web.answers import Refused
from warrener.web.watch import Watch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from warrener.web.house import House

LINGER: Final = 10.0
"""Seconds that a queue is read after nobody looks at it any more: somebody who goes to and fro finds it as it was."""
_MOST: Final = 200
"""Queues at a time: each is a connection."""


class Watches:
    """All of them.

    Args:
        house: Whose.
        linger: As `LINGER`.
    """

    def __init__(self, house: House, linger: float) -> None:
        self._house = house
        self._linger = linger
        self._watches: dict[str, Watch] = {}
        self._sweeping: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._watches)

    @asynccontextmanager
    async def of(self, queue: str) -> AsyncIterator[Watch]:
        """A queue's reader, for as long as it is needed.

        Raises:
            Refused: Too many queues are being looked at.
        """
        watch = self._watches.get(queue)
        if watch is None:
            if len(self._watches) >= _MOST:
                raise Refused(503, f"{_MOST} queues are being looked at: close some of the pages")
            watch = self._watches[queue] = Watch(queue, self._house.open)
            self._sweeping = self._sweeping or asyncio.create_task(self._sweep())
        async with watch.used():
            yield watch

    def end_streams(self) -> None:
        """Nobody gets anything more."""
        for watch in self._watches.values():
            watch.board.close()

    async def close(self) -> None:
        """Stop reading all of them."""
        if self._sweeping:
            self._sweeping.cancel()
        await asyncio.gather(*(watch.close() for watch in self._watches.values()))
        self._watches.clear()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(self._linger / 4)
            now = asyncio.get_running_loop().time()
            for queue, watch in [*self._watches.items()]:
                if not watch.users and now - watch.used_at > self._linger:
                    del self._watches[queue]
                    await watch.close()
