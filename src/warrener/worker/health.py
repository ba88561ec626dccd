"""How a worker is: what it runs, whether it can take tasks, and whether it is deaf to those that wait."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from warrener.errors import BrokerError

if TYPE_CHECKING:
    from warrener.brokers import Broker
    from warrener.worker.dispatcher import Dispatcher
    from warrener.worker.intake import Intake
    from warrener.worker.pool import Pool

EVERY: Final = 15.0
"""Seconds between two looks at a worker to which nothing comes."""
DEAF_AFTER: Final = 4
"""So many looks in a row at which tasks were ready, slots free, and nothing had come: a minute."""
_PATIENCE: Final = 5.0


class Health:
    """How a worker is.

    Args:
        broker: An open broker.
        pool: What runs.
        dispatcher: What comes.
        intake: Whether anything is to come.
    """

    def __init__(self, broker: Broker, pool: Pool, dispatcher: Dispatcher, intake: Intake) -> None:
        self._broker = broker
        self._pool = pool
        self._dispatcher = dispatcher
        self._intake = intake
        self._came = 0
        self._unheard = 0

    @property
    def slots(self) -> int:
        """How many tasks can run at a time."""
        return self._pool.slots

    @property
    def busy(self) -> int:
        """How many run."""
        return sum(len(child.running) for child in self._pool.children)

    @property
    def unready(self) -> str:
        """Why it cannot take tasks; empty where it can, also while an order forbids it."""
        if self._dispatcher.is_stopping:
            return "stopping"
        if not self._broker.is_connected:
            return "the broker is away; connecting again"
        if not any(child.takes_work for child in self._pool.children):
            return "no child process can take tasks yet"
        return ""

    @property
    def is_deaf(self) -> bool:
        """Whether tasks have been ready and slots free for a minute, and none has come.

        A broker that is away, refuses outcomes, or cannot be asked makes no worker deaf: another one would hear no more.
        """
        return self._unheard >= DEAF_AFTER

    async def keep_listening(self) -> None:
        """Look whether it is deaf, for ever. The broker is asked only while nothing comes."""
        while True:
            await asyncio.sleep(EVERY)
            await self.listen()

    async def listen(self) -> None:
        """One look."""
        is_unheard = self._hears_nothing() and await self._has_ready() and self._hears_nothing()
        self._unheard = self._unheard + 1 if is_unheard else 0
        self._came = self._dispatcher.came

    def _hears_nothing(self) -> bool:
        """Whether nothing has come since the last look although it could."""
        if self._dispatcher.came != self._came or not self._intake.is_taking or self._broker.unsettled:
            return False
        free = sum(child.slots for child in self._pool.children if child.takes_work)
        return self._broker.is_connected and self._dispatcher.held < free

    async def _has_ready(self) -> bool:
        try:
            async with asyncio.timeout(_PATIENCE):
                return (await self._broker.depths()).ready > 0
        except (BrokerError, TimeoutError):
            return False
