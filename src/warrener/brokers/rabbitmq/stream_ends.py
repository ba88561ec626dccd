"""Where a stream ends, now and at a time before: the broker's own count is up to five seconds old."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from warrener.brokers.rabbitmq.condition import Condition

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warrener.brokers.rabbitmq.amqp.channel import Channel
    from warrener.brokers.rabbitmq.amqp.connection import Connection
    from warrener.brokers.rabbitmq.amqp.properties import Properties

# More than a chunk of a stream ever holds, so that a whole one is delivered at once.
_CHUNK: Final = 60_000
# Seconds that the last chunk may take: of a stream that seems to be empty, and of one that is known not to be.
_LAST_CHUNK_EMPTY: Final = 0.5
_LAST_CHUNK: Final = 30.0
# What is found by time comes within some round trips; nothing tells of what is not.
_ROUNDS: Final = 3
_BETWEEN_ROUNDS: Final = 0.03  # seconds


async def stream_end(connection: Connection, stream: str, *, patience: float = _LAST_CHUNK_EMPTY) -> int:
    """How many messages a stream holds, now: the count that the broker tells is up to five seconds old (seen).

    A consumer that begins at the last chunk is sent that chunk at once. When nothing comes although the broker has
    had its time, the stream is empty.

    Args:
        connection: Over which.
        stream: Which.
        patience: Seconds until a stream that the broker counts nothing in is taken to be empty.
    """
    async with await connection.channel() as channel:
        return (await _tail_over(channel, stream, patience))[0]


async def stream_tail(connection: Connection, stream: str) -> tuple[int, int]:
    """The same, and how many bytes the last message has."""
    async with await connection.channel() as channel:
        return await _tail_over(channel, stream, _LAST_CHUNK_EMPTY)


async def _tail_over(channel: Channel, stream: str, patience: float) -> tuple[int, int]:
    condition = Condition()
    end = size = 0

    def on_message(_: object, __: object, properties: Properties, body: bytes) -> None:
        nonlocal end, size
        end, size = properties.header("x-stream-offset") + 1, len(body)
        condition.notify()

    await channel.call("basic_qos", prefetch_count=_CHUNK)
    await channel.call("basic_consume", stream, on_message, arguments={"x-stream-offset": "last"})
    told: int = (await channel.call("queue_declare", stream, passive=True)).message_count
    with suppress(TimeoutError):
        async with asyncio.timeout(_LAST_CHUNK if told else patience):
            await condition.wait_for(lambda: end > 0)
    if end:  # the first of a chunk: the broker sends all that it has before it answers anything else
        await channel.call("queue_declare", stream, passive=True)
    return max(end, told), size


async def ends_at(connection: Connection, stream: str, times: Sequence[float]) -> Sequence[int]:
    """How many messages a stream held at each of these times, by the broker's clock, whose whole seconds count.

    A consumer that begins at a time is sent the first chunk that is not older, at once. One that is sent nothing although a
    later one is, is being sent it; where no later one is either, there is no such chunk.

    Args:
        connection: Over which.
        stream: Which.
        times: Unix timestamps, the earliest first.
    """
    end = await stream_end(connection, stream)
    found: list[int | None] = [None] * len(times)
    condition = Condition()

    async with await connection.channel() as channel:
        await channel.call("basic_qos", prefetch_count=1)
        for number, at in enumerate(times):

            def on_message(
                _: object, __: object, properties: Properties, ___: bytes, number: int = number
            ) -> None:
                found[number] = properties.header("x-stream-offset")
                condition.notify()

            begin = {"x-stream-offset": datetime.fromtimestamp(int(at), UTC)}
            await channel.call("basic_consume", stream, on_message, arguments=begin)
        for _ in range(_ROUNDS):
            await asyncio.sleep(_BETWEEN_ROUNDS)
            await channel.call("queue_declare", stream, passive=True)
        async with asyncio.timeout(_LAST_CHUNK):
            await condition.wait_for(lambda: None not in found[: _known(found)])
    return [end if offset is None else offset for offset in found]


def _known(found: Sequence[int | None]) -> int:
    """How many come before the last that is known."""
    return max((number for number, offset in enumerate(found) if offset is not None), default=0)
