"""Reading failures without using them up.

Whoever looks at a failure holds it, and has to hold all that he has seen until the end: what a quorum queue has back is the
first that it gives again, whatever its delivery limit (seen on RabbitMQ 4.3), and there is no way to ask for what comes
after. What is held costs the broker a few bytes each, and us nothing but its number: bodies come a page at a time.

Everything goes back before a reader leaves, by a `nack` that no limit counts. What is lost with its connection is counted,
which matters only where an operator's policy limits deliveries; `policies` tells of that.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import aclosing, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from warrener.brokers.rabbitmq.condition import Condition
from warrener.brokers.rabbitmq.failed_task import failed_task
from warrener.brokers.rabbitmq.reconnect import AGAIN_AFTER
from warrener.brokers.rabbitmq.topology import consumer_arguments
from warrener.errors import BrokerError, BrokerUnreachable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from warrener.brokers.protocol import FailedTask
    from warrener.brokers.rabbitmq.amqp.bulk import Delivered
    from warrener.brokers.rabbitmq.amqp.channel import Channel
    from warrener.brokers.rabbitmq.amqp.connection import Connection
    from warrener.brokers.rabbitmq.amqp.properties import Properties
    from warrener.brokers.rabbitmq.queue import Queue

_PAGE: Final = 2000
_MOST: Final = 0xFFFF  # that one consumer can hold
_BUSY_FOR: Final = 60.0  # seconds that a reader waits for his turn
# What is wanted and does not come for so long, in seconds, may be gone.
_LATE: Final = 2.0
_LOOKS_BACK: Final = 200
_BETWEEN_LOOKS: Final = 0.01  # seconds


async def read(queue: Queue) -> AsyncIterator[FailedTask]:
    """The failures, the oldest first; a lost connection is followed by reading on behind the last one.

    Raises:
        BrokerError: Besides, if some were taken out meanwhile.
    """
    loop = asyncio.get_running_loop()
    place, give_up_at = _Place(), loop.time() + queue.connections.patience
    while True:
        try:
            async with reading(queue) as reader, aclosing(reader.batches()) as batches:
                async for batch in batches:
                    give_up_at = loop.time() + queue.connections.patience
                    for _, task in batch:
                        if place.is_new(task.id):
                            yield task
            place.end()
        except BrokerUnreachable:
            if queue.connections.is_closing or loop.time() > give_up_at:
                raise
        else:
            return
        place.begin_again()
        await asyncio.sleep(AGAIN_AFTER)


class _Place:
    """How far a reader is, who begins again at the first failure when the connection is lost."""

    def __init__(self) -> None:
        self._given = 0
        self._last = ""
        self._read = 0

    def begin_again(self) -> None:
        """Read what was given again."""
        self._read = 0

    def is_new(self, task_id: str) -> bool:
        """Whether the next failure was not given before."""
        self._read += 1
        if self._read > self._given:
            self._given, self._last = self._read, task_id
            return True
        if self._read == self._given and task_id != self._last:
            raise _changed()
        return False

    def end(self) -> None:
        """There are no more."""
        if self._read < self._given:
            raise _changed()


def _changed() -> BrokerError:
    return BrokerError(
        "failures were taken out while the connection was lost, so nobody knows where reading them was: read them again"
    )


class Reader:
    """The failed tasks, delivered but not acknowledged: whatever is not taken out goes back at the end.

    Args:
        channel: Of its own.
        queue: Of the failures.
        count: How many there are.
        arguments: To consume with.
    """

    def __init__(self, channel: Channel, queue: str, count: int, arguments: dict[str, object]) -> None:
        self.channel = channel
        self._queue = queue
        self._count = count
        self._arguments = arguments
        self._consumers: list[str] = []
        # Of the last consumer: how many it may hold, how many it holds, and the delivery before its first one.
        self._prefetch = _MOST
        self._held = _MOST
        self._after = 0
        self._last = 0
        self._has_taken_out = False
        self._arrived: list[tuple[int, FailedTask]] = []
        self._lost: BrokerError | None = None
        self._condition = Condition()

    async def open_page(self) -> None:
        """Have the next failures sent: a consumer that acknowledges nothing gets no more than its prefetch.

        One that begins again under its name, with more, keeps what it holds (seen on RabbitMQ 4.3), and is counted all the
        time, so that nobody else begins in between. No prefetch has more than 16 bits.
        """
        if self._held + _PAGE > _MOST:
            self._consumers.append(uuid4().hex)
            self._held, self._after = 0, self._last
            await self._begin(self._held + _PAGE)
        else:
            await self._begin_again(self._held + _PAGE)

    async def _begin(self, prefetch: int) -> None:
        self._prefetch = prefetch
        await self.channel.call("basic_qos", prefetch_count=prefetch)
        await self.channel.call(
            "basic_consume",
            self._queue,
            self._on_message,
            consumer_tag=self._consumers[-1],
            arguments=self._arguments,
        )

    async def _begin_again(self, prefetch: int) -> None:
        await self.channel.call("basic_cancel", self._consumers[-1])
        await self._begin(prefetch)

    def on_close(self, error: BrokerError) -> None:
        """Nothing more will come."""
        self._lost = error
        self._condition.notify()

    async def batches(self) -> AsyncGenerator[list[tuple[int, FailedTask]]]:
        """The failed tasks as they come, each with its delivery tag; the first page is open already."""
        wanted = self._count
        while wanted > 0:
            if self._held >= self._prefetch and not self._arrived:
                await self.open_page()
            if not await self._has_more():
                return
            batch, self._arrived = self._arrived[:wanted], []
            wanted -= len(batch)
            yield batch

    def take_out(self, tag: int) -> bool:
        """Acknowledge one; whether that could be done."""
        if not self.channel.is_open:
            return False
        self.channel.ack(tag)
        self._held -= tag > self._after
        self._has_taken_out = True
        return True

    async def leave(self) -> None:
        """Return everything that was not taken out, in its order, and wait until the queue has it."""
        if not self.channel.is_open:
            return
        try:
            if self._has_taken_out:
                # What a channel has for a quorum queue it keeps back while 32 commands are under way, and loses when it
                # ends. Two that are waited for come after all of that, and with this prefetch nothing more is sent.
                await self._begin_again(max(self._held, 1))
        finally:
            # Before anything is waited for: who is cancelled again has returned everything, too.
            if self.channel.is_open:
                for tag in self._consumers:
                    self.channel.begin("basic_cancel", tag)
                self.channel.requeue(0, multiple=True)
        for _ in range(_LOOKS_BACK):  # no more: somebody else may have begun meanwhile
            if not await self._is_read():
                return
            await asyncio.sleep(_BETWEEN_LOOKS)

    async def _is_read(self) -> bool:
        """Whether somebody reads the failures; one who has ended does as long as he holds some."""
        return bool((await self.channel.call("queue_declare", self._queue, passive=True)).consumer_count)

    async def _has_more(self) -> bool:
        """Wait for more to arrive; whether some did, or else what was to come is gone, as after a purge."""
        while not self._has_news():
            with suppress(TimeoutError):
                async with asyncio.timeout(_LATE):
                    await self._condition.wait_for(self._has_news)
                    return True
            told = await self.channel.call("queue_declare", self._queue, passive=True)
            # The count comes first: what is got to see whether there is any goes back behind the others.
            if not told.message_count and await self.channel.is_empty(self._queue) and not self._arrived:
                return False
        return True

    def _has_news(self) -> bool:
        """Whether some came that were not given; raises why nothing more will."""
        if self._lost and not self._arrived:
            raise self._lost
        return bool(self._arrived)

    def _on_message(self, _: object, method: Delivered, properties: Properties, body: bytes) -> None:
        self._last = method.delivery_tag
        self._held += 1
        self._arrived.append((self._last, failed_task(properties, body)))
        self._condition.notify()


@asynccontextmanager
async def reading(queue: Queue) -> AsyncIterator[Reader]:
    """Hold all failed tasks for a while. Readers take turns, since what one holds another cannot see."""
    connection = await queue.connections.connection()
    deadline = asyncio.get_running_loop().time() + _BUSY_FOR
    async with await connection.channel() as looks:
        while True:
            async with _turn(connection, looks, queue.names.failed) as reader:
                if reader:
                    queue.connections.leaving.add(reader.leave)
                    try:
                        yield reader
                    finally:
                        queue.connections.leaving.discard(reader.leave)
                    return
            if asyncio.get_running_loop().time() > deadline:
                raise BrokerError(
                    f"somebody else has been reading {queue.names.failed!r} for {_BUSY_FOR:.0f} s; end that reader and "
                    "try again"
                )
            await asyncio.sleep(random.uniform(0.05, 0.5))  # noqa: S311 - a jitter, no secret


@asynccontextmanager
async def _turn(connection: Connection, looks: Channel, queue: str) -> AsyncIterator[Reader | None]:
    """A reader; None if somebody else is one."""
    found = await looks.call("queue_declare", queue, passive=True)
    if found.consumer_count:
        yield None
        return
    arguments = consumer_arguments(connection.version)
    async with await connection.channel() as channel:
        reader = Reader(channel, queue, found.message_count, arguments)
        try:
            await reader.open_page()
            found = await looks.call("queue_declare", queue, passive=True)
            # Two may have come at once: both step back, and one will be earlier next time.
            is_alone = found.consumer_count == 1
            if is_alone:
                channel.watch(reader.on_close)
            yield reader if is_alone else None
        finally:
            await reader.leave()
