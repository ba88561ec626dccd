"""Reading a stream without using it up, whatever becomes of the connection."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from warrener.brokers.rabbitmq.amqp.bulk import StreamConsumer
from warrener.brokers.rabbitmq.condition import Condition
from warrener.brokers.rabbitmq.reconnect import AGAIN_AFTER, AGAIN_FOR
from warrener.brokers.rabbitmq.stream_ends import stream_tail
from warrener.errors import BrokerError, BrokerUnreachable, QueueMissing

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from warrener.brokers.rabbitmq.amqp.bulk import Delivered
    from warrener.brokers.rabbitmq.amqp.connection import Connection
    from warrener.brokers.rabbitmq.amqp.properties import Properties
    from warrener.brokers.rabbitmq.queue import Queue

PREFETCH: Final = 2000
"""So many messages are on their way to a reader, at most."""
_AHEAD: Final = 32 << 20  # bytes that may be on their way, about
_TOLD_BY: Final = 64  # messages tell how large others are
_MUCH: Final = 4
_LOOKS: Final = 2
_IDLE: Final = 0.5  # seconds between two signs that a follower waits


class Message(NamedTuple):
    """A message, and the exchange that it came by."""

    body: bytes
    exchange: str


async def read_stream(
    connection: Connection, stream: str, first: int, *, follow: bool, prefetch: int = PREFETCH
) -> AsyncGenerator[tuple[int, Sequence[Message]]]:
    """The messages of a stream from an offset on, in batches, each with the offset after it; see `Broker.results`.

    Unless it follows, it reads to the end that the stream had a moment after it began: workers may add to it for days.
    """
    end, size = await stream_tail(connection, stream)
    given = first if first <= end else 0  # it was purged meanwhile, and begins anew
    looks, has_told = 1, not follow
    async with aclosing(_coming(connection, stream, given, _Ahead(prefetch, size))) as batches:
        while follow or given < end or looks < _LOOKS:
            if given < end or (has_told and follow):
                after, batch = await anext(batches)
                if follow or batch:
                    given = after
                    yield given, batch
            elif follow:
                has_told = True
                yield given, []
            else:
                looks, (end, _) = looks + 1, await stream_tail(connection, stream)


async def _coming(
    connection: Connection, stream: str, given: int, ahead: _Ahead
) -> AsyncGenerator[tuple[int, Sequence[Message]]]:
    """What comes from an offset on, for ever, in batches, each with the offset after it; an empty one where nothing comes for a while."""
    while True:
        arrived = _Arrived()
        async with await connection.channel(arrived.on_close) as channel:
            await channel.call("basic_qos", prefetch_count=ahead.count)
            await channel.call("basic_consume", stream, arrived, arguments={"x-stream-offset": given})
            is_changed = False
            while not is_changed:  # or begin again: what a consumer began with stays
                try:
                    async with asyncio.timeout(_IDLE):
                        await arrived.condition.wait_for(arrived.has_news)
                except TimeoutError:
                    if not connection.is_arriving:  # a large one, or before one of ours
                        yield given, []
                    continue
                given, tag, batch = arrived.take()
                yield given, batch
                is_changed = ahead.is_changed_by(batch)
                if not is_changed:
                    # Only now: the broker sends no more than the prefetch ahead of us, which bounds our memory.
                    channel.ack(tag, multiple=True)


class _Ahead:
    """How many messages may be on their way: fewer where they are large.

    Args:
        most: However small they are.
        size: Bytes of the last one, which tells how large the others may be.
    """

    def __init__(self, most: int, size: int) -> None:
        self._most = most
        self._count = self._size = 0  # of those that came since it last changed
        self.count = self._fitting(size)

    def is_changed_by(self, batch: Sequence[Message]) -> bool:
        """Whether another number fits much better now that these have come at once; it counts from now on."""
        size = sum(len(message.body) for message in batch)
        self._count += len(batch)
        self._size += size
        fits = self._fitting(self._size // self._count)
        are_too_many = size > 2 * _AHEAD and fits < self.count
        are_too_few = self._count >= _TOLD_BY and fits > _MUCH * self.count
        if are_too_many or are_too_few:
            self.count, self._count, self._size = fits, 0, 0
        return are_too_many or are_too_few

    def _fitting(self, size: int) -> int:
        return max(1, min(self._most, _AHEAD // max(1, size)))


async def between(
    connection: Connection, stream: str, first: int, end: int, *, most: int, seconds: float
) -> tuple[int, list[bytes]] | None:
    """The messages of a stream from an offset to its end or beyond, with the offset after them; None where there is too much.

    Args:
        connection: Over which.
        stream: Which.
        first: The offset of the first of them.
        end: The offset after the last that is known of.
        most: So many bytes are enough.
        seconds: And so much time.
    """
    arrived, after = _Arrived(), first
    found: list[bytes] = []
    async with await connection.channel(arrived.on_close) as channel:
        await channel.call("basic_qos", prefetch_count=end - first)
        await channel.call("basic_consume", stream, arrived, arguments={"x-stream-offset": first})
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while after < end and sum(map(len, found)) <= most:
                    await arrived.condition.wait_for(arrived.has_news)
                    after, _, messages = arrived.take()
                    found += [message.body for message in messages]
    return (after, found) if after >= end else None


class _Arrived(StreamConsumer):
    """What has come of a stream, and is not taken yet."""

    def __init__(self) -> None:
        self.condition = Condition()
        self._messages: list[Message] = []
        self._last: tuple[int, Properties] | None = None
        self._lost: BrokerError | None = None

    def __call__(self, _: object, method: Delivered, properties: Properties, body: bytes) -> None:
        self._messages.append(Message(body, method.exchange))
        self._last = method.delivery_tag, properties
        self.condition.notify()

    def more(self, bodies: Sequence[bytes], method: Delivered, properties: Properties) -> None:
        """Many at once."""
        exchange = method.exchange
        self._messages += [Message(body, exchange) for body in bodies]
        self._last = method.delivery_tag, properties
        self.condition.notify()

    def on_close(self, error: BrokerError) -> None:
        """Nothing more will come."""
        self._lost = error
        self.condition.notify()

    def has_news(self) -> bool:
        """Whether something came; raises why nothing more will."""
        if self._lost:
            raise self._lost
        return bool(self._messages)

    def take(self) -> tuple[int, int, list[Message]]:
        """What came, once something did, with the offset after it and the tag of the last one."""
        messages, self._messages = self._messages, []
        tag, properties = self._last or (0, None)
        after = properties.header("x-stream-offset") + 1 if properties else 0
        return after, tag, messages


async def messages(
    queue: Queue, stream: str, *, follow: bool, by: str | None = None
) -> AsyncGenerator[Sequence[bytes]]:
    """The bodies of `batches`."""
    async with aclosing(batches(queue, stream, follow=follow, by=by)) as found:
        async for _, new in found:
            yield [message.body for message in new]


async def batches(
    queue: Queue, stream: str, *, follow: bool, by: str | None = None
) -> AsyncGenerator[tuple[int, Sequence[Message]]]:
    """What is in one of the queue's streams, each batch with the offset after it.

    A lost connection is followed by reading on where it was lost.

    Args:
        queue: Whose.
        stream: Which.
        follow: Wait for more; an empty batch marks that all there was has come, and then that there is nothing new.
        by: Only what came by this exchange.

    Raises:
        Replaced: What came by an exchange was followed, and is of another queue now.
    """
    loop = asyncio.get_running_loop()
    place = _Place(queue.names.queue if by and follow else None)
    last_had = last_away = loop.time()
    while True:
        try:
            connection = await queue.connections.connection()
            found = read_stream(connection, stream, place.first, follow=follow)
            async with aclosing(found):
                async for after, rows in found:
                    new = place.go_on(after, rows)
                    if new is None:
                        break
                    wanted = new if by is None else [message for message in new if message.exchange == by]
                    if wanted or (follow and not rows):
                        yield after, wanted
                    last_had = last_away = loop.time()
                else:
                    return
        except Replaced:
            raise
        except (BrokerUnreachable, QueueMissing) as error:
            now = loop.time()
            give_up_at = last_had + queue.connections.patience
            if isinstance(error, BrokerUnreachable):
                last_away = now
            else:
                # Streams need a moment longer than connections when a broker has been restarted; and a purge makes them anew.
                give_up_at = last_away + AGAIN_FOR if place.last is not None else now
            if queue.connections.is_closing or now >= give_up_at:
                raise
            place.look_back()
            await asyncio.sleep(AGAIN_AFTER)


class Replaced(QueueMissing):
    """Another queue is in the place of the one that was followed."""


class _Place:
    """Where a reader is, by its last row: after a purge another one is there.

    Args:
        only: The queue's name, where it is to be said that there is another one in its place.
    """

    def __init__(self, only: str | None) -> None:
        self._only = only
        self.first = 0
        self.last: Message | None = None
        self._expected: Message | None = None

    def look_back(self) -> None:
        """Read the last row again."""
        if self.last is not None and self._expected is None:
            self.first -= 1
            self._expected = self.last

    def go_on(self, after: int, rows: Sequence[Message]) -> Sequence[Message] | None:
        """Those of these rows, which end before an offset, that are new; None if the stream is another one, to be read anew."""
        if not rows:
            return rows
        expected, self._expected = self._expected, None
        if expected is not None and rows[0] != expected:
            if self._only:
                raise Replaced(f"queue {self._only!r} was deleted, and made anew")
            self.first, self.last = 0, None
            return None
        self.first, self.last = after, rows[-1]
        return rows if expected is None else rows[1:]
