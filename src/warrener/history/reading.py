"""A queue's history, read from its broker: once, or followed."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Final

from warrener import failures as failed_tasks
from warrener.errors import AccessRefused, QueueMissing
from warrener.history.completed import Completed
from warrener.history.failed import Failed
from warrener.history.history import History
from warrener.latest import superseded

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

    from warrener.brokers import Broker, Counts
    from warrener.models import Failure

_LOOK_EVERY: Final = 2.0  # seconds
_FAILURES_EVERY: Final = 2.0
_FAILURES_SHARE: Final = 10
"""Of the time at most one part in so many goes into reading failures, which keeps others from them."""
_FAILURES_AGAIN: Final = 30.0
"""Seconds after which failures are read again although they are as many: other tasks may be among them."""


class HistoryReader:
    """Reads a queue's history. For one event loop; what it has read so far is there at any time.

    Args:
        broker: An open broker.
        failures: How all its failures are read, in batches.
    """

    def __init__(
        self,
        broker: Broker,
        failures: Callable[[Broker], AsyncGenerator[Sequence[Failure]]] = failed_tasks.in_batches,
    ) -> None:
        self.history = History()
        """What was read so far; another object after a purge."""
        self.version = 0
        """It grows with each change."""
        self._broker = broker
        self._failures_of = failures
        self._stale: frozenset[bytes] = frozenset()
        self._first: bytes | None = None  # the first row, by which a stream is known again after a purge
        self._failures: asyncio.Task[None] | None = None
        self._wants_failures = False
        self._failed_seen = -1  # how many there were when they were read
        self._failures_due = 0.0
        self._failures_read_at = 0.0

    async def read(self) -> History:
        """Read all that there is now. A call that is cancelled leaves what it has read.

        Raises:
            BrokerError: The queue cannot be read.
        """
        while True:
            self._begin(await self._counts())
            async with aclosing(self._broker.results()) as batches:  # type: ignore[type-var]
                async for batch in batches:
                    self._add(batch)
            await self._read_failures()
            if not await self._was_worded_anew():
                break
        self.history.is_complete = True
        self.version += 1
        return self.history

    async def follow(self) -> None:
        """Read all that there is and then what comes, until cancelled. After a purge it begins anew.

        Raises:
            BrokerError: The queue cannot be read any more; another call begins anew.
        """
        try:
            while True:
                self._begin(await self._counts())
                await self._follow()
                await self._end_failures()
        finally:
            await self._end_failures()

    def look_again(self) -> None:
        """Have the failures read again: somebody knows that others are there. Only of use while it is followed."""
        self._wants_failures = True
        self._failures_due = 0.0

    async def _follow(self) -> None:
        """Follow until what was read is not what is there."""
        looked_at, has_rows = time.monotonic(), False
        async with aclosing(self._broker.results(follow=True)) as batches:  # type: ignore[type-var]
            async for batch in batches:
                if batch:
                    self._add(batch)
                elif not has_rows:
                    has_rows, looked_at = True, 0.0
                if time.monotonic() - looked_at < _LOOK_EVERY:
                    continue
                counts = await self._counts()
                looked_at = time.monotonic()
                if await self._is_another():
                    return
                self._note(counts)
                if has_rows:
                    self._begin_failures(counts)
                    if self.history.is_complete and await self._was_worded_anew():
                        return

    def _begin(self, counts: Counts | None) -> None:
        completed = Completed(counts.completed if counts else 0, self._stale)
        self.history, self._first = History(completed, Failed(completed.places, self._stale)), None
        self._failed_seen, self._failures_due = -1, 0.0
        self._note(counts)

    def _note(self, counts: Counts | None) -> None:
        if counts and self.history.expected != counts.completed + counts.failed:
            self.history.expected = counts.completed + counts.failed
            self.version += 1

    def _add(self, batch: Sequence[bytes]) -> None:
        if self._first is None and batch:
            self._first = batch[0]
        self.history.completed.add(batch)
        self.version += 1

    async def _counts(self) -> Counts | None:
        with suppress(AccessRefused):  # a user who may read what has ended, and nothing else
            return await self._broker.counts()
        return None

    async def _is_another(self) -> bool:
        """Whether the rows are no longer those that were read: the queue was purged."""
        if self._first is None:
            return False
        try:
            return [*await self._broker.results_at(0, 1)] != [self._first]
        except QueueMissing:  # for as long as a purge takes
            return True

    async def _was_worded_anew(self) -> bool:
        """Whether rows are to be left out since their tasks were worded anew, so that all is to be read once more."""
        if not self.history.completed.places.worded_anew:
            return False
        self.history.completed.places.worded_anew = 0
        stale = await superseded(self._broker)
        is_new, self._stale = stale != self._stale, stale
        return is_new

    # --- failures

    def _begin_failures(self, counts: Counts | None) -> None:
        """Have failures read, unless they are just being read, or were lately."""
        now = time.monotonic()
        if self._failures and self._failures.done():
            failures, self._failures = self._failures, None
            failures.result()
        if self._failures or now < self._failures_due:
            return
        is_same = counts is not None and counts.failed == self._failed_seen
        is_still = is_same and counts is not None and (counts.is_all_done or not counts.failed)
        if (
            self._wants_failures
            or not is_same
            or (not is_still and now > self._failures_read_at + _FAILURES_AGAIN)
        ):
            self._wants_failures = False
            self._failed_seen = counts.failed if counts else -1
            self._failures = asyncio.create_task(self._read_failures())

    async def _read_failures(self) -> None:
        """Read all failures; where some were read before, those stay until all are read again."""
        began_at, history = time.monotonic(), self.history
        failed = Failed(history.completed.places, self._stale)
        if not history.is_complete:
            history.failed = failed  # so that one sees how far it is
        async with aclosing(self._failures_of(self._broker)) as batches:
            async for batch in batches:
                for found in batch:
                    failed.add(found)
                if failed is history.failed:
                    self.version += 1
        history.failed, history.is_complete = failed, True
        self.version += 1
        self._failures_read_at = now = time.monotonic()
        self._failures_due = now + max(_FAILURES_EVERY, (now - began_at) * _FAILURES_SHARE)

    async def _end_failures(self) -> None:
        if self._failures:
            self._failures.cancel()
            await asyncio.gather(self._failures, return_exceptions=True)
            self._failures = None
