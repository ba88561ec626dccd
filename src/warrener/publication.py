"""The tasks of one source on their way to a queue: none is published twice, whoever was interrupted before."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final

from warrener.bridge import Bridge
from warrener.brokers import Message, Verdict
from warrener.codec import decode_failure
from warrener.companion import while_running
from warrener.errors import AccessRefused, BrokerError, BrokerUnreachable
from warrener.failed_before import FailedBefore
from warrener.journal import Begun, JournalState, Left, Publishing, Read, note, read_journal
from warrener.marks import Marks
from warrener.ownership import check_owner, claim, differ, lift
from warrener.published import (
    HAS_ROW,
    OF_SOURCE,
    PUBLISHED,
    Unnoted,
    mark_of_task,
    note_dropped,
    note_published,
    read_published,
)
from warrener.publisher import publish_all
from warrener.turns import ALIVE_EVERY, wait_for_turn
from warrener.window import DEFAULT_WINDOW, Window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from warrener.brokers import Broker, Counts, FailedTask, PublishSession
    from warrener.models import Task
    from warrener.orders import Orders
    from warrener.sources import Line

NOTE_EVERY: Final = 1.0
"""Seconds. What was confirmed since the last note is published again after a crash."""
_NOTE_FOR: Final = 3.0  # seconds that the last note may take, when publishing ends early
_WAS_CANCELLED: Final = 8
"""A flag of a task's mark beside those of the journal: it had failed, since its type was cancelled."""
_ALL: Final = OF_SOURCE | HAS_ROW | _WAS_CANCELLED


class _SourceLeft(Exception):  # noqa: N818 - no error
    """The rest of the source is not to be read."""


class Publication:
    """The tasks of one source.

    Args:
        begun: Who publishes what; it is written into the queue's journal.
        is_shared: Whether the queue may be another batch's.
        window: How many tasks may wait on the broker; publishing goes on as they are done.
        runs: Whether it is a run, by which a batch that was cancelled goes on.
    """

    def __init__(
        self, begun: Begun, *, is_shared: bool = False, window: int = DEFAULT_WINDOW, runs: bool = False
    ) -> None:
        self._runs = runs
        self.begun = begun
        self.window = Window(window)
        """How many tasks may wait on the broker."""
        self.lifted: Orders | None = None
        """What kept the queue's tasks from running, where it was lifted."""
        self.skipped = 0
        """How many new tasks were read and not published, since the queue was cancelled meanwhile."""
        self.total = begun.planned or 0
        """How many tasks the source has: as planned until it was read to its end."""
        self.is_read = False
        """Whether the source was read to its end."""
        self.were_done = 0
        """Tasks of it that had a row or a failure before."""
        self.is_app_changed = False
        """Whether the queue's last batch began with another version of the app."""
        self.marks = Marks()
        """What is known of its tasks, and of others on the queue."""
        self.failed_before = FailedBefore()
        """What of the queue had failed before."""
        self.counts_before: Counts | None = None
        """How many tasks were where as it began; None for who may not know."""
        self.stale_failures = 0
        """How many failures on the queue are none of its tasks', once its source was read."""
        self.blocked_reason: str | None = None
        """What it waits for before it publishes anything."""
        self._is_shared = is_shared
        self._count = self._own_failed = 0
        self._journal = JournalState()
        self._replays = False  # whether tasks that were cancelled by their type are to be published again
        self._is_stopped = self._has_published = False
        self._superseded: dict[str, str] = {}  # new wording by id, of those among them that are worded anew
        self._unnoted = Unnoted(begun.run)
        self._next_line = 1
        self._dropped: list[bytes] = []  # marks of the failures that were superseded
        self._session: PublishSession | None = None
        self._is_waited_for = False  # by later runs of the source, as far as the journal tells them

    @property
    def namespace(self) -> str:
        """What tells the ids of this source from those of others that say the same: nothing where the queue is its own."""
        owner = self._journal.first
        return "" if owner is None or owner.source == self.begun.source else self.begun.source

    async def begin(self, broker: Broker) -> None:
        """Claim the queue, and learn what it has from before. Call it once, on a queue that is there.

        Raises:
            UsageError: The queue is another batch's, or cancelled; the text says whose, and the ways out.
            BrokerError: The broker is lost, or refuses something.
        """
        broker.be_patient()
        with suppress(AccessRefused):  # who may only publish does so, and notes what was done
            self._journal = await read_journal(broker)
        if not self._is_shared:
            self._journal = await claim(broker, self.begun, self._journal)
        with suppress(AccessRefused):
            self.lifted = await lift(broker, self.begun, self._journal, runs=self._runs)
        last = self._journal.last
        self.is_app_changed = last is not None and differ(last.app_digest, self.begun.app_digest)
        with suppress(AccessRefused):
            self.counts_before = await broker.counts()
            if self.counts_before.failed:
                await self.failed_before.read(
                    broker, lambda mark: self._runs and self.marks.add(mark, _WAS_CANCELLED)
                )
        self._is_waited_for = True
        await note(broker, self.begun)
        if self._is_shared:  # whose it is decides the ids of its tasks, and may have changed
            with suppress(AccessRefused):
                self._journal = await read_journal(broker)

    async def leave(self, broker: Broker) -> None:
        """Let later runs of the source wait no longer for this one, if they do. Whether the broker hears it is not certain."""
        if self._is_waited_for:
            self._is_waited_for = False
            with suppress(BrokerError, TimeoutError):
                async with asyncio.timeout(_NOTE_FOR):
                    await note(broker, Left(self.begun.run, has_published=self._has_published))

    async def publish(
        self,
        broker: Broker,
        lines: Iterator[Line],
        on_progress: Callable[[int], None] = lambda _: None,
    ) -> None:
        """Publish what is not on the queue yet, and wait until the last task is confirmed. Call it once, after `begin`.

        Args:
            broker: Where to.
            lines: The tasks, from the source's first line on.
            on_progress: Told now and then how many are published.

        Raises:
            InvalidTask: A line is no valid task; those before it are published.
            QueueTaken: Another batch began here at the same time, and was the first.
            BrokerError: The broker is lost, or refuses something.
        """
        noting = asyncio.create_task(self._keep_noting(broker))
        try:
            journal = await wait_for_turn(broker, self.begun, self._on_wait)
            self.blocked_reason = None
            if journal and not self._is_shared:  # of two that began at the same time the first has it
                check_owner(journal, self.begun)
            # The first one has nothing to find there, for which RabbitMQ takes a second.
            if journal is None or journal.runs > 1:
                with suppress(AccessRefused):  # not sooner: an earlier run may have published until now
                    await read_published(broker, self.marks)
            elif self.counts_before:  # which are as true as they were
                self.window.begin(self.counts_before.waiting)
            self._session = session = broker.publish_session()
            let_in = partial(self.window.let_in, broker, session)
            publishing = publish_all(
                session, Bridge(lines).start(), self._choose, on_progress=on_progress, let_in=let_in
            )
            await while_running(noting, publishing)
        except _SourceLeft:
            pass
        finally:
            noting.cancel()
            await asyncio.gather(noting, return_exceptions=True)
            with suppress(BrokerError, TimeoutError):  # what ended the publishing says more
                async with asyncio.timeout(_NOTE_FOR):
                    await self._unnoted.note(broker, self.confirmed)
            if sys.exception():
                await self.leave(broker)
        await self._unnoted.note(broker, self.confirmed)
        self.total, self.is_read = self._count, True
        self.stale_failures = len(self.failed_before) - self._own_failed
        if self._superseded or (self._replays and not self._is_stopped):
            await broker.sweep(self._decide)
            self.stale_failures -= len(self._dropped)
            await note_dropped(broker, self._dropped)

    def _on_wait(self) -> None:
        self.blocked_reason = (
            "another run of this batch publishes it, or was killed seconds ago; waiting for it"
        )

    def stop(self) -> None:
        """Publish nothing more, but read a file to its end, so that it is known which tasks are its own. Call it after `begin`.

        Of another source, which may have no end, those are that were read so far.
        """
        self._is_stopped = True
        self.window.lift()

    async def finish(self, broker: Broker, stale_rows: int, reworded: Sequence[bytes] = ()) -> None:
        """Write into the journal that all is published.

        Args:
            broker: Where to.
            stale_rows: How many rows on the queue are none of these tasks'.
            reworded: Marks of tasks that had ended before, and of which the queue has another wording's end, too: from now
                on theirs is the later one.
        """
        await note_published(broker, self.begun.run, reworded)
        stale = self.stale_failures if self._runs else 0  # whoever only publishes does so beside others
        await note(broker, Read(self.begun.run, self.total, stale_rows, stale))
        self._is_waited_for = False

    def has(self, task_id: str, wording: str) -> bool:
        """Whether this wording of this task is one of the source's, as far as it was read."""
        return bool(self.marks.flags(mark_of_task(task_id, wording)) & OF_SOURCE)

    def had_failed(self, task_id: str, wording: str) -> bool:
        """Whether this failure is from before, and was none of a type that was cancelled."""
        was_cancelled = self.marks.flags(mark_of_task(task_id, wording)) & _WAS_CANCELLED
        return self.failed_before.wording(task_id) == wording and not was_cancelled

    @property
    def confirmed(self) -> int:
        """How many tasks were published now, and confirmed."""
        return self._session.confirmed if self._session else 0

    @property
    def resume_line(self) -> int:
        """The line to go on from, where the journal cannot tell: all before it are confirmed."""
        return self._unnoted.line_after(self.confirmed) or self._next_line

    def _choose(self, chunk: list[Line]) -> list[Task]:
        if self._is_stopped and self.begun.planned is None:
            raise _SourceLeft
        return [line.task for line in chunk if self._is_new(line)]

    def _is_new(self, line: Line) -> bool:
        """Whether a task is to be published; it is counted in any case."""
        task, self._next_line = line.task, line.number + 1
        mark = mark_of_task(task.id, task.wording)
        had = self.marks.add(mark, OF_SOURCE)
        self._count += 1
        self.total = max(self.total, self._count)
        failed_wording = self.failed_before.wording(task.id)
        self._own_failed += failed_wording == task.wording
        if had & (HAS_ROW | _WAS_CANCELLED) == _WAS_CANCELLED:
            self._replays = True
            return False
        if had & HAS_ROW or failed_wording == task.wording:
            self.were_done += 1
            return False
        if failed_wording is not None:
            self._superseded[task.id] = task.wording
        if had & PUBLISHED:
            return False
        if self._is_stopped:
            self.skipped += 1
            return False
        self._unnoted.add(line.number, mark)
        self._has_published = True
        return True

    async def _keep_noting(self, broker: Broker) -> None:
        loop = asyncio.get_running_loop()
        said_at = loop.time()
        while True:
            await asyncio.sleep(NOTE_EVERY)
            with suppress(BrokerUnreachable):  # the session waits for it, and says when it gives up
                await self._unnoted.note(broker, self.confirmed)
                if loop.time() - said_at > ALIVE_EVERY:
                    await note(broker, Publishing(self.begun.run))
                    said_at = loop.time()

    def _decide(self, task: FailedTask) -> Verdict | Message:
        """Publish again what was cancelled, drop what is worded anew."""
        found = decode_failure(task.body, task.id, task.record)
        mark = mark_of_task(found.task_id, found.wording)
        is_own_cancelled = self.marks.flags(mark) & _ALL == OF_SOURCE | _WAS_CANCELLED
        if is_own_cancelled and found.reason == "cancelled" and not self._is_stopped:
            return Message(task.body, found.task_id, task.priority, task.record.replay())
        if self._superseded.get(found.task_id) in {None, found.wording}:
            return Verdict.KEEP
        self._dropped.append(mark)
        return Verdict.DISCARD
