"""Publishing tasks with confirms, from any iterable, without ever holding it whole."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, Final, Self, TypeVar

from msgspec.structs import replace

from warrener.address import Address
from warrener.bridge import Bridge, chunks
from warrener.brokers import Message, connect
from warrener.codec import encode_task
from warrener.errors import AccessRefused, NotConfirmed
from warrener.importing import refuse_while_importing
from warrener.loop_thread import LoopThread, wait_for
from warrener.models import Task
from warrener.retry import RetryPolicy, delay_schedule
from warrener.sources.ids import unique_id
from warrener.trace_context import current, sending

T = TypeVar("T")

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Iterator, Sequence

    from warrener.app import App
    from warrener.brokers import Broker, PublishSession


# What is on its way when publishing is cancelled gets so long to be confirmed.
_CONFIRM_AFTER_CANCEL_SECONDS: Final = 3.0


class Publisher:
    """Publishes to one queue, and stays open for as long as its block: `async with`, or `with` for a `BlockingPublisher`.

    The queue is created if it is missing; on RabbitMQ its first tasks go out a second later. Any number of its methods may
    run at a time.

    Args:
        broker: As `warrener.address.Address` takes it; by default what WARRENER_BROKER says, or else the embedded broker.
        queue: The queue's name; by default what WARRENER_QUEUE says, or else `work-queue`.
        app: Whose handlers the tasks are for: one that fits none of them is refused. By default nobody looks.
        delays: The delays that the queue must have, in milliseconds; by default those of the app's retries, or of the
            default retry policy.

    Raises:
        UsageError: The address is wrong.
        BrokerError: From every method, when the broker cannot do it. When entering the block raises or is cancelled,
            nothing is left open.
    """

    def __init__(
        self,
        broker: str | None = None,
        queue: str | None = None,
        *,
        app: App | None = None,
        delays: Sequence[int] = (),
    ) -> None:
        self._broker = connect(Address.here(broker, queue))
        self._app = app
        policies = [handler.policy for handler in app.handlers.values()] if app else []
        self._delays = delays or delay_schedule(policies or [RetryPolicy()])
        self._open = AsyncExitStack()
        self._blocking: BlockingPublisher | None = None

    async def __aenter__(self) -> Self:
        refuse_while_importing("Publisher")
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._broker)
            await ensure(self._broker, self._delays)
            self._open = stack.pop_all()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._open.aclose()

    def __enter__(self) -> BlockingPublisher:
        loop = LoopThread().__enter__()
        try:
            loop.run(self.__aenter__())
        except BaseException:
            loop.__exit__()
            raise
        self._blocking = BlockingPublisher(self, loop)
        return self._blocking

    def __exit__(self, *_: object) -> None:
        if self._blocking:
            try:
                self._blocking.loop.run(self.__aexit__())
            finally:
                self._blocking.loop.__exit__()

    async def publish(
        self,
        tasks: Task | Iterable[Task] | AsyncIterable[Task] | Bridge[Task],
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - what is on its way is told from what is not
    ) -> int:
        """Publish all of them and wait until the last one is confirmed; how many that were.

        A task without an id, as `resize.task(...)` makes it, gets one that no other has. A call that is cancelled has
        published a beginning of them.

        Args:
            tasks: One or any number.
            timeout: Seconds after which it waits no longer, with what is on its way left to the broker; None for no limit.

        Raises:
            NotConfirmed: Not all were confirmed in time.
            InvalidTask: One is not valid; those before it are published.
            BrokerError: The broker cannot take them.
        """
        session = self._broker.publish_session()
        items = [tasks] if isinstance(tasks, Task) else tasks
        try:
            async with asyncio.timeout(timeout) as limit:
                confirm_for = _CONFIRM_AFTER_CANCEL_SECONDS if timeout is None else 0
                with sending(self._broker.system, self._broker.queue):
                    return await publish_all(session, items, self._fit, confirm_for=confirm_for)
        except TimeoutError:
            if not limit.expired():
                raise  # of the iterable
            raise NotConfirmed(
                f"the broker has confirmed {session.confirmed:,} of the tasks within {timeout} s; others may arrive yet, and "
                "publishing them again under the same ids gives no second row",
                session.confirmed,
            ) from None

    def _fit(self, chunk: list[Task]) -> Iterator[Task]:
        for task in chunk:
            known = task if task.id else replace(task, id=unique_id())
            if self._app:
                self._app.check(known)
            yield known


class BlockingPublisher:
    """What `with` gives of a `Publisher`: for programs without an event loop, from any number of threads at a time."""

    def __init__(self, publisher: Publisher, loop: LoopThread) -> None:
        self.loop = loop
        self._publisher = publisher

    def publish(self, tasks: Task | Iterable[Task], *, timeout: float | None = None) -> int:
        """See `Publisher.publish`.

        The iterable is read in this thread, and may take its time: what it has given is published meanwhile. A time-out
        comes only when it gives something, or ends.
        """
        bridge = Bridge([tasks] if isinstance(tasks, Task) else tasks)

        async def run() -> int | BaseException:
            try:
                return await self._publisher.publish(bridge, timeout=timeout)
            except (
                KeyboardInterrupt,
                SystemExit,
            ) as stop:  # of the iterable: raised in a loop, they would end that
                return stop
            finally:
                bridge.close()

        published = self.loop.start(run())
        bridge.read()  # here, because what is iterated over may belong to this thread
        count = wait_for(published)
        if isinstance(count, BaseException):
            raise count
        return count


def publish(
    tasks: Task | Iterable[Task],
    *,
    broker: str | None = None,
    queue: str | None = None,
    app: App | None = None,
    timeout: float | None = None,
) -> int:
    """Publish tasks and return when every one is confirmed; how many that were.

    For scripts and notebooks; where an event loop runs, it is blocked meanwhile. Who publishes often keeps a `Publisher` open.

    Args:
        tasks: What to publish, as `BlockingPublisher.publish` takes it.
        broker: As `Publisher` takes it.
        queue: As `Publisher` takes it.
        app: As `Publisher` takes it.
        timeout: As `Publisher.publish` takes it; the time to connect is not in it.

    Raises:
        UsageError: The address is wrong.
        NotConfirmed: Not all were confirmed in time.
        InvalidTask: One is not valid; those before it are published.
        BrokerError: The broker cannot take them.
    """
    refuse_while_importing("warrener.publish")
    with Publisher(broker, queue, app=app) as publisher:
        return publisher.publish(tasks, timeout=timeout)


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
    items: Iterable[T] | AsyncIterable[T] | Bridge[T],
    choose: Callable[[list[T]], Iterable[Task]],
    *,
    confirm_for: float = _CONFIRM_AFTER_CANCEL_SECONDS,
    on_progress: Callable[[int], None] = lambda _: None,
    let_in: Callable[[int], Awaitable[int]] | None = None,
) -> int:
    """Publish to an open broker, and wait until the last one is confirmed; how many that were.

    Args:
        session: Where to.
        items: What holds the tasks.
        choose: Called with each chunk of items, in the event loop; it returns the tasks in them that are to be published.
        confirm_for: Seconds that what is on its way gets to be confirmed where this is cancelled.
        on_progress: Told now and then how many are published.
        let_in: Awaited with how many are to be published; it returns how many may be now.

    Raises:
        InvalidTask: One is not valid; those before it are published.
    """
    count = 0
    trace = current()
    flush_for: float | None = None
    try:
        async for chunk in chunks(items):
            messages: list[Message] = []
            try:  # what comes before an invalid task is in the list already when that raises
                messages.extend(
                    Message(encode_task(task), task.id, task.priority, trace=trace) for task in choose(chunk)
                )
            finally:
                while messages:
                    fits = await let_in(len(messages)) if let_in else len(messages)
                    await session.publish(messages[:fits])
                    messages = messages[fits:]
                    count += fits
                on_progress(count)
    except asyncio.CancelledError:
        flush_for = confirm_for
        raise
    finally:
        with suppress(TimeoutError):
            async with asyncio.timeout(flush_for):
                await session.flush()
    on_progress(count)
    return count
