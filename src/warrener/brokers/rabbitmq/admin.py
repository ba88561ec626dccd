"""The queue itself: made, emptied and removed."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from warrener.brokers.protocol import Log
from warrener.brokers.rabbitmq import topology
from warrener.brokers.rabbitmq.amqp import channel as channels
from warrener.brokers.rabbitmq.amqp.errors import QueueAway
from warrener.brokers.rabbitmq.policies import warn_of_limits
from warrener.brokers.rabbitmq.row_count import count_rows
from warrener.brokers.rabbitmq.rows import Offsets
from warrener.errors import AccessRefused, BrokerError, QueueMissing
from warrener.retry import RetryPolicy, delay_schedule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warrener.brokers.rabbitmq.queue import Queue

DEFAULT_DELAYS: Final = tuple(delay_schedule([RetryPolicy()]))
_AGAIN_AFTER: Final = 0.1  # seconds


async def declare(queue: Queue, delays: Sequence[int]) -> bool:
    """Create what is missing, and say whether anything was."""
    was_missing = await _make(queue, delays)
    await warn_of_limits(queue)
    return was_missing


async def keep_output(queue: Queue) -> None:
    """Make the stream for what tasks print, if it is missing."""
    names = queue.names
    stream = names.log(topology.OUTPUT_KEY)
    try:
        if stream in await queue.ready([stream]):
            return
    except AccessRefused:  # a worker may write there, and not even look: an empty record tells
        with suppress(QueueMissing):
            await queue.journal.note(Log.OUTPUT, [b""])
            return
        raise AccessRefused(
            f"queue {names.queue!r} on {queue.shown} keeps no logs, and this user may not change that; set it up with "
            "`warrener setup --keep-logs`"
        ) from None
    connection = await queue.connections.connection()
    async with await connection.channel() as channel:
        await channel.call("queue_declare", names.queue, passive=True)  # it must be there
        await channel.call("queue_declare", stream, durable=True, arguments=topology.output_arguments())
        binding = topology.output_binding(names)
        await channel.call("queue_bind", binding.queue, binding.exchange, binding.key)


async def delays(queue: Queue, wanted: Sequence[int]) -> list[int]:
    """Those of the wanted retry delays that exist."""
    connection = await queue.connections.connection()
    async with await connection.channel() as channel:
        await channel.call("queue_declare", queue.names.queue, passive=True)
    return await queue.existing_delays(wanted)


async def purge(queue: Queue) -> int:
    """Drop every task, result and failure; how many."""
    names = queue.names
    connection = await queue.connections.connection()
    async with await connection.channel() as channel:
        await channel.call("queue_declare", names.queue, passive=True)  # it must be there
    dropped, output = 0, names.log(topology.OUTPUT_KEY)
    with suppress(QueueMissing):  # a purge was interrupted before it made the stream anew
        dropped = await count_rows(connection, names, Offsets(), is_busy=False)
    async with await connection.channel() as channel:
        # A stream cannot be purged. They are the first, since RabbitMQ lets whoever may read a queue purge it, but only
        # who may set it up delete it: others are refused before anything is lost. Until both are there again no pack leads
        # to either: their rows come one by one. On a queue that led to them without that exchange, the one that only counts
        # packs goes before the one that keeps them: a pack that comes in between must not seem to be kept.
        await channel.call("exchange_delete", names.packed)
        await channel.call("queue_delete", names.packed)
        await channel.call("queue_delete", names.results)
        await _make(queue, [])
        if output in await queue.ready([output]):
            await channel.call("queue_delete", output)
            await keep_output(queue)
        for name in (names.queue, *map(names.delay, await _all_delays(queue)), names.failed):
            dropped += (await channel.call("queue_purge", name)).message_count
    return dropped


async def delete(queue: Queue) -> None:
    """Remove the queue with all it owns."""
    names = queue.names
    found = await _all_delays(queue)
    connection = await queue.connections.connection()
    async with await connection.channel() as channel:
        for name in (
            names.queue,
            names.packed,
            names.results,
            names.failed,
            *map(names.delay, found),
            names.journal,
            names.log(topology.PUBLISHED_KEY),
            names.log(topology.OUTPUT_KEY),
        ):
            await channel.call("queue_delete", name)
        for exchange in topology.exchanges(names):
            await channel.call("exchange_delete", exchange)


async def _all_delays(queue: Queue) -> list[int]:
    """All delays that there are, as the journal and, where we may ask it, the management API know."""
    try:
        known = set(await queue.journal.delays())
    except QueueMissing:
        known = set()
    try:
        shown = await queue.management.queues()
    except BrokerError:
        return await queue.existing_delays({*DEFAULT_DELAYS, *known})
    known.update(length for name in shown if (length := queue.names.delay_of(name)) is not None)
    return await queue.existing_delays(known)


async def _make(queue: Queue, delays: Sequence[int]) -> bool:
    """Create what is missing, and say whether anything was."""
    connection = await queue.connections.connection()
    wanted = topology.queue_arguments(queue.names, connection.version, delays)
    loop = asyncio.get_running_loop()
    was_missing, give_up_at = False, loop.time() + channels.ANSWER_TIMEOUT
    while True:
        try:
            there = await queue.ready(wanted)
            is_missing = len(there) < len(wanted)
            was_missing |= is_missing
            async with await connection.channel() as channel:
                if queue.names.queue not in there:
                    # What was in it is gone. Nobody may take that for published, and leave it out.
                    await channel.call("queue_delete", queue.names.log(topology.PUBLISHED_KEY))
                if is_missing:
                    # Written down before they are there, so that none is there that is not written down.
                    await topology.declare(channel, queue.names, connection.version, [])
                    if delays:
                        await queue.journal.write(delays)
                await topology.declare(channel, queue.names, connection.version, delays)
        except QueueAway:
            if loop.time() > give_up_at:
                raise
            await asyncio.sleep(_AGAIN_AFTER)
        else:
            return was_missing
