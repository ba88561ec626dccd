"""Whether a run publishes on the queue: for as long as one does, an empty queue is no end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from warrener.brokers import Log
from warrener.errors import AccessRefused, BrokerError
from warrener.journal import JournalState
from warrener.turns import SignsOfLife

if TYPE_CHECKING:
    from warrener.brokers import Broker

_HEAR_AGAIN_AFTER: Final = 0.5  # seconds


class Runs:
    """Follows a queue's journal, from when it is told to until it is closed.

    Runs that have no app only publish, perhaps for ever: nobody waits for them. A run that was killed is waited for as long
    as it might only be slow.

    Args:
        broker: An open broker.
    """

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._signs = SignsOfLife()
        self._has_heard = asyncio.Event()
        self._following: asyncio.Task[None] | None = None
        self._is_deaf = False

    @property
    def is_followed(self) -> bool:
        """Whether it follows."""
        return self._following is not None

    async def follow(self) -> None:
        """Begin to, unless it does, and wait until all that was said before is known."""
        if self._following is None:
            self._following = asyncio.create_task(self._follow())
        await self._has_heard.wait()

    async def publish(self) -> bool:
        """Whether a run publishes at the moment; also where nobody knows."""
        await self.follow()
        return self._is_deaf or self._signs.are_there

    async def close(self) -> None:
        """Follow no more, until it is told to again."""
        if self._following:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)
            self._following = None
            self._has_heard.clear()

    async def _follow(self) -> None:
        while True:
            try:
                await self._listen()
            except AccessRefused:  # a user who may not know leaves as soon as the queue is empty
                self._signs, self._is_deaf = SignsOfLife(), False
                self._has_heard.set()
                return
            except BrokerError:  # whoever works says so
                self._is_deaf = True
                self._has_heard.set()
                await asyncio.sleep(_HEAR_AGAIN_AFTER)

    async def _listen(self) -> None:
        state = JournalState()
        async for records in self._broker.noted(Log.JOURNAL, follow=True):
            state.add(records)
            self._signs.hear(state.publishing(with_app=True))
            if not records:
                self._is_deaf = False
                self._has_heard.set()
