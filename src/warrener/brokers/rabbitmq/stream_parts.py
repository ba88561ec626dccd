"""Parts of a stream: its last messages, and those from a place on."""

from __future__ import annotations

import sys
from contextlib import aclosing
from typing import TYPE_CHECKING

from warrener.brokers.rabbitmq.stream import PREFETCH, read_stream
from warrener.brokers.rabbitmq.stream_ends import stream_tail

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from warrener.brokers.rabbitmq.amqp.connection import Connection
    from warrener.brokers.rabbitmq.queue import Queue


async def newest(queue: Queue, stream: str, most: int, enough: int | None) -> Sequence[bytes]:
    """The last messages of one of the queue's streams: so many, or as many as have enough bytes, by how large the last ones are."""
    connection = await queue.connections.connection()
    end, size = await stream_tail(connection, stream)
    enough = sys.maxsize if enough is None else enough
    few = max(1, min(most, enough // max(1, size)))
    while True:
        found = await _from(connection, stream, max(0, end - few), sys.maxsize if few == 1 else 2 * enough)
        size = sum(map(len, found))
        fits = enough * len(found) // max(1, size)
        if few > 1 and size > 2 * enough:  # those before the last are larger
            few = most = max(1, min(few - 1, fits))
        elif few >= min(most, end) or 2 * size >= enough:
            return found[-few:]
        else:
            few = min(most, max(few + 1, fits))


async def at(queue: Queue, stream: str, first: int, most: int) -> AsyncGenerator[Sequence[bytes]]:
    """The messages of one of the queue's streams from an offset on, to its end, in batches of at most so many."""
    connection = await queue.connections.connection()
    batches = read_stream(connection, stream, first, follow=True, prefetch=min(most, PREFETCH))
    async with aclosing(batches):
        async for after, rows in batches:
            if not rows or after - len(rows) < first:  # there is no more, or it ends before that
                return
            yield [row.body for row in rows]


async def _from(connection: Connection, stream: str, first: int, enough: int) -> list[bytes]:
    """The messages of a stream from an offset on, to its end, or until they have more than enough bytes."""
    found: list[bytes] = []
    size = 0
    async with aclosing(read_stream(connection, stream, first, follow=False)) as batches:
        async for _, rows in batches:
            found += [row.body for row in rows]
            size += sum(len(row.body) for row in rows)
            if size > enough:
                break
    return found
