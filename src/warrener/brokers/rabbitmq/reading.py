"""Reading results and failures without using them up."""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager, suppress
from datetime import UTC
from typing import TYPE_CHECKING, Final

from warrener.brokers.protocol import FailedTask
from warrener.brokers.rabbitmq.bell import Bell
from warrener.codec import decode_record
from warrener.errors import BrokerError
from warrener.models import DEFAULT_PRIORITY, Record

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from warrener.brokers.names import Names
    from warrener.brokers.rabbitmq.link import Lane, Link
    from warrener.brokers.rabbitmq.properties import Properties
    from warrener.brokers.rabbitmq.wire import Delivered

_PREFETCH: Final = 2000
# More than a chunk of a stream ever holds, so that a whole one is delivered at once.
_CHUNK: Final = 60_000
_EMPTY: Final = 0.5
_SOME_TIME: Final = 30.0
_LOOKS: Final = 2
_QUIET: Final = 0.03
# A chunk comes whole within a round trip or two. What comes later is new, and may never end.
_ROUNDS: Final = 3
_IDLE: Final = 0.5
_BUSY_FOR: Final = 60.0
# What is wanted and does not come for so long, in seconds, may be gone.
_LATE: Final = 2.0


async def stream_end(link: Link, stream: str) -> int:
    """How many messages a stream holds, now: the count that the broker tells is up to five seconds old (seen).

    A consumer that begins at the last chunk is sent that chunk at once. When nothing comes although the broker has
    had its time, the stream is empty.
    """
    lane = await link.lane()
    bell = Bell()
    end = 0

    def on_message(_: object, __: object, properties: Properties, ___: bytes) -> None:
        nonlocal end
        end = properties.header("x-stream-offset") + 1
        bell.ring()

    await lane.call("basic_qos", prefetch_count=_CHUNK)
    await lane.call("basic_consume", stream, on_message, arguments={"x-stream-offset": "last"})
    told: int = (await lane.call("queue_declare", stream, passive=True)).message_count
    with suppress(TimeoutError):
        async with asyncio.timeout(_SOME_TIME if told else _EMPTY):
            await bell.wait_for(lambda: end > 0)
    for _ in range(_ROUNDS if end else 0):
        found = end
        await asyncio.sleep(_QUIET)
        await lane.call("queue_declare", stream, passive=True)
        if found == end:
            break
    await lane.close()
    return max(end, told)


async def read_stream(
    link: Link, stream: str, first: int, *, follow: bool
) -> AsyncIterator[tuple[int, Sequence[bytes]]]:
    """The messages of a stream from an offset on, in batches, each with the offset after it; see `Broker.results`.

    Unless it follows, it reads to the end that the stream had a moment after it began: workers may add to it for days.
    """
    bell = Bell()
    rows: list[bytes] = []
    tag, seen, given = 0, first, first
    lost: BrokerError | None = None

    def on_message(_: object, method: Delivered, properties: Properties, body: bytes) -> None:
        nonlocal tag, seen
        rows.append(body)
        tag, seen = method.delivery_tag, properties.header("x-stream-offset") + 1
        bell.ring()

    def on_close(error: BrokerError) -> None:
        nonlocal lost
        lost = error
        bell.ring()

    def has_news() -> bool:
        if lost:
            raise lost
        return bool(rows)

    looks, end = 1, await stream_end(link, stream)
    if end < first:  # it was purged meanwhile, and begins anew
        first = seen = given = 0
    lane = await link.lane(on_close)
    await lane.call("basic_qos", prefetch_count=_PREFETCH)
    await lane.call("basic_consume", stream, on_message, arguments={"x-stream-offset": first})
    while follow or given < end or looks < _LOOKS:
        if not follow and given >= end:
            looks, end = looks + 1, await stream_end(link, stream)
            continue
        try:
            async with asyncio.timeout(_IDLE if follow else None):
                await bell.wait_for(has_news)
        except TimeoutError:
            yield seen, []
            continue
        batch, given = rows.copy(), seen
        rows.clear()
        yield given, batch
        # Only now: the broker sends no more than the prefetch ahead of us, which bounds our memory.
        lane.ack(tag, multiple=True)
    await lane.close()


class FailedReader:
    """The failed tasks, delivered but not acknowledged: whatever is not taken out goes back at the end."""

    def __init__(self, lane: Lane, queue: str, count: int) -> None:
        self.lane = lane
        self._queue = queue
        self._left = count
        self._arrived: asyncio.Queue[tuple[int, FailedTask] | BrokerError] = asyncio.Queue()

    async def open_page(self) -> None:
        """Have the next failures sent: a consumer that acknowledges nothing gets no more than its prefetch."""
        await self.lane.call("basic_qos", prefetch_count=_PREFETCH)
        await self.lane.call("basic_consume", self._queue, self._on_message)

    def on_close(self, error: BrokerError) -> None:
        """Nothing more will come."""
        self._arrived.put_nowait(error)

    async def tasks(self) -> AsyncIterator[tuple[int, FailedTask]]:
        """Each failed task with its delivery tag; the first page is open already."""
        while True:
            for _ in range(min(self._left, _PREFETCH)):
                arrived = await self._next()
                if isinstance(arrived, BrokerError):
                    raise arrived
                if arrived is None:
                    return
                yield arrived
            self._left -= _PREFETCH
            if self._left <= 0:
                return
            await self.open_page()

    async def _next(self) -> tuple[int, FailedTask] | BrokerError | None:
        """What arrives; None when what was to come is gone, as after a purge."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LATE):
                    return await self._arrived.get()
            if await self.lane.is_empty(self._queue) and self._arrived.empty():
                return None

    def _on_message(self, _: object, method: Delivered, properties: Properties, body: bytes) -> None:
        self._arrived.put_nowait((method.delivery_tag, _failed_task(properties, body)))


@asynccontextmanager
async def reading_failures(link: Link, names: Names) -> AsyncIterator[FailedReader]:
    """Hold all failed tasks for a while. Readers take turns, since what one holds another cannot see."""
    looks = await link.lane()
    deadline = asyncio.get_running_loop().time() + _BUSY_FOR
    while True:
        found = await looks.call("queue_declare", names.failed, passive=True)
        if found.consumer_count == 0:
            reader = FailedReader(await link.lane(), names.failed, found.message_count)
            await reader.open_page()
            found = await looks.call("queue_declare", names.failed, passive=True)
            if found.consumer_count == 1:
                break
            await reader.lane.close()  # two came at once: both step back, and one will be earlier next time
        if asyncio.get_running_loop().time() > deadline:
            raise BrokerError(
                f"somebody else has been reading {names.failed!r} for {_BUSY_FOR:.0f} s; end that reader and try again"
            )
        await asyncio.sleep(random.uniform(0.05, 0.5))  # noqa: S311 - a jitter, no secret
    reader.lane.watch(reader.on_close)
    try:
        yield reader
    finally:
        if reader.lane.is_open:
            reader.lane.channel.basic_nack(0, multiple=True, requeue=True)
            await reader.lane.close()
        await looks.close()


def _failed_task(properties: Properties, body: bytes) -> FailedTask:
    record = decode_record(properties.record)
    if record.reason is None:
        record = _given_up(record, properties)
    priority = DEFAULT_PRIORITY if properties.priority is None else properties.priority
    return FailedTask(body, properties.id, priority, record)


def _given_up(record: Record, properties: Properties) -> Record:
    """The record of a task that the broker itself dead-lettered, because it came back too often."""
    died_at = None
    with suppress(LookupError, TypeError, AttributeError):  # somebody else may have put it here
        died_at = properties.header("x-death")[0]["time"].replace(tzinfo=UTC).timestamp()
    return record.add_lost(properties.lost or 1).fail("crashed", died_at)
