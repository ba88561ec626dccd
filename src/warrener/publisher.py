"""Publishing tasks with confirms, from any iterable, without ever holding it whole."""

from __future__ import annotations

import asyncio
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Self

from warrener.address import DEFAULT_QUEUE, EMBEDDED, Address
from warrener.bridge import Bridge, chunks
from warrener.brokers import Message, connect
from warrener.codec import encode_task
from warrener.errors import AccessRefused
from warrener.retry import RetryPolicy, delay_schedule

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Callable, Iterable, Sequence

    from warrener.brokers import Broker, PublishSession
    from warrener.models import Task


# What is on its way when publishing is cancelled gets so long to be confirmed, in seconds.
_LAST_WORDS: Final = 3.0


class Publisher:
    """Publishes to one queue; use it with `async with`. The queue is created if it is missing.

    Args:
        broker: As `warrener.address.Address` takes it.
        queue: The queue's name.
        delays: The delays that the queue must have, in milliseconds; by default those of the default retry policy.

    Raises:
        BrokerError: From every method, when the broker cannot do it.
    """

    def __init__(
        self, broker: str = EMBEDDED, queue: str = DEFAULT_QUEUE, *, delays: Sequence[int] = ()
    ) -> None:
        self._broker = connect(Address(broker, queue))
        self._delays = delays or delay_schedule([RetryPolicy()])

    async def __aenter__(self) -> Self:
        await self._broker.__aenter__()
        await ensure(self._broker, self._delays)
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._broker.__aexit__(*exc)

    async def publish(self, tasks: Iterable[Task] | AsyncIterable[Task] | Bridge[Task]) -> int:
        """Publish all of them and wait until the last one is confirmed; how many that were.

        Raises:
            InvalidTask: One is not valid; those before it are published.
        """
        return await publish_all(self._broker.publish_session(), tasks)


def publish(tasks: Iterable[Task], *, broker: str = EMBEDDED, queue: str = DEFAULT_QUEUE) -> int:
    """Publish tasks from a script and return when every one is confirmed; how many that were.

    The iterable may take its time: what it has given is published meanwhile.

    Raises:
        InvalidTask: One is not valid; those before it are published.
        BrokerError: The broker cannot take them.
    """
    bridge = Bridge(tasks)

    async def run() -> int:
        async with Publisher(broker, queue) as publisher:
            return await publisher.publish(bridge)

    with ThreadPoolExecutor(1) as thread:
        published = thread.submit(asyncio.run, run())
        published.add_done_callback(lambda _: bridge.close())
        bridge.read()  # here, because what is iterated over may belong to this thread
        return published.result()


class Position:
    """Which line of a file everything is confirmed up to, so that an interrupted publish can go on.

    It remembers only the lines that are not confirmed yet.
    """

    def __init__(self, start_line: int = 1) -> None:
        self._next = start_line
        self._unconfirmed: deque[int] = deque()
        self._confirmed = 0

    def note(self, number: int) -> None:
        """The task on this line is being published."""
        self._next = number + 1
        self._unconfirmed.append(number)

    def confirm(self, confirmed: int) -> None:
        """So many tasks are confirmed."""
        for _ in range(confirmed - self._confirmed):
            self._unconfirmed.popleft()
        self._confirmed = confirmed

    @property
    def resume_line(self) -> int:
        """The line to go on from."""
        return self._unconfirmed[0] if self._unconfirmed else self._next


async def ensure(broker: Broker, delays: Sequence[int]) -> None:
    """Create what is missing of the queue; a producer who may not do that is content with a queue that is there.

    Raises:
        QueueMissing: It is not there, and may not be created.
    """
    try:
        await broker.declare(delays)
    except AccessRefused:
        await broker.delays([])


async def publish_all(
    session: PublishSession,
    tasks: Iterable[Task] | AsyncIterable[Task] | Bridge[Task],
    on_progress: Callable[[int], None] = lambda _: None,
) -> int:
    """Publish to an open broker, and wait until the last one is confirmed; how many that were.

    Args:
        session: Where to.
        tasks: What.
        on_progress: Told now and then how many are published.

    Raises:
        InvalidTask: One is not valid; those before it are published.
    """
    count = 0
    flush_for = None
    try:
        async for chunk in chunks(tasks):
            messages: list[Message] = []
            try:  # what comes before an invalid task is in the list already when that raises
                messages.extend(Message(encode_task(task), task.id, task.priority) for task in chunk)
            finally:
                await session.publish(messages)
                count += len(messages)
                on_progress(count)
    except asyncio.CancelledError:
        flush_for = _LAST_WORDS
        raise
    finally:
        with suppress(TimeoutError):
            async with asyncio.timeout(flush_for):
                await session.flush()
    on_progress(count)
    return count
