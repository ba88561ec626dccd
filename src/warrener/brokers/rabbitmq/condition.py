"""Waiting for a condition that others change."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Condition:
    """Wakes whoever waits, who then looks for himself. Unlike asyncio's it needs no lock, and is told from callbacks.

    To notify costs next to nothing when nobody waits.
    """

    def __init__(self) -> None:
        self._waiting: list[asyncio.Future[None]] = []

    def notify(self) -> None:
        """Something has changed."""
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def wait_for(self, predicate: Callable[[], bool]) -> None:
        """Return when the predicate holds, or raise what it raises."""
        while not predicate():
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(future)
            await future
