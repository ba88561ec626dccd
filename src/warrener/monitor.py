"""What a queue is doing, derived from its broker at each look: nothing is remembered but a short window."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextlib import asynccontextmanager, suppress
from statistics import fmean
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec.structs import replace

from warrener.brokers import Log
from warrener.errors import AccessRefused, BrokerError
from warrener.journal import JournalState
from warrener.orders import Following, Hold, Orders, following
from warrener.time_left import durations_in, time_left

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from warrener.brokers import Broker, Counts

WINDOW: Final = 30.0
_LONG: Final = 0.5
"""Seconds. Of tasks that take longer a worker fetches none ahead, so that what is processed is what runs; and they end in
bursts, so that no rate tells when the last one will."""
_NEWEST: Final = 200  # rows tell how long tasks take
_ENOUGH: Final = 4 << 20  # bytes of them
_READ_EVERY: Final = 5.0  # seconds


class Status(msgspec.Struct, frozen=True):
    """One look at a queue.

    Args:
        total: All tasks known of.
        done: Those completed or failed.
        rate: Tasks done per second, of late; None while unknown.
        eta: Between how many and how many seconds until all is done: by the fastest and the slowest rate of late, or, of
            tasks that take long, by how long they took and how many run at a time. None while unknown.
        cancelled: Tasks that wait on a queue that is cancelled; they are counted neither as ready nor as delayed.
        hold: Why workers take nothing; None while they do.
        cancelled_types: Types of which each task ends as failed without being run.
        has_unknown_rest: Whether there may be more tasks, not published yet, and nobody knows how many.
    """

    counts: Counts
    total: int
    done: int
    rate: float | None
    eta: tuple[float, float] | None
    cancelled: int = 0
    hold: Hold | None = None
    cancelled_types: tuple[str, ...] = ()
    has_unknown_rest: bool = False

    @property
    def is_finished(self) -> bool:
        """Whether nothing is left to do."""
        return self.done + self.cancelled >= self.total and not self.has_unknown_rest

    @property
    def progress(self) -> float | None:
        """From 0 to 1; None while nobody knows how many tasks there are."""
        if self.has_unknown_rest:
            return None
        return self.done / self.total if self.total else 1.0

    @property
    def state(self) -> str:
        """In a word: what holds it, or whether it is done, running, or waiting for workers."""
        if self.hold and (self.cancelled or not self.is_finished):
            return self.hold.what
        if self.is_finished:
            return "done"
        return "running" if self.counts.workers else "waiting"

    def members(self) -> dict[str, Any]:
        """As JSON has it, for programs and the page alike."""
        counts = self.counts
        return {
            "at": time.time(),
            "ready": counts.ready,
            "processing": counts.processing,
            "delayed": counts.delayed,
            "completed": counts.completed,
            "failed": counts.failed,
            "cancelled": self.cancelled,
            "total": self.total,
            "progress": self.progress,
            "rate": self.rate,
            "eta": self.eta,
            "workers": counts.workers,
            "hold": self.hold,
            "cancelled_types": self.cancelled_types,
        }


def origin(journal: JournalState | None) -> dict[str, Any]:
    """When the newest run of a queue began, of which tasks, and whose it is; each None where its journal does not say."""
    last = journal.last if journal else None
    return {
        "began": last.at if last else None,
        "source": last.source if last else None,
        "by": last.by if last else None,
    }


class Monitor:
    """Looks at a queue again and again.

    Args:
        broker: An open broker.
        total: How many tasks there are, where somebody knows; otherwise all that the broker has.
        journal: What the queue's journal says so far, where somebody follows it.
    """

    def __init__(
        self, broker: Broker, total: int | None = None, *, journal: JournalState | None = None
    ) -> None:
        self.journal = journal
        self.orders: Following | None = None
        """What is ordered, where somebody follows it."""
        self.total = total
        self.stale_rows = 0
        """How many rows are none of the batch's tasks as they are worded now."""
        self.stale_failures = 0
        """How many failures are none of theirs."""
        self.last: Status | None = None
        """The newest look."""
        self._broker = broker
        self._looks: deque[tuple[float, int]] = deque()
        self._durations: list[float] = []
        self._read: tuple[float, int] | None = None  # when that was, and how many rows there were
        self._slots = 0

    async def look(self) -> Status:
        """What is the case now.

        Raises:
            BrokerError: The broker cannot say.
        """
        counts = await self._broker.counts()
        rows = counts.completed
        if self.journal:
            self.stale_rows, self.stale_failures = self.journal.stale_rows, self.journal.stale_failures
        counts = replace(
            counts,
            completed=max(0, counts.completed - self.stale_rows),
            failed=max(0, counts.failed - self.stale_failures),
        )
        done = counts.completed + counts.failed
        counts = await self._without_late(counts, done)
        total = max(self.total or 0, done) if self.total is not None else done + counts.waiting
        if self.journal:
            total = max(total, self.journal.total or 0)
        if counts.processing:  # which may be counted a few seconds late
            counts = replace(counts, processing=min(counts.processing, total - done))
            self._slots = counts.processing or self._slots
        now = time.monotonic()
        if self._looks and done < self._looks[-1][1]:
            self._looks.clear()  # failures are tried again, or the queue was purged: no rate spans that
        self._looks.append((now, done))
        while now - self._looks[0][0] > WINDOW:
            self._looks.popleft()
        rate = _rate(list(self._looks))
        if rows and total > done:
            await self._read_durations(now, rows)
        orders = self.orders.orders if self.orders else Orders()
        has_unknown_rest = self.journal is not None and self.journal.has_unknown_rest
        cancelled, eta = 0, None if orders.paused or has_unknown_rest else self._eta(total - done)
        if orders.cancelled:
            # What was not published yet waits as well.
            cancelled = max(counts.put_aside, total - done - (counts.processing or 0))
            counts, eta = counts.without_cancelled(), (0.0, 0.0)
        self.last = Status(
            counts,
            total,
            done,
            rate,
            eta,
            cancelled,
            orders.hold,
            tuple(sorted(orders.types)),
            has_unknown_rest,
        )
        return self.last

    async def _without_late(self, counts: Counts, done: int) -> Counts:
        """The same, but that no more tasks wait than the batches have left, unless they are somebody else's.

        RabbitMQ tells a few seconds late what is ready and what is processed, and at once what has ended. There are more tasks
        than the journal says where those that had ended so long ago and those that are told to wait are more together.
        """
        late, known = self._broker.counts_late, self.journal.total if self.journal else None
        if known is None or not late or done + counts.waiting <= known:
            return counts
        with suppress(AccessRefused):
            (completed,) = await self._broker.completed_at([time.time() - late])
            ended = max(0, completed - self.stale_rows) + counts.failed
            known = max(known, ended + counts.waiting)
        left = max(0, known - done - (counts.delayed or 0))
        ready = min(counts.ready, left)
        processing = None if counts.processing is None else min(counts.processing, left - ready)
        return replace(counts, ready=ready, processing=processing)

    async def _read_durations(self, now: float, rows: int) -> None:
        if self._read:
            read_at, had = self._read
            every = _READ_EVERY if self._takes_long else WINDOW
            if rows == had or (now - read_at < every and len(self._durations) > 1):
                return
        self._read = now, rows
        with suppress(AccessRefused):  # who may not read results has the rate alone
            self._durations = durations_in(await self._broker.newest_results(_NEWEST, enough=_ENOUGH))

    @property
    def _takes_long(self) -> bool:
        return bool(self._durations) and fmean(self._durations) > _LONG

    def _eta(self, left: int) -> tuple[float, float] | None:
        if left <= 0:
            return 0.0, 0.0
        if self._takes_long and self._slots:
            return time_left(left, self._slots, self._durations)
        return self._eta_by_rate(left)

    def _eta_by_rate(self, left: int) -> tuple[float, float] | None:
        """From the whole window's rate and its halves'."""
        looks = list(self._looks)
        middle = len(looks) // 2
        rates = [rate for part in (looks, looks[: middle + 1], looks[middle:]) if (rate := _rate(part))]
        return (left / max(rates), left / min(rates)) if rates else None


@asynccontextmanager
async def watching(broker: Broker) -> AsyncIterator[Monitor]:
    """A monitor that follows the queue's journal, which says how many tasks there are, also while they are published.

    It follows its orders, too.
    """
    state = JournalState()
    monitor = Monitor(broker, journal=state)
    has_caught_up = asyncio.Event()

    async def follow() -> None:
        try:
            with suppress(
                BrokerError
            ):  # whoever may not read it, or has none, is content with what the broker counts
                async for records in broker.noted(Log.JOURNAL, follow=True):
                    state.add(records)
                    if not records:
                        has_caught_up.set()
        finally:
            has_caught_up.set()

    reading = asyncio.create_task(follow())
    try:
        async with following(broker) as monitor.orders:
            await has_caught_up.wait()
            yield monitor
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


def _rate(looks: list[tuple[float, int]]) -> float | None:
    if len(looks) < 2:  # noqa: PLR2004 - a rate needs two looks
        return None
    (start, before), (end, after) = looks[0], looks[-1]
    return (after - before) / (end - start) if end > start else None
