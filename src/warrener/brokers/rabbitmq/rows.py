"""The rows of the stream of results, which has them one by one and in packs."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

from warrener.brokers.rabbitmq import stream
from warrener.brokers.rabbitmq.packing import ROWS, unpack
from warrener.brokers.rabbitmq.stream_ends import ends_at, stream_end
from warrener.errors import QueueMissing

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from warrener.brokers.names import Names
    from warrener.brokers.rabbitmq.amqp.connection import Connection
    from warrener.brokers.rabbitmq.queue import Queue

_PATIENCE: Final = 0.5  # seconds until no pack is taken for none
_PATIENCE_BUSY: Final = 0.05  # while more rows are to come, so that this count is old at once
_APART: Final = 1000  # rows between two offsets that are kept


async def count_rows(connection: Connection, names: Names, offsets: Offsets, *, is_busy: bool) -> int:
    """How many rows there are, now: one for each message, and for each pack as many more as it has.

    Args:
        connection: Over which.
        names: Whose.
        offsets: As far as they were read: who has read all of them knows how many they are.
        is_busy: Whether more are to come. Then packs of the last five seconds may be left out where they are the first ones.
    """
    if offsets.end[0] and not is_busy:
        messages = await stream_end(connection, names.results)
        if messages == offsets.end[0]:
            return offsets.end[1]
    messages, packs = await asyncio.gather(
        stream_end(connection, names.results),
        _count_packs(connection, names, _PATIENCE_BUSY if is_busy else _PATIENCE),
    )
    return messages + packs * (ROWS - 1)


async def _count_packs(connection: Connection, names: Names, patience: float) -> int:
    try:
        return await stream_end(connection, names.packed, patience=patience)
    except QueueMissing:  # the queue is older than packs
        return 0


class Offsets:
    """Which message has which row, as far as somebody has read: a message may have many."""

    def __init__(self) -> None:
        self.end = (0, 0)
        """How many messages were read from the beginning on, and how many rows they have."""
        self._first: bytes | None = None  # by which the stream is known
        self._rows = [0]
        self._offsets = [0]

    def begin(self, first: bytes) -> None:
        """Somebody reads from the beginning, where this message is; where it was another one, others follow."""
        if first != self._first:
            self._first = first
            del self._rows[1:], self._offsets[1:]

    def add(self, rows: int, offset: int) -> None:
        """Before the message of this offset there are so many rows."""
        if rows >= self._rows[-1] + _APART:
            self._rows.append(rows)
            self._offsets.append(offset)

    def before(self, row: int) -> tuple[int, int]:
        """The last message known of that is not after this row: how many rows are before it, and its offset."""
        at = bisect_right(self._rows, row) - 1
        return self._rows[at], self._offsets[at]


async def read(queue: Queue, offsets: Offsets, *, follow: bool) -> AsyncGenerator[Sequence[bytes]]:
    """See `Reader.results`."""
    count, last = 0, 0
    async with aclosing(stream.batches(queue, queue.names.results, follow=follow)) as batches:
        async for after, messages in batches:
            first = after - len(messages)
            if messages and (not count or first < last):  # for the first time, or after a purge
                count = 0
                offsets.begin(messages[0].body)
            found: list[bytes] = []
            for offset, message in enumerate(messages, first):
                offsets.add(count + len(found), offset)
                found += unpack(message.body)
            count, last = count + len(found), after
            offsets.end = last, count
            yield found


async def newest(queue: Queue, most: int) -> Sequence[bytes]:
    """See `Reader.newest_results`."""
    messages = most // ROWS + 1  # as many as are needed if all of them are packs
    while True:
        bodies = await stream.newest(queue, queue.names.results, messages)
        found = [row for body in bodies for row in unpack(body)]
        if len(found) >= most or len(bodies) < messages:
            return found[-most:]
        # As many as it takes if those before are as these, each of which has a row at least.
        messages = max(2 * messages, min(most, most * len(bodies) // max(1, len(found))) + 1)


async def counts_at(queue: Queue, times: Sequence[float]) -> Sequence[int]:
    """See `Reader.completed_at`."""
    connection = await queue.connections.connection()
    messages, packs = await asyncio.gather(
        ends_at(connection, queue.names.results, times), _packs_at(connection, queue.names, times)
    )
    return [ones + (ROWS - 1) * many for ones, many in zip(messages, packs, strict=True)]


async def _packs_at(connection: Connection, names: Names, times: Sequence[float]) -> Sequence[int]:
    try:
        return await ends_at(connection, names.packed, times)
    except QueueMissing:  # the queue is older than packs
        return [0] * len(times)


async def at(queue: Queue, offsets: Offsets, first: int, most: int) -> Sequence[bytes]:
    """See `Reader.results_at`."""
    before, offset = offsets.before(first)
    wanted = first - before + most
    found: list[bytes] = []
    async with aclosing(stream.at(queue, queue.names.results, offset, wanted)) as batches:
        async for bodies in batches:
            found += [row for body in bodies for row in unpack(body)]
            if len(found) >= wanted:
                break
    return found[first - before : wanted]
