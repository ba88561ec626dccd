"""Publishing tasks with confirms, from any iterable, without ever holding it whole."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, Final, Self

from warrener.address import Address
from warrener.bridge import Bridge, chunks
from warrener.brokers import Message, connect
from warrener.codec import encode_task
from warrener.errors import AccessRefused
from warrener.loop_thread import LoopThread, wait_for
from warrener.retry import RetryPolicy, delay_schedule

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Callable, Iterable, Sequence

    from warrener.brokers import Broker, PublishSession
    from warrener.models import Task


# What is on its way when publishing is cancelled gets so long to be confirmed.
_CONFIRM_AFTER_CANCEL_SECONDS: Final = 3.0


class Publisher:
    """Publishes to one queue; use it with `async with`. The queue is created if it is missing.

    Any number of its methods may run at a time.

    Args:
        broker: As `warrener.address.Address` takes it; by default what WARRENER_BROKER says, or else the embedded broker.
        queue: The queue's name; by default what WARRENER_QUEUE says, or else `work-queue`.
        delays: The delays that the queue must have, in milliseconds; by default those of the default retry policy.

    Raises:
        UsageError: The address is wrong.
        BrokerError: From every method, when the broker cannot do it. When entering the block raises or is cancelled,
            nothing is left open.
    """

    def __init__(
        self, broker: str | None = None, queue: str | None = None, *, delays: Sequence[int] = ()
    ) -> None:
        self._broker = connect(Address.here(broker, queue))
        self._delays = delays or delay_schedule([RetryPolicy()])
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._broker)
            await ensure(self._broker, self._delays)
            self._open = stack.pop_all()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._open.aclose()

    async def publish(self, tasks: Iterable[Task] | AsyncIterable[Task] | Bridge[Task]) -> int:
        """Publish all of them and wait until the last one is confirmed; how many that were.

        A call that is cancelled has published a beginning of them.

        Raises:
            InvalidTask: One is not valid; those before it are published.
            BrokerError: The broker cannot take them.
        """
        return await publish_all(self._broker.publish_session(), tasks)


def publish(tasks: Iterable[Task], *, broker: str | None = None, queue: str | None = None) -> int:
    """Publish tasks and return when every one is confirmed; how many that were.

    For scripts and notebooks; where an event loop runs, it is blocked meanwhile. The iterable may take its time: what it has
    given is published meanwhile.

    Args:
        tasks: What to publish.
        broker: As `Publisher` takes it.
        queue: As `Publisher` takes it.

    Raises:
        UsageError: The address is wrong.
        InvalidTask: One is not valid; those before it are published.
        BrokerError: The broker cannot take them.
    """
    publisher = Publisher(broker, queue)
    bridge = Bridge(tasks)

    async def run() -> int | BaseException:
        try:
            async with publisher:
                return await publisher.publish(bridge)
        except (
            KeyboardInterrupt,
            SystemExit,
        ) as stop:  # of the iterable: raised in a loop, they would end that
            return stop
        finally:
            bridge.close()

    with LoopThread() as loop:
        published = loop.start(run())
        bridge.read()  # here, because what is iterated over may belong to this thread
        count = wait_for(published)
    if isinstance(count, BaseException):
        raise count
    return count


class Position:
    """Which line of a file everything is confirmed up to, so that an interrupted publish can go on.

    It remembers only the lines that are not confirmed yet. One thread may note lines while another confirms and asks.
    """

    def __init__(self, start_line: int = 1) -> None:
        self._next = start_line
        self._unconfirmed: deque[int] = deque()
        self._confirmed = 0

    def note(self, number: int) -> None:
        """The task on this line is being published."""
        self._unconfirmed.append(number)  # first: between the two, this line is still the one to go on from
        self._next = number + 1

    def confirm(self, confirmed: int) -> None:
        """So many tasks are confirmed."""
        for _ in range(confirmed - self._confirmed):
            self._unconfirmed.popleft()
        self._confirmed = confirmed

    @property
    def resume_line(self) -> int:
        """The line to go on from."""
        following = self._next  # read first: the next line may be noted meanwhile, and is not confirmed then
        return self._unconfirmed[0] if self._unconfirmed else following


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
        flush_for = _CONFIRM_AFTER_CANCEL_SECONDS
        raise
    finally:
        with suppress(TimeoutError):
            async with asyncio.timeout(flush_for):
                await session.flush()
    on_progress(count)
    return count
