"""Publishing tasks with confirms, from any iterable, without ever holding it whole."""

from __future__ import annotations

import asyncio
import sys
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, Final, Self, TypeVar

from warrener.address import Address
from warrener.bridge import Bridge, chunks
from warrener.brokers import Message, connect
from warrener.codec import encode_task
from warrener.errors import AccessRefused
from warrener.importing import refuse_while_importing
from warrener.loop_thread import LoopThread, wait_for
from warrener.retry import RetryPolicy, delay_schedule

T = TypeVar("T")

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Callable, Iterable, Sequence

    from warrener.brokers import Broker, PublishSession
    from warrener.models import Task


# What is on its way when publishing is cancelled gets so long to be confirmed.
_CONFIRM_AFTER_CANCEL_SECONDS: Final = 3.0
_LOOK_FOR_ROOM_SECONDS: Final = 0.5


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
        refuse_while_importing("Publisher")
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
        return await publish_all(self._broker.publish_session(), tasks, list)


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
    refuse_while_importing("warrener.publish")
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


async def ensure(broker: Broker, delays: Sequence[int]) -> None:
    """Create what is missing of the queue; a producer who may not do that is content with a queue that is there.

    Raises:
        QueueMissing: It is not there, and may not be created.
    """
    try:
        await broker.declare(delays)
    except AccessRefused:
        await broker.delays([])


class Window:
    """How many tasks may wait on a broker at a time.

    Args:
        broker: Where they wait.
        most: How many.
    """

    def __init__(self, broker: Broker, most: int) -> None:
        self._broker = broker
        self._most = most
        self._room = 0

    async def has_room(self, count: int) -> None:
        """Wait until there is room, and take so much of it; one chunk may go beyond what there is.

        Raises:
            BrokerError: The broker cannot be asked.
        """
        while self._room <= 0:
            try:
                counts = await self._broker.counts()
            except AccessRefused:  # a user who may publish, and not look
                self._room = sys.maxsize
                break
            # Rounded up, and a half: what was published just now may not be counted yet.
            self._room = (self._most - counts.waiting + 1) // 2
            if self._room <= 0:
                await asyncio.sleep(_LOOK_FOR_ROOM_SECONDS)
        self._room -= count


async def publish_all(
    session: PublishSession,
    items: Iterable[T] | AsyncIterable[T] | Bridge[T],
    choose: Callable[[list[T]], Sequence[Task]],
    *,
    on_progress: Callable[[int], None] = lambda _: None,
    window: Window | None = None,
) -> int:
    """Publish to an open broker, and wait until the last one is confirmed; how many that were.

    Args:
        session: Where to.
        items: What holds the tasks.
        choose: Called with each chunk of items, in the event loop; it returns the tasks in them that are to be published.
        on_progress: Told now and then how many are published.
        window: Has each chunk wait until there is room.

    Raises:
        InvalidTask: One is not valid; those before it are published.
    """
    count = 0
    flush_for = None
    try:
        async for chunk in chunks(items):
            messages: list[Message] = []
            try:  # what comes before an invalid task is in the list already when that raises
                messages.extend(Message(encode_task(task), task.id, task.priority) for task in choose(chunk))
            finally:
                if window:
                    await window.has_room(len(messages))
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
