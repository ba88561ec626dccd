"""How many rows of results there are, now: the ends of two streams tell it, and where one may be empty, the last rows themselves."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from warrener.brokers.rabbitmq import stream
from warrener.brokers.rabbitmq.packing import ROWS, unpack
from warrener.brokers.rabbitmq.rows import Counted
from warrener.brokers.rabbitmq.stream_ends import ends_at, stream_end
from warrener.errors import QueueMissing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warrener.brokers.names import Names
    from warrener.brokers.rabbitmq.amqp.connection import Connection
    from warrener.brokers.rabbitmq.queue import Queue
    from warrener.brokers.rabbitmq.rows import Offsets

_PATIENCE: Final = 0.5  # seconds until no pack is taken for none
_PATIENCE_BUSY: Final = 0.05  # while more rows are to come, so that this count is old at once
# Where packs may have come of late only, so many messages are read sooner than that.
_FEW: Final = 2000
_SMALL: Final = 4 << 20  # bytes
_READ_WITHIN: Final = 0.5  # seconds


async def count_rows(connection: Connection, names: Names, offsets: Offsets, *, is_busy: bool) -> int:
    """How many rows there are, now: one for each message, and for each pack as many more as it has.

    Args:
        connection: Over which.
        names: Whose.
        offsets: As far as they were read and counted: what comes after is read, where it is little.
        is_busy: Whether more are to come. Then packs of the last five seconds may be left out where they are the first ones, and
            many rows came by themselves.
    """
    messages, told = await asyncio.gather(
        stream_end(connection, names.results), _packs_told(connection, names)
    )
    if not messages:
        return 0
    if messages == offsets.end.messages:  # who has read all of them knows how many they are
        return offsets.end.rows
    if told == 0:
        rows = await _count_last(connection, names, offsets, messages)
        if rows is not None:
            return rows
    if told is None:
        return messages
    patience = _PATIENCE_BUSY if is_busy else _PATIENCE
    packs = await stream_end(connection, names.packed, patience=patience)
    if not packs:
        last = await stream.between(
            connection, names.results, messages - 1, messages, most=_SMALL, seconds=_READ_WITHIN
        )
        offsets.counted = Counted(messages, messages, last[1][-1]) if last else Counted()
    return messages + packs * (ROWS - 1)


async def counts_at(queue: Queue, offsets: Offsets, times: Sequence[float]) -> Sequence[int]:
    """See `Reader.completed_at`."""
    names = queue.names
    connection = await queue.connections.connection()
    told = await _packs_told(connection, names)
    if told is None or (not told and offsets.has_no_packs):
        messages = await ends_at(connection, names.results, times)
        return [*map(int, messages)]  # without packs they are of a kind of pika's own
    messages, packs = await asyncio.gather(
        ends_at(connection, names.results, times), ends_at(connection, names.packed, times)
    )
    return [ones + (ROWS - 1) * many for ones, many in zip(messages, packs, strict=True)]


async def _packs_told(connection: Connection, names: Names) -> int | None:
    """How many packs there were a few seconds ago; None where the queue is older than packs."""
    try:
        async with await connection.channel() as channel:
            answer = await channel.call("queue_declare", names.packed, passive=True)
    except QueueMissing:
        return None
    return int(answer.message_count)


async def _count_last(connection: Connection, names: Names, offsets: Offsets, messages: int) -> int | None:
    """How many rows there are by what was counted before and the messages since then; None where these are too many.

    Args:
        connection: Over which.
        names: Whose.
        offsets: What was counted before.
        messages: How many there are.
    """
    known = offsets.counted_before(messages)
    first = known.messages - bool(known.last)
    if first == messages:
        return known.rows
    if messages - first > _FEW:
        return None
    found = await stream.between(
        connection, names.results, first, messages, most=_SMALL, seconds=_READ_WITHIN
    )
    if found is None:
        return None
    after, bodies = found
    if known.last and bodies.pop(0) != known.last:  # it was purged since
        offsets.counted = Counted()
        return None
    rows = known.rows + sum(len(unpack(body)) for body in bodies)
    offsets.counted = Counted(after, rows, bodies[-1] if bodies else known.last)
    return rows
