"""Publish, work, watch and collect as one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import msgspec

from warrener.bridge import Bridge
from warrener.brokers import connect
from warrener.codec import decode_failure
from warrener.collector import Summary, collect, distinct
from warrener.errors import BrokerUnreachable
from warrener.exit_codes import Exit
from warrener.id_set import IdSet
from warrener.monitor import Monitor, Status
from warrener.publisher import Position, publish_all
from warrener.retry import delay_schedule
from warrener.worker.supervisor import Supervisor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from warrener.address import Address
    from warrener.brokers import Broker
    from warrener.models import Task
    from warrener.sources import Line
    from warrener.worker.manifest import ChildSettings
    from warrener.writers import ResultWriter

LOOK_EVERY: Final = 0.5


class Ended(msgspec.Struct):
    """How a run ended.

    Args:
        exit: The worker's end.
        summary: What was collected; None when the run was stopped before.
        resume_line: The line of the file to publish from when it was stopped.
        were_done: Tasks whose result or failure was on the queue before.
    """

    exit: Exit
    summary: Summary | None
    resume_line: int
    were_done: int


class Publication:
    """The tasks of one file on their way to a queue: what the queue has from before is counted, the rest published.

    Args:
        start_line: Where in the file publishing begins; the lines before count as published.
    """

    def __init__(self, start_line: int = 1) -> None:
        self.total = 0
        """Tasks of the file that were read so far."""
        self.were_done = 0
        """Those of them whose result or failure was on the queue before."""
        self._start_line = start_line
        self._position = Position(start_line)

    @property
    def resume_line(self) -> int:
        """The line to publish from after an interruption: all before it are confirmed."""
        return self._position.resume_line

    async def publish(
        self, broker: Broker, lines: Iterator[Line], on_progress: Callable[[int], None] = lambda _: None
    ) -> None:
        """Publish, and wait until the last task is confirmed. Call it once; `resume_line` is right after a cancellation.

        Args:
            broker: Where to; its queue is there.
            lines: The tasks, from the file's first line on.
            on_progress: Told now and then how many are confirmed.

        Raises:
            InvalidTask: A line is no valid task; those before it are published.
            BrokerError: The broker is lost, or refuses something.
        """
        # In this order, since workers move tasks from one to the other meanwhile.
        waiting = await _waiting_ids(broker)
        done = await _ended_ids(broker)
        session = broker.publish_session()

        def confirm(_: int) -> None:
            self._position.confirm(session.confirmed)
            on_progress(session.confirmed)

        try:
            await publish_all(session, Bridge(self._fresh(lines, done, waiting)).start(), confirm)
        finally:
            self._position.confirm(session.confirmed)

    async def collect(self, broker: Broker, writer: ResultWriter) -> Summary:
        """Write the file's results and count its failures.

        Raises:
            BrokerError: The broker is lost.
        """
        return await collect(broker, writer, total=self.total)

    def _fresh(self, lines: Iterator[Line], done: IdSet, waiting: IdSet) -> Iterator[Task]:
        for number, task in lines:
            self.total += 1
            if task.id in done:
                self.were_done += 1
            elif number >= self._start_line and task.id not in waiting:
                self._position.note(number)
                yield task


class Batch:
    """One run of a file of tasks to a file of results.

    Args:
        address: The queue.
        settings: What the children run.
        processes: How many children.
        start_line: Where in the file publishing begins; the lines before count as published.
        on_status: Shown each look at the queue, with what holds up the publisher, if anything.
    """

    def __init__(
        self,
        address: Address,
        settings: ChildSettings,
        *,
        processes: int,
        start_line: int = 1,
        on_status: Callable[[Status, str | None], None] = lambda *_: None,
    ) -> None:
        self._address = address
        self._settings = settings
        self._processes = processes
        self._on_status = on_status
        self._publication = Publication(start_line)
        self._is_published = False
        self._status: Status | None = None
        self._supervisor: Supervisor | None = None
        self._publishing: asyncio.Task[None] | None = None

    def stop(self, code: Exit) -> None:
        """Stop cleanly; a second call stops at once."""
        if self._publishing:
            self._publishing.cancel()
        if self._supervisor:
            self._supervisor.stop(code)

    async def run(self, lines: Iterator[Line], writer: ResultWriter) -> Ended:
        """Do all of it.

        Args:
            lines: The tasks, from the file's first line on.
            writer: Where results go.

        Raises:
            AppError: The app cannot be used; nothing was published then.
            InvalidTask: A line is no valid task; those before it are published.
            BrokerError: The broker is lost for good.
        """
        async with connect(self._address) as working, connect(self._address) as other:
            supervisor = Supervisor(
                working, self._settings, processes=self._processes, drain=True, is_complete=self._is_complete
            )
            self._supervisor = supervisor
            manifest = await supervisor.start()
            await other.declare(delay_schedule(manifest.policies))
            supervisor.expect_more(is_so=True)
            worked = asyncio.create_task(supervisor.run())
            monitor = Monitor(other, 0)
            watched = asyncio.create_task(self._watch(monitor, other))
            try:
                await self._publish(other, lines, supervisor, worked)
                code = await worked
            except BaseException:
                supervisor.stop()
                await asyncio.gather(worked, return_exceptions=True)
                raise
            finally:
                watched.cancel()
                await asyncio.gather(watched, return_exceptions=True)
            summary = None
            if code is Exit.DRAINED:
                summary = await self._publication.collect(other, writer)
                await self._show(monitor, other)
            return Ended(code, summary, self._publication.resume_line, self._publication.were_done)

    async def _publish(
        self, broker: Broker, lines: Iterator[Line], supervisor: Supervisor, worked: asyncio.Task[Exit]
    ) -> None:
        """Publish for as long as the worker works: without one it would only fill the queue."""
        publishing = self._publishing = asyncio.create_task(self._publication.publish(broker, lines))
        try:
            if not supervisor.is_stopping:
                await asyncio.wait({publishing, worked}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            publishing.cancel()  # which changes nothing where it has ended
            await asyncio.wait({publishing})
            self._is_published = True
            supervisor.expect_more(is_so=False)
        has_failed = not publishing.cancelled() and publishing.exception() is not None
        if has_failed and not (worked.done() and worked.exception()):  # the worker's own end says more
            publishing.result()

    def _is_complete(self) -> bool:
        return (
            self._is_published and self._status is not None and self._status.done >= self._publication.total
        )

    async def _watch(self, monitor: Monitor, broker: Broker) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY)
            await self._show(monitor, broker)

    async def _show(self, monitor: Monitor, broker: Broker) -> None:
        monitor.total = self._publication.total
        try:
            self._status = await monitor.look()
        except BrokerUnreachable:
            return  # the next look may have it again
        self._on_status(self._status, broker.blocked_reason)


async def _ended_ids(broker: Broker) -> IdSet:
    """The ids of tasks that have a result or a failure already, so that a run that was stopped can go on."""
    done = IdSet()
    counts = await broker.counts()
    if counts.completed:
        async for _ in distinct(broker, done, Summary()):
            pass
    if counts.failed:
        async for task in broker.failures():
            done.add(decode_failure(task.body, task.id, task.record).task_id)
    return done


async def _waiting_ids(broker: Broker) -> IdSet:
    """The ids of tasks that would run twice if they were published again, where the broker can tell."""
    waiting = IdSet()
    async for task_id in broker.waiting_ids():
        waiting.add(task_id)
    return waiting
