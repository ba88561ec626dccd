"""How many tasks may wait on a broker at a time: publishing goes on as they are done."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Final

from warrener.errors import AccessRefused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from warrener.brokers import Broker

DEFAULT_WINDOW: Final = 1_000_000
"""Tasks on the broker at a time: RabbitMQ advises against more than five million messages in a queue."""
_LOOK_EVERY: Final = 0.5  # seconds


class Window:
    """How many tasks may wait on a broker at a time.

    Args:
        most: How many.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        """How many may."""
        self.is_full = False
        """Whether one waits for room that did not come between two looks, and has not come since."""
        self.before_first: Callable[[], Awaitable[None]] | None = None
        """Awaited before the first one is let in."""
        self._room = 0
        self._is_lifted = False

    def begin(self, waiting: int) -> None:
        """Know how many wait, without looking for it."""
        self._room = self._half(waiting)

    def lift(self) -> None:
        """Have nobody wait any more."""
        self._is_lifted = True

    async def has_room(self, broker: Broker, count: int) -> None:
        """Wait until there is room, and take so much of it. Only more than half a window at a time may go beyond it.

        Args:
            broker: Where they wait.
            count: How many are to be let in.

        Raises:
            BrokerError: The broker cannot be asked.
        """
        needed = min(count, (self.most + 1) // 2)
        waited = None
        while self._room < needed and not self._is_lifted:
            try:
                waiting = (await broker.counts()).waiting
            except AccessRefused:  # a user who may publish, and not look
                self._room = sys.maxsize
                break
            left, is_steady = self.most - waiting, waiting == waited
            self._room = left if is_steady else self._half(waiting)
            self.is_full = left < needed and (is_steady or self.is_full)
            waited = waiting
            if self._room < needed:
                await asyncio.sleep(_LOOK_EVERY)
        self._room -= count
        if count and self.before_first:
            await self.before_first()
            self.before_first = None

    def _half(self, waiting: int) -> int:
        """Half of what is left, rounded up: what was published just now may not be counted yet. After two looks it is."""
        return (self.most - waiting + 1) // 2
