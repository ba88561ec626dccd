"""How many tasks may wait on a broker at a time: publishing goes on as they are done."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Final

from warrener.errors import AccessRefused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from warrener.brokers import Broker, PublishSession

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
        """Whether there was no room at two looks, and has been none since."""
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

    async def let_in(self, broker: Broker, session: PublishSession, count: int) -> int:
        """Wait until there is room, and take it: for all, or for as many as there ever is where nobody works.

        Args:
            broker: Where they wait.
            session: Publishes them: what it has under way is waited for before it is counted what waits.
            count: How many are to be let in.

        Returns:
            How many are.

        Raises:
            BrokerError: The broker cannot be asked, or does not take what is under way.
        """
        needed = min(count, (self.most + 1) // 2)
        waited = None
        while self._room < needed and not self._is_lifted:
            await session.flush()
            try:
                waiting = (await broker.counts()).waiting
            except AccessRefused:  # a user who may publish, and not look
                self._room = sys.maxsize
                break
            left, is_steady = self.most - waiting, waiting == waited
            self.is_full = left <= 0 and (is_steady or self.is_full)
            self._room = self._half(waiting)
            if is_steady and left > 0:
                self._room, needed = left, min(needed, left)
            elif self._room < needed:
                await asyncio.sleep(_LOOK_EVERY)
            waited = waiting
        if count and self.before_first:
            await self.before_first()
            self.before_first = None
        fits = count if self._is_lifted else min(count, self._room)
        self._room -= fits
        return fits

    def _half(self, waiting: int) -> int:
        """Half of what is left, rounded up: others may publish at the same moment."""
        return (self.most - waiting + 1) // 2
