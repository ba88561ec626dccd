"""The journal of a queue: records in its streams, and among them which retry delays it was ever given.

AMQP tells of a queue only to those who know its name, and a worker's user may not use the management API. So whoever
makes delays writes them down here first; the stream keeps a few small records.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Annotated, Final
from uuid import uuid4

import msgspec

from warrener.brokers.protocol import Log
from warrener.brokers.rabbitmq.confirms import ConfirmTracker
from warrener.brokers.rabbitmq.stream import read_stream
from warrener.brokers.rabbitmq.stream_ends import stream_end
from warrener.brokers.rabbitmq.topology import place_of
from warrener.codec import NOT_JSON

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warrener.brokers.names import Names
    from warrener.brokers.rabbitmq.reconnect import Reconnecting
    from warrener.errors import BrokerError


_LONGEST: Final = 0xFFFFFFFF  # milliseconds, to RabbitMQ

Delay = Annotated[int, msgspec.Meta(gt=0, le=_LONGEST)]


class DelaysDeclared(msgspec.Struct, frozen=True, tag_field="kind", tag="delays-declared"):
    """The queue has these retry delays, in milliseconds, beside those it had."""

    delays: tuple[Delay, ...]


_RECORD: Final = msgspec.json.Decoder(DelaysDeclared)


class Journal:
    """The stream as far as it was read."""

    def __init__(self, names: Names, connections: Reconnecting) -> None:
        self._names = names
        self._connections = connections
        self._read = 0
        self._delays: frozenset[int] = frozenset()

    async def write(self, delays: Sequence[int]) -> None:
        """Write down these delays, and return when the broker has that."""
        await self.note(Log.JOURNAL, [msgspec.json.encode(DelaysDeclared(tuple(sorted(delays))))])

    async def note(self, log: Log, records: Sequence[bytes]) -> None:
        """Write down records, in order, and return when the broker has them.

        Args:
            log: Where.
            records: JSON.
        """
        place = place_of(self._names, log)
        async with await (await self._connections.connection()).channel() as channel:
            tracker = await ConfirmTracker(channel).open()
            for record in records:
                told: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                channel.watch(partial(_tell, told))
                tracker.publish(
                    place.exchange,
                    place.key,
                    record,
                    message_id=uuid4().hex,
                    priority=None,
                    record=None,
                    then=_tell,
                    about=told,
                )
                await told

    async def delays(self) -> frozenset[int]:
        """All delays that were ever written down, in milliseconds.

        Raises:
            QueueMissing: There is no journal.
        """
        connection = await self._connections.connection()
        end = await stream_end(connection, self._names.journal)
        if end != self._read:
            first = self._read if end > self._read else 0  # it was made anew
            found = set(self._delays if first else ())
            async for after, records in read_stream(connection, self._names.journal, first, follow=False):
                found.update(*(_delays_in(record.body) for record in records))
                end = after
            self._read, self._delays = end, frozenset(found)
        return self._delays


def _delays_in(record: bytes) -> tuple[int, ...]:
    try:
        return _RECORD.decode(record).delays
    except NOT_JSON:  # a record of another kind, or of somebody else
        return ()


def _tell(told: asyncio.Future[None], error: BrokerError | None) -> None:
    if not told.done():
        if error:
            told.set_exception(error)
        else:
            told.set_result(None)
