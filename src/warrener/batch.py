"""One batch from its source to its results, whoever works on it: `run`, `map` and `k8s submit` share this."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from warrener.batch_rows import BatchRows
from warrener.codec import decode_failure
from warrener.completion import Completion
from warrener.errors import AccessRefused, QueueMissing, UsageError
from warrener.id_set import IdSet
from warrener.monitor import Monitor, Status
from warrener.orders import Following, Orders, Paused, current, give
from warrener.publication import Publication
from warrener.published import HAS_ROW, OF_SOURCE, mark_of_task
from warrener.window import DEFAULT_WINDOW

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from warrener.address import Address
    from warrener.batch_rows import Sink
    from warrener.brokers import Broker
    from warrener.failure_limit import FailureLimit
    from warrener.history import Took
    from warrener.journal import Begun
    from warrener.models import Failure
    from warrener.rows import Summary
    from warrener.sources import Line


class Batch:
    """One batch on an open broker: `async with`, then `publish`, and `collect` once it is over.

    Rows are read and written while it runs. They are those of the source's tasks as they are worded now, and no others.
    Once the queue is cancelled, nothing more is published; the source is read to its end all the same.

    Args:
        broker: Open; its queue is there.
        begun: Who publishes what.
        sink: Where rows go; None for nowhere.
        is_shared: Whether the queue may be another batch's.
        window: How many tasks may wait on the broker.
        limit: Once more of its tasks fail, the queue is paused.
        before_first: Awaited before the first task that is not on the queue yet is published; what it raises ends that.
    """

    def __init__(
        self,
        broker: Broker,
        begun: Begun,
        sink: Sink | None = None,
        *,
        is_shared: bool = False,
        window: int = DEFAULT_WINDOW,
        limit: FailureLimit | None = None,
        before_first: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.publication = Publication(begun, is_shared=is_shared, window=window, runs=True)
        self.publication.window.before_first = before_first
        self.exceeded = ""
        """What of its limit was exceeded, in words; its queue is paused then."""
        self._limit = limit
        self.ended_since = 0, 0
        """How many of its tasks failed since this began, at most, and how many ended, as the last look counts them for its limit."""
        # How many failures the broker counted, and how many of them were its own and new.
        self._failed_seen = 0, 0
        self._is_published = False
        self._ends_seen = (-1, -1)  # how many completed and how many the broker counted as failed, and then
        self._own_failed = 0
        self._broker = broker
        self._rows = BatchRows(self.publication, sink)
        self._monitor = Monitor(broker, 0)
        self._completion = Completion(broker)
        self._reading: asyncio.Task[None] | None = None
        self._rows_before = 0
        self._following = Following(self._on_order)
        self._hearing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Claim the queue, and begin to read. A batch that was cancelled goes on where it was.

        Raises:
            UsageError: The queue is another batch's.
            BrokerError: The broker is lost, or refuses something.
        """
        try:
            await self.publication.begin(self._broker)
            before = self.publication.counts_before or await self._broker.counts()
            self._rows_before = before.completed
        except BaseException:
            self._rows.close()
            await self.publication.leave(self._broker)
            raise
        self._reading = asyncio.create_task(self._rows.read(self._broker))
        self._monitor.orders = self._following
        self._hearing = asyncio.create_task(self._following.follow(self._broker))
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in (self._reading, self._hearing):
            if task:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        self._rows.close()
        await self.publication.leave(self._broker)

    async def publish(
        self, lines: Iterator[Line], on_progress: Callable[[int], None] = lambda _: None
    ) -> None:
        """Publish what is not on the queue yet, and wait until the last task is confirmed. Call it once.

        Args:
            lines: The tasks, from the source's first line on.
            on_progress: Told now and then how many are published.

        Raises:
            InvalidTask: A line is no valid task; those before it are published.
            BrokerError: The broker is lost, or refuses something.
        """
        await self._have_rows(self._rows_before)
        await self.publication.publish(self._broker, lines, on_progress)
        has, failed = self.publication.has, self.publication.failed_before
        others = await self._rows.end_source() | failed.others(has)
        own = [*await self._rows.own_among(others), *failed.among(others, has)]
        await self.publication.finish(self._broker, self._rows.count - self._rows.summary.completed, own)
        self._is_published = True

    @property
    def reading(self) -> asyncio.Task[None]:
        """Goes on until the block is left; where it ends before, nobody writes the rows that are still to come."""
        assert self._reading  # noqa: S101 - it is entered
        return self._reading

    async def is_over(self) -> bool:
        """Whether each task of the source has a row or a failure: by its rows as they come, not by what the broker counts.

        Raises:
            BrokerError: The broker is lost.
        """
        if not (self._is_published and self._monitor.last):
            return False
        ends = self._rows.summary.completed, self._monitor.last.counts.failed
        left = self.publication.total - ends[0]
        if 0 < left <= ends[1] and self._ends_seen != ends:
            self._ends_seen, self._own_failed = ends, 0
            async for _ in self.failures(self._broker):
                self._own_failed += 1
        # A row that came meanwhile may be of one that was counted as failed.
        is_same = (self._rows.summary.completed, self._ends_seen) == (ends[0], ends)
        return left <= 0 or (is_same and self._own_failed >= left)

    async def look(self) -> Status:
        """How far this batch is.

        Raises:
            BrokerUnreachable: Nobody knows at the moment.
        """
        self._monitor.total = self.publication.total
        self._monitor.stale_rows = self._rows.count - self._rows.summary.completed
        self._monitor.stale_failures = self.publication.stale_failures
        status = await self._monitor.look()
        if self._limit and not (self.exceeded or status.is_finished):
            await self._mind(self._limit, status)
        return status

    async def _mind(self, limit: FailureLimit, status: Status) -> None:
        """Pause the queue where too many have failed since this began."""
        failed = status.counts.failed  # those from before, and others', too
        if limit.is_exceeded(failed, failed + self._new_rows):
            if self._failed_seen[0] != failed:
                self._failed_seen = failed, await self._count_new_failures()
            failed = self._failed_seen[1]
            if limit.is_percent:  # of all that have ended, and not of those whose rows were read so far
                await self._have_rows(status.counts.completed + self._monitor.stale_rows)
        self.ended_since = failed, failed + self._new_rows
        if limit.is_exceeded(*self.ended_since):
            self.exceeded = limit.told(*self.ended_since)
            by = self.publication.begun.by
            await give(self._broker, Paused(by, time.time(), self.exceeded))

    @property
    def _new_rows(self) -> int:
        return self._rows.count - self._rows_before

    async def _count_new_failures(self) -> int:
        failed = 0
        async for found in self.failures(self._broker):
            had = self.publication.had_failed(found.task_id, found.wording)
            failed += found.reason != "cancelled" and not had
        return failed

    async def is_with_nobody(self) -> bool:
        """Whether none of its tasks is left to do, or none is with any worker, where the one that asks has none.

        What others have ends with rows that are this batch's. Where the broker does not tell what is processed it is taken for so.

        Raises:
            BrokerError: The broker is lost.
        """
        if await self.is_over():
            return True
        counts = await self._broker.counts()
        is_alone = (counts.workers or 0) <= 1
        return is_alone or counts.processing is None or await self._completion.is_proven_by(counts)

    @property
    def foreign_rows(self) -> int:
        """How many rows on the queue, as far as it was read, are of other batches or of earlier wordings."""
        summary = self._rows.summary
        return self._rows.count - summary.completed - summary.duplicates - summary.strange

    @property
    def took(self) -> Took:
        """How long its tasks took, as far as their rows were read."""
        return self._rows.took

    @property
    def blocked_reason(self) -> str | None:
        """Why the broker takes no tasks at the moment, or None."""
        return self.publication.blocked_reason or self._broker.blocked_reason

    @property
    def is_complete(self) -> bool:
        """Whether each task of the source has a row or a failure, as far as the last look tells."""
        status = self._monitor.last
        return self.publication.is_read and status is not None and status.done >= self.publication.total

    async def collect(self) -> Summary:
        """Write what is not written yet, once nothing is left to do, and count what failed and what is missing.

        Raises:
            BrokerError: The broker is lost.
        """
        await self._have_rows((await self._broker.counts()).completed)
        summary = self._rows.summary
        async for found in self.failures(self._broker):
            summary.failed += 1
            summary.by_reason[found.reason] = summary.by_reason.get(found.reason, 0) + 1
            summary.retries += max(0, found.attempts - 1)
        left = max(0, self.publication.total - summary.completed - summary.failed)
        if (await self._orders()).cancelled:
            aside = (await self._broker.counts()).put_aside + self.publication.skipped
            summary.cancelled = min(left, aside)
        summary.missing = left - summary.cancelled
        return summary

    async def failures(self, broker: Broker) -> AsyncIterator[Failure]:
        """Its tasks that failed so far, the oldest first; also once the block is left, on a broker that is open then.

        Raises:
            BrokerError: The broker is lost.
        """
        seen = IdSet()
        async for task in broker.failures():
            found = decode_failure(task.body, task.id, task.record)
            # A result outranks a failure of the same task, whichever came first.
            mark = mark_of_task(found.task_id, found.wording)
            is_without_row = self.publication.marks.flags(mark) & (OF_SOURCE | HAS_ROW) == OF_SOURCE
            if is_without_row and seen.add_mark(mark):
                yield found

    async def _orders(self) -> Orders:
        """What is ordered at this moment; a follower may hear it a little later than workers did."""
        try:
            return await current(self._broker)
        except AccessRefused:
            return Orders()

    def _on_order(self) -> None:
        if self._following.orders.cancelled:
            self.publication.stop()

    async def _have_rows(self, count: int) -> None:
        """Wait until so many rows were read; raises what ended the reading."""
        waiting = asyncio.ensure_future(self._rows.have(count))
        try:
            await asyncio.wait(
                {waiting, self._reading} if self._reading else {waiting}, return_when=asyncio.FIRST_COMPLETED
            )
            if self._reading and self._reading.done():
                self._reading.result()
        finally:
            waiting.cancel()


async def start_over(broker: Broker, address: Address) -> None:
    """Remove the queue with all that is on it; whoever begins a batch makes it anew.

    Raises:
        UsageError: Somebody works on it.
    """
    with suppress(QueueMissing):
        if workers := (await broker.counts()).workers:
            are = "worker is" if workers == 1 else "workers are"
            raise UsageError(f"{workers} {are} at work on {address.queue!r}: stop them before you start over")
    await broker.delete()
