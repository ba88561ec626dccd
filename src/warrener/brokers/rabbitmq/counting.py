"""How many tasks are where, and whether none is left."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from warrener.brokers.protocol import Counts, Depths
from warrener.brokers.rabbitmq.admin import DEFAULT_DELAYS
from warrener.brokers.rabbitmq.row_count import count_rows
from warrener.errors import AccessRefused, BrokerError, BrokerUnreachable, QueueMissing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from warrener.brokers.rabbitmq.management import QueueInfo
    from warrener.brokers.rabbitmq.queue import Queue
    from warrener.brokers.rabbitmq.rows import Offsets

# What was on its way out of a delay when RabbitMQ was killed is sent again after three minutes
# (dead_letter_worker_publisher_confirm_timeout); in seconds, with some to spare.
_HIDDEN_FOR: Final = 190.0
# Seconds between two questions to the management API, whose numbers are as old anyway.
_ASK_AGAIN_AFTER: Final = 1.0


async def counts(queue: Queue, offsets: Offsets) -> Counts:
    """How many tasks are in each state, now.

    Args:
        queue: Whose.
        offsets: Of its rows, as far as they were read.
    """
    names = queue.names
    connection = await queue.connections.connection()
    async with await connection.channel() as channel:
        work = await channel.call("queue_declare", names.queue, passive=True)
        failed = await channel.call("queue_declare", names.failed, passive=True)
    completed = await count_rows(connection, names, offsets, is_busy=work.message_count > 0)
    try:
        told = await queue.management.queues()
    except BrokerError as error:
        return Counts(
            ready=work.message_count,
            processing=None,
            delayed=sum((await queue.ready(map(names.delay, await _known_delays(queue)))).values()),
            completed=completed,
            failed=failed.message_count,
            workers=work.consumer_count,
            notes=(f"tasks in processing cannot be counted: {error}",),
        )
    of_work = told.get(names.queue)
    processing, hidden = of_work.held if of_work else (None, None)
    failed_held, _ = told[names.failed].held if names.failed in told else (None, None)
    note = (
        f"tasks in processing cannot be counted: the management API at {queue.management.url} tells no count of queue "
        f"{names.queue!r} yet; if that stays so, see `warrener doctor`"
    )
    return Counts(
        ready=work.message_count,
        processing=processing,
        delayed=await _delayed(queue, told) + (hidden or 0),
        completed=completed,
        # What somebody is looking at just now is not ready, but still there.
        failed=failed.message_count + (failed_held or 0 if failed.consumer_count else 0),
        workers=work.consumer_count,
        notes=() if processing is not None else (note,),
    )


async def ready_by_priority(queue: Queue) -> Mapping[int, int] | None:
    """How many tasks of each priority are ready, which the management API alone tells, of RabbitMQ 4.3 and later.

    Those that came back from a worker are not among them (source: rabbit_fifo's overview).
    """
    connection = await queue.connections.connection()
    async with await connection.channel() as channel:
        if not (await channel.call("queue_declare", queue.names.queue, passive=True)).message_count:
            return {}
    try:
        return (await queue.management.queue(queue.names.queue)).ready_by_priority
    except BrokerError:  # `counts` says that it is not there, or refuses this user
        return None


async def depths(queue: Queue, own_delays: Iterable[int], *, with_failed: bool) -> Depths:
    """How many tasks lie where, asked over AMQP alone."""
    names = queue.names
    delays = {names.delay(delay) for delay in {*own_delays, *await _known_delays(queue)}}
    ready = await queue.ready([names.queue, *([names.failed] if with_failed else []), *delays])
    if names.queue not in ready:
        raise QueueMissing(f"queue {names.queue!r} does not exist on {queue.shown}")
    return Depths(ready[names.queue], sum(ready.get(name, 0) for name in delays), ready.get(names.failed))


async def drained(queue: Queue, own_delays: Iterable[int]) -> bool:
    """Whether no task is ready or in any retry delay, as far as one look can tell."""
    names = queue.names
    # While connecting again nobody knows.
    with suppress(BrokerUnreachable):
        connection = await queue.connections.connection()
        async with await connection.channel() as channel:
            if (await channel.call("queue_declare", names.queue, passive=True)).message_count:
                return False
        known = {*DEFAULT_DELAYS, *own_delays, *await queue.journal.delays()}
        ready = await queue.ready(map(names.delay, known))
        if any(ready.values()):
            return False
        # A queue without a leader counts 0, too (seen for as long as its node was cut off).
        async with await connection.channel() as channel:
            for name in (names.queue, *ready):
                if not await channel.is_empty(name):
                    return False
        return await _has_nothing_hidden(queue)
    return False


async def _has_nothing_hidden(queue: Queue) -> bool:
    """Whether no task is where AMQP shows none: on its way from a delay to the work queue.

    A broker that is killed meanwhile leaves it there for three minutes after its start. Only the management API counts
    it; who may not ask that waits for so long after the broker was away.
    """
    hidden: list[int | None] = [None]
    with suppress(BrokerError):
        hidden = [delay.messages for delay in _delays_among(queue, await queue.management.queues())]
    if any(hidden):
        await asyncio.sleep(_ASK_AGAIN_AFTER)
        return False
    is_told = None not in hidden  # a queue that is new, or whose broker is, is not counted yet
    return is_told or asyncio.get_running_loop().time() > queue.connections.back_at + _HIDDEN_FOR


async def _delayed(queue: Queue, told: dict[str, QueueInfo]) -> int:
    """How many tasks wait in retry delays; of a queue whose count the management API leaves out AMQP is asked."""
    delays = _delays_among(queue, told)
    untold = [delay.name for delay in delays if delay.messages is None]
    ready = await queue.ready(untold) if untold else {}
    return sum(delay.messages or 0 for delay in delays) + sum(ready.values())


def _delays_among(queue: Queue, told: dict[str, QueueInfo]) -> list[QueueInfo]:
    return [info for name, info in told.items() if queue.names.delay_of(name) is not None]


async def _known_delays(queue: Queue) -> set[int]:
    """The delays that AMQP alone tells of; without the right to read the journal those that every queue has."""
    with suppress(AccessRefused, QueueMissing):
        return {*DEFAULT_DELAYS, *await queue.journal.delays()}
    return {*DEFAULT_DELAYS}
