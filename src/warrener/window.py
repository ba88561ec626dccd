"""How many tasks may wait on a broker at a time: publishing goes on as they are done."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Final

from warrener.errors import AccessRefused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from warrener.brokers import Broker

_LOOK_EVERY: Final = 0.5  # seconds


class Window:
    """How many tasks may wait on a broker at a time.

    Args:
        broker: Where they wait.
        most: How many.
        opens: Awaited before the first one is let in.
    """

    def __init__(self, broker: Broker, most: int, opens: Callable[[], Awaitable[None]] | None = None) -> None:
        self._opens = opens
        self._broker = broker
        self._most = most
        self._room = 0
        self._is_lifted = False

    def lift(self) -> None:
        """Have nobody wait any more."""
        self._is_lifted = True

    async def has_room(self, count: int) -> None:
        """Wait until there is room, and take so much of it. Only more than half a window at a time may go beyond it.

        Raises:
            BrokerError: The broker cannot be asked.
        """
        needed = min(count, (self._most + 1) // 2)
        while self._room < needed and not self._is_lifted:
            try:
                counts = await self._broker.counts()
            except AccessRefused:  # a user who may publish, and not look
                self._room = sys.maxsize
                break
            # Rounded up, and a half: what was published just now may not be counted yet.
            self._room = (self._most - counts.waiting + 1) // 2
            if self._room < needed:
                await asyncio.sleep(_LOOK_EVERY)
        self._room -= count
        if count and self._opens:
            await self._opens()
            self._opens = None
