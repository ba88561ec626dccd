"""The tasks of one source on their way to a queue: none is published twice, whoever was interrupted before."""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from warrener.bridge import Bridge
from warrener.brokers import Verdict
from warrener.codec import decode_failure
from warrener.errors import AccessRefused, BrokerError, BrokerUnreachable, QueueTaken
from warrener.journal import (
    HAS_ROW,
    OF_SOURCE,
    PUBLISHED,
    Begun,
    JournalState,
    Left,
    Publishing,
    Read,
    mark_of_task,
    note,
    note_dropped,
    note_published,
    read_journal,
    read_published,
)
from warrener.marks import Marks
from warrener.publisher import Window, publish_all
from warrener.turns import ALIVE_EVERY, wait_for_turn

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from warrener.brokers import Broker, FailedTask, PublishSession
    from warrener.sources import Line

NOTE_EVERY: Final = 1.0
"""Seconds. What was confirmed since the last note is published again after a crash."""
_NOTE_FOR: Final = 3.0  # seconds that the last note may take, when publishing ends early
DEFAULT_WINDOW: Final = 1_000_000
"""Tasks on the broker at a time: RabbitMQ advises against more than five million messages in a queue."""


class Publication:
    """The tasks of one source.

    Args:
        begun: Who publishes what; it is written into the queue's journal.
        is_shared: Whether the queue may be another batch's.
        window: How many tasks may wait on the broker; publishing goes on as they are done.
    """

    def __init__(self, begun: Begun, *, is_shared: bool = False, window: int = DEFAULT_WINDOW) -> None:
        self._window = window
        self.begun = begun
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
        self.stale_failures = 0
        """How many failures on the queue are none of its tasks', once its source was read."""
        self._is_shared = is_shared
        self._count = 0
        self._own_failed = 0
        self._journal = JournalState()
        self._failed: dict[str, str] = {}  # wording by id, of failures from before
        self._superseded: dict[str, str] = {}  # new wording by id, of those among them that are worded anew
        self._unconfirmed: deque[tuple[int, bytes]] = deque()  # each with its line
        self._next_line = 1
        self._dropped: list[bytes] = []  # marks of the failures that were superseded
        self._noted = 0
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
            UsageError: The queue is another batch's; the text says whose, and the ways out.
            BrokerError: The broker is lost, or refuses something.
        """
        with suppress(AccessRefused):  # who may only publish does so, and notes what was done
            self._journal = await read_journal(broker)
        if not self._is_shared:
            check_owner(self._journal, self.begun)
        last = self._journal.last
        self.is_app_changed = last is not None and _differ(last.app_digest, self.begun.app_digest)
        with suppress(AccessRefused):
            if (await broker.counts()).failed:
                async for task in broker.failures():
                    found = decode_failure(task.body, task.id, task.record)
                    self._failed[found.task_id] = found.wording
        self._is_waited_for = True
        await note(broker, self.begun)

    async def leave(self, broker: Broker) -> None:
        """Let later runs of the source wait no longer for this one, if they do. Whether the broker hears it is not certain."""
        if self._is_waited_for:
            self._is_waited_for = False
            with suppress(BrokerError, TimeoutError):
                async with asyncio.timeout(_NOTE_FOR):
                    await note(broker, Left(self.begun.run))

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
            BrokerError: The broker is lost, or refuses something.
        """
        noting = asyncio.create_task(self._keep_noting(broker))
        try:
            await wait_for_turn(broker, self.begun)
            with suppress(AccessRefused):  # not sooner: an earlier run may have published until now
                await read_published(broker, self.marks)
            self._session = session = broker.publish_session()
            publishing = publish_all(
                session,
                Bridge(lines).start(),
                lambda chunk: [line.task for line in chunk if self._is_new(line)],
                on_progress=on_progress,
                window=Window(broker, self._window),
            )
            await _while_running(noting, publishing)
        finally:
            noting.cancel()
            await asyncio.gather(noting, return_exceptions=True)
            with suppress(BrokerError, TimeoutError):  # what ended the publishing says more
                async with asyncio.timeout(_NOTE_FOR):
                    await self._note_confirmed(broker)
            if sys.exception():
                await self.leave(broker)
        await self._note_confirmed(broker)
        self.total, self.is_read = self._count, True
        self.stale_failures = len(self._failed) - self._own_failed
        if self._superseded:
            self.stale_failures -= await broker.sweep(self._drop_superseded)
            await note_dropped(broker, self._dropped)

    async def finish(self, broker: Broker, stale_rows: int) -> None:
        """Write into the journal that all is published.

        Args:
            broker: Where to.
            stale_rows: How many rows on the queue are none of these tasks'.
        """
        await note(broker, Read(self.begun.run, self.total, stale_rows, self.stale_failures))
        self._is_waited_for = False

    def has(self, task_id: str, wording: str) -> bool:
        """Whether this wording of this task is one of the source's, as far as it was read."""
        return bool(self.marks.flags(mark_of_task(task_id, wording)) & OF_SOURCE)

    @property
    def confirmed(self) -> int:
        """How many tasks were published now, and confirmed."""
        return self._session.confirmed if self._session else 0

    @property
    def resume_line(self) -> int:
        """The line to go on from, where the journal cannot tell: all before it are confirmed."""
        following = self.confirmed - self._noted
        return self._unconfirmed[following][0] if following < len(self._unconfirmed) else self._next_line

    def _is_new(self, line: Line) -> bool:
        """Whether a task is to be published; it is counted in any case."""
        task, self._next_line = line.task, line.number + 1
        mark = mark_of_task(task.id, task.wording)
        had = self.marks.add(mark, OF_SOURCE)
        self._count += 1
        self.total = max(self.total, self._count)
        failed_wording = self._failed.get(task.id)
        self._own_failed += failed_wording == task.wording
        if had & HAS_ROW or failed_wording == task.wording:
            self.were_done += 1
            return False
        if failed_wording is not None:
            self._superseded[task.id] = task.wording
        if had & PUBLISHED:
            return False
        self._unconfirmed.append((line.number, mark))
        return True

    async def _keep_noting(self, broker: Broker) -> None:
        loop = asyncio.get_running_loop()
        said_at = loop.time()
        while True:
            await asyncio.sleep(NOTE_EVERY)
            with suppress(BrokerUnreachable):  # the session waits for it, and says when it gives up
                await self._note_confirmed(broker)
                if loop.time() - said_at > ALIVE_EVERY:
                    await note(broker, Publishing(self.begun.run))
                    said_at = loop.time()

    async def _note_confirmed(self, broker: Broker) -> None:
        count = self.confirmed - self._noted
        if count:
            marks = [mark for _, mark in islice(self._unconfirmed, count)]
            await note_published(broker, self.begun.run, marks)
            for _ in marks:
                self._unconfirmed.popleft()
            self._noted += count

    def _drop_superseded(self, task: FailedTask) -> Verdict:
        found = decode_failure(task.body, task.id, task.record)
        if self._superseded.get(found.task_id) in {None, found.wording}:
            return Verdict.KEEP
        self._dropped.append(mark_of_task(found.task_id, found.wording))
        return Verdict.DISCARD


async def _while_running(companion: asyncio.Task[None], work: Coroutine[Any, Any, object]) -> None:
    """Do the work, and end it with the companion's error if that ends first."""
    working = asyncio.ensure_future(work)
    try:
        await asyncio.wait({working, companion}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        is_done = working.done()
        working.cancel()  # which changes nothing where it has ended
        await asyncio.wait({working})
    (working if is_done else companion).result()


def check_owner(journal: JournalState, begun: Begun) -> None:
    """See that a queue is this batch's, or nobody's.

    Raises:
        QueueTaken: It is another's.
    """
    owner = journal.first
    if owner is None:
        return
    if owner.source != begun.source:
        raise _taken("holds the batch of", owner.source, begun.source)
    if _differ(owner.app, begun.app):
        raise _taken("is worked on with", owner.app, begun.app)


def _differ(one: str, other: str) -> bool:
    """Whether both are known, and are not the same."""
    return bool(one and other) and one != other


def _taken(how: str, theirs: str, ours: str) -> QueueTaken:
    return QueueTaken(
        f"this queue {how} {theirs}, and not {ours}",
        "take another one with --queue NAME, add to this one with --share, or start over with --fresh, which drops all that "
        "is on it",
    )
