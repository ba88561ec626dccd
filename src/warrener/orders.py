"""Orders to the workers of a queue: pause, go on, cancel. What holds now is derived by folding them in order.

They are a log of their own, which producers cannot write (`Log.CONTROL`).
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Annotated, Final, Literal

import msgspec

from warrener.brokers import Log
from warrener.codec import NOT_JSON, encode
from warrener.errors import AccessRefused, BrokerError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from warrener.brokers import Broker

_HEAR_AGAIN_AFTER: Final = 0.5  # seconds
_Time = Annotated[float, msgspec.Meta(ge=0, le=253_402_000_000)]  # that every calendar has


class Paused(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="paused"):
    """Workers take nothing more until somebody resumes.

    Args:
        by: Who: `user@host`.
        at: When, in seconds since the epoch.
        limit: What was exceeded, where nobody but a limit paused it: `more than 10 tasks failed`.
    """

    by: str
    at: _Time
    limit: str = ""


class Resumed(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="resumed"):
    """Workers go on, and no type is cancelled any more.

    Args:
        by: Who.
        at: When.
        is_by_run: Whether the same batch was begun again, which lifts everything but a person's pause.
    """

    by: str
    at: _Time
    is_by_run: bool = False


class Cancelled(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="cancelled"):
    """Workers take nothing more, and those that drain end; or they end tasks of some types as failed without running them.

    Args:
        by: Who.
        at: When.
        types: Which types; all of the queue where there is none.
        running: Whether what runs is killed, too.
    """

    by: str
    at: _Time
    types: tuple[str, ...] = ()
    running: bool = False


Order = Paused | Resumed | Cancelled
_orders: msgspec.json.Decoder[Order] = msgspec.json.Decoder(Order)


class Hold(msgspec.Struct, frozen=True):
    """Why workers take nothing.

    Args:
        what: `paused` or `cancelled`.
        by: Who ordered it.
        at: When, in seconds since the epoch.
        limit: As `Paused.limit`.
    """

    what: Literal["paused", "cancelled"]
    by: str
    at: float
    limit: str = ""


class Orders:
    """What holds, by the orders so far."""

    def __init__(self) -> None:
        self.paused: Paused | None = None
        self.cancelled: Cancelled | None = None
        """The whole queue is."""
        self.types: dict[str, Cancelled] = {}
        """Which types are cancelled, and by what."""

    @property
    def hold(self) -> Hold | None:
        """Why workers take nothing; None while they do."""
        if self.cancelled:
            return Hold("cancelled", self.cancelled.by, self.cancelled.at)
        return Hold("paused", self.paused.by, self.paused.at, self.paused.limit) if self.paused else None

    @property
    def is_liftable_by_run(self) -> bool:
        """Whether there is something that the same batch, begun again, lifts."""
        return bool(self.cancelled or self.types or (self.paused and self.paused.limit))

    def add(self, records: Iterable[bytes]) -> None:
        """Take in what came next; what is no order is passed over."""
        for body in records:
            with suppress(*NOT_JSON):
                self._obey(_orders.decode(body))

    def _obey(self, order: Order) -> None:
        if isinstance(order, Paused):
            if not (self.paused and order.limit):  # a person's pause is lifted by persons alone
                self.paused = order
        elif isinstance(order, Resumed):
            if not order.is_by_run or (self.paused and self.paused.limit):
                self.paused = None
            self.cancelled, self.types = None, {}
        elif order.types:
            self.types |= {name: self._kept(self.types.get(name), order) for name in order.types}
        else:
            self.cancelled = self._kept(self.cancelled, order)

    def _kept(self, former: Cancelled | None, order: Cancelled) -> Cancelled:
        """Of two that say the same the first, unless the second one kills."""
        return former if former and (former.running or not order.running) else order


async def give(broker: Broker, order: Order) -> None:
    """Give an order; it holds from now on, whether anybody hears it now or later.

    Raises:
        QueueMissing: There is no queue.
        AccessRefused: This user may give none.
        BrokerError: The broker is lost, or refuses it.
    """
    await broker.note(Log.CONTROL, [encode(order)])


async def current(broker: Broker) -> Orders:
    """What holds now.

    Raises:
        QueueMissing: There is no queue.
        AccessRefused: This user may not know.
        BrokerError: The broker is lost.
    """
    orders = Orders()
    async for records in broker.noted(Log.CONTROL):
        orders.add(records)
    return orders


class Following:
    """What holds, at any time.

    Args:
        on_change: Told after each change.
    """

    def __init__(self, on_change: Callable[[], None] = lambda: None) -> None:
        self.orders = Orders()
        self.error: BrokerError | None = None
        """Why nothing is heard."""
        self._on_change = on_change
        self._has_tried = asyncio.Event()

    async def have_heard(self) -> None:
        """Wait until all that was ordered before is known.

        Raises:
            QueueMissing: There is no queue.
            AccessRefused: This user may not know.
            BrokerError: The broker is lost; it is asked again all the same.
        """
        await self._has_tried.wait()
        if self.error:
            raise self.error

    async def follow(self, broker: Broker) -> None:
        """Listen until cancelled, whatever becomes of the connection."""
        try:
            while True:
                try:
                    await self._listen(broker)
                except BrokerError as error:  # whoever works or looks says so; orders hold until heard anew
                    self.error = error
                    self._has_tried.set()
                    if isinstance(error, AccessRefused):
                        return
                    await asyncio.sleep(_HEAR_AGAIN_AFTER)
        finally:
            self._has_tried.set()  # nobody waits for what ended otherwise

    async def _listen(self, broker: Broker) -> None:
        heard, has_all = Orders(), False  # from the first one on: it may be another queue by now
        async for records in broker.noted(Log.CONTROL, follow=True):
            heard.add(records)
            has_all = has_all or not records
            if has_all and (records or self.orders is not heard):
                self.orders, self.error = heard, None
                self._has_tried.set()
                self._on_change()


@asynccontextmanager
async def following(broker: Broker, on_change: Callable[[], None] = lambda: None) -> AsyncIterator[Following]:
    """What is ordered, for whoever looks; it begins once all that was ordered before is known, or cannot be."""
    heard = Following(on_change)
    task = asyncio.create_task(heard.follow(broker))
    try:
        with suppress(BrokerError):
            await heard.have_heard()
        if task.done():
            task.result()  # raises what nobody expected
        yield heard
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
