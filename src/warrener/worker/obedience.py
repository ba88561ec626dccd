"""What a worker does about orders: it hears them all the time, from before its first task on."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from warrener.errors import AccessRefused
from warrener.orders import Following

if TYPE_CHECKING:
    from collections.abc import Callable

    from warrener.brokers import Broker
    from warrener.orders import Hold
    from warrener.worker.dispatcher import Dispatcher
    from warrener.worker.pool import Pool

_log = logging.getLogger("warrener.worker")


class Obedience:
    """Has the dispatcher know what is ordered, and stops what runs against it.

    Args:
        broker: An open broker.
        pool: Where tasks run.
        dispatcher: Who gives them there.
        on_change: Told when tasks are to be taken no more, or again.
    """

    def __init__(
        self, broker: Broker, pool: Pool, dispatcher: Dispatcher, on_change: Callable[[], None]
    ) -> None:
        self._broker = broker
        self._pool = pool
        self._dispatcher = dispatcher
        self._on_change = on_change
        self._heard = Following(self._obey)
        self._hold: Hold | None = None
        self._waits = False  # for what somebody here finds out

    async def follow(self) -> None:
        """Hear what is ordered, for ever."""
        await self._heard.follow(self._broker)
        await asyncio.Event().wait()  # a user who may not know works on

    async def have_heard(self) -> None:
        """Wait until all that was ordered before is known; who may not know goes on without.

        Raises:
            BrokerError: The broker or the queue is not there.
        """
        try:
            await self._heard.have_heard()
        except AccessRefused as error:
            _log.warning("orders to pause or cancel do not reach this worker: %s", error)

    @property
    def is_cancelled(self) -> bool:
        """Whether all that waits is cancelled."""
        return self._heard.orders.cancelled is not None

    def wait(self, *, is_so: bool) -> None:
        """Begin nothing for now, whatever is ordered, or do as is ordered again. What a child has not begun it returns at once."""
        if is_so == self._waits:
            return
        self._waits = is_so
        self._obey()
        if is_so:
            self._pool.take_back()

    def enforce(self) -> None:
        """Kill what runs and must not; to be called again and again, since what was on its way may begin after an order."""
        orders = self._heard.orders
        if orders.cancelled and orders.cancelled.running:
            self._pool.interrupt(lambda _: True)
        elif killed := {name for name, order in orders.types.items() if order.running}:
            self._pool.interrupt(lambda attempt: attempt.task.type in killed)

    def _obey(self) -> None:
        orders = self._heard.orders
        hold, former, self._hold = orders.hold, self._hold, orders.hold
        dispatcher = self._dispatcher
        dispatcher.is_held, dispatcher.cancelled_types = self._waits or hold is not None, orders.types
        if hold and hold != former:
            _log.info("%s by %s: what runs may end, and nothing begins", hold.what, hold.by)
        elif former and not hold:
            _log.info("resumed: tasks are taken again")
        if orders.types:
            dispatcher.end_cancelled()
        dispatcher.submit()
        self._on_change()
