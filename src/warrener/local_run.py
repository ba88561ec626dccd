"""A batch and a worker for it, here: publish, work, watch and collect as one."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from warrener.batch import Batch, start_over
from warrener.brokers import Delayed, Failed, connect
from warrener.errors import BrokerUnreachable
from warrener.exit_codes import Exit
from warrener.failure_limit import FailureAlarm
from warrener.retry import delay_schedule
from warrener.window import DEFAULT_WINDOW
from warrener.worker import describe
from warrener.worker.fork_server import ForkServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from warrener.address import Address
    from warrener.batch_rows import Sink
    from warrener.brokers import Broker, Delivery, Outcome
    from warrener.failure_limit import FailureLimit
    from warrener.history import Took
    from warrener.journal import Begun
    from warrener.monitor import Status
    from warrener.orders import Hold
    from warrener.rows import Summary
    from warrener.sources import Line
    from warrener.worker.manifest import AppManifest, ChildSettings
    from warrener.worker.supervisor import Supervisor

LOOK_EVERY: Final = 0.5


class Plan(NamedTuple):
    """What is to be run, and how.

    Args:
        address: The queue.
        begun: Who runs what.
        settings: What the children run.
        processes: How many children.
        is_shared: Whether the queue may be another batch's.
        is_fresh: Whether to drop all that is on the queue first, once it is known that the app can be used.
        window: How many tasks may wait on the broker.
        limit: Once more of its tasks fail, the queue is paused, and this run ends.
        keeps_output: See `Supervisor`.
    """

    address: Address
    begun: Begun
    settings: ChildSettings
    processes: int
    is_shared: bool = False
    is_fresh: bool = False
    window: int = DEFAULT_WINDOW
    limit: FailureLimit | None = None
    keeps_output: bool = False


class Ended(msgspec.Struct):
    """How a run ended.

    Args:
        exit: The worker's end.
        summary: What was collected; None when the run was stopped before.
        were_done: Tasks whose result or failure was on the queue before.
        is_app_changed: Whether they are of another version of the app.
        foreign_rows: Rows on the queue that are of none of the source's tasks as they are worded now.
        stale_failures: Failures on it that are of none of them.
        hold: By what the queue was held at the end, if it was.
        exceeded: What of its limit was exceeded, in words; the queue is paused then.
        took: How long its tasks took.
    """

    exit: Exit
    summary: Summary | None = None
    were_done: int = 0
    is_app_changed: bool = False
    foreign_rows: int = 0
    stale_failures: int = 0
    hold: Hold | None = None
    exceeded: str = ""
    took: Took | None = None


class Run:
    """One run of a source of tasks to its results.

    Args:
        plan: What is run, and how.
        on_status: Shown each look at the batch, with what holds up the publisher, if anything.
        on_begun: Given the batch once the app is imported and the queue is its own.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        on_status: Callable[[Status, str | None], None] = lambda *_: None,
        on_begun: Callable[[Batch], None] = lambda _: None,
    ) -> None:
        self._plan = plan
        self._on_status = on_status
        self._on_begun = on_begun
        self._hold: Hold | None = None
        self._batch: Batch | None = None
        self._supervisor: Supervisor | None = None
        self._working: Broker | None = None  # of its worker
        self._alarm = FailureAlarm(plan.limit) if plan.limit else None
        self._is_alarmed = asyncio.Event()
        self._until_stopped: asyncio.Task[object] | None = None  # what a stop ends at once
        self._stopped: Exit | None = None

    def stop(self, code: Exit) -> None:
        """Stop cleanly, also before it has begun; a second call stops at once."""
        self._stopped = self._stopped or code
        if self._until_stopped:
            self._until_stopped.cancel()
        if self._supervisor:
            self._supervisor.stop(code)

    async def run(self, tasks: Callable[[AppManifest], Iterator[Line]], sink: Sink) -> Ended:
        """Do all of it.

        Args:
            tasks: Called once the app is imported, with what is in it; the tasks, from the source's first line on.
            sink: Where results go.

        Raises:
            AppError: The app cannot be used; nothing was published then.
            UsageError: The queue is another batch's, or is to be dropped while somebody works on it.
            InvalidTask: A line is no valid task; those before it are published.
            BrokerError: The broker is lost for good.
        """
        plan = self._plan
        if plan.is_fresh and not await self._has_started_over():
            return Ended(self._stopped or Exit.STOPPED)
        fork_server = ForkServer()
        await fork_server.warm_up()  # while we import what is needed, and connect
        try:
            return await self._with(fork_server, tasks, sink)
        finally:
            await fork_server.end()

    async def _with(
        self, fork_server: ForkServer, tasks: Callable[[AppManifest], Iterator[Line]], sink: Sink
    ) -> Ended:
        from warrener.worker.supervisor import Supervisor

        plan = self._plan
        async with connect(plan.address) as working, connect(plan.address) as other:
            supervisor = Supervisor(
                working,
                plan.settings,
                processes=plan.processes,
                drain=True,
                keeps_output=plan.keeps_output,
                is_complete=self._is_complete,
                may_leave=self._may_leave,
                fork_server=fork_server,
                on_settled=self._on_settled if self._alarm else None,
            )
            self._supervisor, self._working = supervisor, working
            if self._stopped is not None:  # while it connected
                supervisor.stop(self._stopped)
            try:
                manifest = await supervisor.start()
                if self._stopped is not None:
                    return Ended(self._stopped)
                lines = tasks(manifest)
                await other.declare(delay_schedule(manifest.policies))
                async with Batch(
                    other,
                    plan.begun,
                    sink,
                    is_shared=plan.is_shared,
                    window=plan.window,
                    limit=plan.limit,
                ) as batch:
                    self._batch = batch
                    self._on_begun(batch)
                    return await self._run(batch, lines, supervisor)
            finally:
                await supervisor.close()

    async def _has_started_over(self) -> bool:
        """Drop the queue, after a look at the app: one that does not import must not cost the rows that are there."""
        looking = self._until_stopped = asyncio.create_task(describe(self._plan.settings))
        await asyncio.wait({looking})
        if self._stopped is not None:
            return False
        looking.result()
        async with connect(self._plan.address) as broker:
            await start_over(broker, self._plan.address)
        return True

    async def _run(self, batch: Batch, lines: Iterator[Line], supervisor: Supervisor) -> Ended:
        supervisor.expect_more(is_so=True)
        worked = asyncio.create_task(supervisor.run())
        watched = asyncio.create_task(self._watch(batch))
        batch.reading.add_done_callback(lambda _: self.stop(Exit.STOPPED))
        try:
            await self._publish(batch, lines, supervisor, worked)
            code = await worked
            if batch.reading.done():
                batch.reading.result()
        except BaseException:
            supervisor.stop()
            await asyncio.gather(worked, return_exceptions=True)
            raise
        finally:
            watched.cancel()
            await asyncio.gather(watched, return_exceptions=True)
        summary = None
        if code is Exit.DRAINED:
            summary = await batch.collect()
            await self._show(batch)
        publication = batch.publication
        return Ended(
            code,
            summary,
            publication.were_done,
            publication.is_app_changed,
            batch.foreign_rows,
            publication.stale_failures,
            self._hold,
            batch.exceeded,
            batch.took,
        )

    async def _publish(
        self, batch: Batch, lines: Iterator[Line], supervisor: Supervisor, worked: asyncio.Task[Exit]
    ) -> None:
        """Publish for as long as the worker works: without one it would only fill the queue."""
        publishing = self._until_stopped = asyncio.create_task(batch.publish(lines))
        try:
            if not supervisor.is_stopping:
                await asyncio.wait({publishing, worked}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            publishing.cancel()  # which changes nothing where it has ended
            await asyncio.wait({publishing})
            supervisor.expect_more(is_so=False)
        has_failed = not publishing.cancelled() and publishing.exception() is not None
        if has_failed and not (worked.done() and worked.exception()):  # the worker's own end says more
            publishing.result()

    def _is_complete(self) -> bool:
        return self._batch is not None and self._batch.is_complete

    async def _may_leave(self) -> bool:
        """Whether the worker can be done without: not while another one has a task, which may come back."""
        with suppress(BrokerUnreachable):  # nobody knows at the moment
            return self._batch is None or await self._batch.is_with_nobody()
        return False

    def _on_settled(self, _: Delivery, outcome: Outcome) -> None:
        """Let nothing begin while it is found out whether too many have failed."""
        if self._alarm is None or self._supervisor is None or isinstance(outcome, Delayed):
            return
        if self._alarm.add(has_failed=isinstance(outcome, Failed)):
            self._supervisor.obedience.wait(is_so=True)
            self._is_alarmed.set()

    async def _watch(self, batch: Batch) -> None:
        try:
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_EVERY):
                        await self._is_alarmed.wait()
                await self._show(batch)
        finally:
            self._alarm = None  # nobody would find out
            self._go_on(batch)

    async def _show(self, batch: Batch) -> None:
        counted = None
        with suppress(BrokerUnreachable):  # the next look may have it again
            if self._alarm and self._working and self._is_alarmed.is_set():
                await self._working.settled()
                counted = self._alarm.counted
            status = await batch.look()
            self._hold = status.hold
            self._on_status(status, batch.blocked_reason)
            if batch.exceeded and self._stopped is None:
                self.stop(Exit.FAILED)
            if self._alarm and counted:
                self._alarm.correct(counted, batch.ended_since)
                self._go_on(batch)

    def _go_on(self, batch: Batch) -> None:
        """Let tasks begin again, where not too many have failed."""
        self._is_alarmed.clear()
        if self._supervisor and not batch.exceeded:
            self._supervisor.obedience.wait(is_so=False)
