"""Collecting results: one row per task id."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

import msgspec

from warrener.address import Address
from warrener.brokers import connect
from warrener.codec import decode_failure
from warrener.completion import Completion
from warrener.errors import AccessRefused, BrokerUnreachable
from warrener.id_set import IdSet
from warrener.journal import read_journal
from warrener.latest import superseded
from warrener.loop_thread import LoopThread
from warrener.orders import Following, following
from warrener.published import mark_of_task
from warrener.rows import QUIET, Summary, readable_rows
from warrener.unpublished import Unpublished

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence

    from warrener.brokers import Broker, Counts
    from warrener.writers import ResultWriter

_LOOK_AGAIN: Final = 0.25  # seconds
_AT_A_TIME: Final = 1000


class _Ended(msgspec.Struct):
    """When a task had ended, as its row says."""

    processed_at: float = 0.0


def results(*, broker: str | None = None, queue: str | None = None) -> Iterator[dict[str, Any]]:
    """The result rows so far, one per task id, in the order they came.

    For scripts and notebooks; where an event loop runs, it is blocked while rows are fetched. They are read as they are
    wanted; closing the generator, or dropping it, closes the broker.

    Args:
        broker: As `warrener.address.Address` takes it; by default what WARRENER_BROKER says, or else the embedded broker.
        queue: The queue's name; by default what WARRENER_QUEUE says, or else `work-queue`.

    Raises:
        UsageError: The address is wrong.
        BrokerError: The broker or the queue cannot be read; it comes with the first row, or a later one.
    """
    return _rows_at(connect(Address.here(broker, queue)))


async def distinct(
    broker: Broker, seen: IdSet, summary: Summary, stale: frozenset[bytes], *, follow: bool = False
) -> AsyncGenerator[list[bytes]]:
    """Rows of tasks that had none before, as they are worded now, in batches that are empty only while following.

    Args:
        broker: An open broker.
        seen: The ids that had one; it is added to.
        summary: What is counted.
        stale: Rows to leave out, as `superseded` tells them.
        follow: Wait for more.
    """
    async for batch in broker.results(follow=follow):
        fresh = _fresh(batch, seen, summary, stale)
        if fresh or follow:
            yield fresh


async def collect(broker: Broker, writer: ResultWriter, *, follow: bool = False) -> Summary:
    """Write every result, count failures too.

    Args:
        broker: An open broker.
        writer: Where to.
        follow: Wait for more until every task has ended, or those that have not are cancelled.
    """
    seen, summary, stale, newest = IdSet(), Summary(), await superseded(broker), b""
    unpublished = Unpublished(broker)
    async with following(broker) as heard:
        completion = _Completion(broker, heard, unpublished)
        async for rows in distinct(broker, seen, summary, stale, follow=follow):
            writer.write(rows)
            newest = rows[-1] if rows else newest
            if follow and not rows:
                writer.flush()
                if await completion.is_reached(_read(summary)):
                    break
        is_cancelled = heard.orders.cancelled is not None
    if follow:  # tasks may have been worded anew meanwhile
        stale = await superseded(broker)
    failed_at = await _count_failures(broker, seen, summary, stale)
    try:
        counts = await broker.counts()
    except AccessRefused:  # a user who may read what has ended, and nothing else
        summary.missing = None
    else:
        left = counts.without_cancelled() if is_cancelled else counts
        if await _may_be_late(broker, left, summary, max(failed_at, _processed_at(newest))):
            counts = await _without_late(broker)
            left = counts.without_cancelled() if is_cancelled else counts
            while more := await broker.results_at(_read(summary), _AT_A_TIME):
                writer.write(_fresh(more, seen, summary, stale))
        summary.cancelled = counts.put_aside if is_cancelled else 0
        summary.missing = left.waiting
        if not (follow or is_cancelled):
            await unpublished.look(_known(left))
        _count_unpublished(unpublished, left.waiting, summary)
    return summary


def _count_unpublished(unpublished: Unpublished, waiting: int, summary: Summary) -> None:
    """Count those as missing, too, where their number is known."""
    if unpublished.count:
        unpublished.count = max(1, unpublished.total - summary.completed - summary.failed - waiting)
        summary.missing = waiting + unpublished.count
    if unpublished:
        summary.unpublished = str(unpublished)


async def _count_failures(broker: Broker, seen: IdSet, summary: Summary, stale: frozenset[bytes]) -> float:
    """Count the failures; when the last of these tasks ended, or 0."""
    failed_at = 0.0
    async for task in broker.failures():
        # A result outranks a failure of the same task, whichever came first.
        found = decode_failure(task.body, task.id, task.record)
        failed_at = max(failed_at, found.failed_at or 0.0)
        if mark_of_task(found.task_id, found.wording) not in stale and seen.add(found.task_id):
            summary.failed += 1
            summary.by_reason[found.reason] = summary.by_reason.get(found.reason, 0) + 1
            summary.retries += max(0, found.attempts - 1)
    return failed_at


def _fresh(batch: Sequence[bytes], seen: IdSet, summary: Summary, stale: frozenset[bytes]) -> list[bytes]:
    """Those rows whose tasks had none before, as they are worded now."""
    fresh = []
    for row in readable_rows(batch, summary):
        if stale and mark_of_task(row.task_id, row.wording) in stale:
            summary.superseded += 1
        elif seen.add(row.task_id):
            fresh.append(row.line)
            summary.retries += row.attempts - 1
        else:
            summary.duplicates += 1
    summary.completed += len(fresh)
    return fresh


def _read(summary: Summary) -> int:
    """How many rows were read."""
    return summary.completed + summary.duplicates + summary.strange + summary.superseded


async def _may_be_late(broker: Broker, left: Counts, summary: Summary, ended_at: float) -> bool:
    """Whether what is told as processed may have ended: all that was published has, and the last of it just now."""
    if not left.processing or left.put_aside:
        return False
    if abs(time.time() - ended_at) > broker.counts_late:
        return False
    try:
        total = (await read_journal(broker)).total
    except AccessRefused:
        total = None
    return total is None or summary.completed + summary.failed >= total


def _processed_at(newest: bytes) -> float:
    """When the task of the newest row ended, or 0."""
    try:
        return msgspec.json.decode(newest, type=_Ended).processed_at
    except msgspec.DecodeError:  # there is none
        return 0.0


async def _without_late(broker: Broker) -> Counts:
    """What is left, once all that had ended by now must be counted as such."""
    end = time.monotonic() + broker.counts_late
    while True:
        counts = await broker.counts()
        if not counts.processing or time.monotonic() >= end:
            return counts
        await asyncio.sleep(_LOOK_AGAIN)


class _Completion:
    """Whether all is done and read, but for what is cancelled."""

    def __init__(self, broker: Broker, heard: Following, unpublished: Unpublished) -> None:
        self._broker = broker
        self._heard = heard
        self._unpublished = unpublished
        self._completion = Completion(broker)
        self._read = 0
        self._quiet = 0  # how often in a row there were no more rows, since all is known to be done

    async def is_reached(self, read: int) -> bool:
        """Whether it is so, where so many rows were read, and no more are there."""
        self._quiet = self._quiet + 1 if read == self._read else 0
        self._read = read
        try:
            counts = await self._broker.counts()
        except BrokerUnreachable:  # whether it comes back in time is for `results` to say
            return False
        is_cancelled = self._heard.orders.cancelled is not None
        if is_cancelled:
            counts = counts.without_cancelled()
        have_ended = await self._completion.is_proven_by(counts, is_cancelled=is_cancelled)
        if not have_ended:
            self._quiet = 0
        is_all_read = have_ended and (read >= counts.completed or self._quiet >= QUIET)
        if is_cancelled:
            return is_all_read
        return await self._unpublished.are_over(_known(counts), have_ended=is_all_read)


def _known(counts: Counts) -> int:
    return counts.completed + counts.failed + counts.waiting


def _rows_at(broker: Broker) -> Iterator[dict[str, Any]]:
    with LoopThread() as loop:
        loop.run(broker.__aenter__())
        try:
            rows = distinct(broker, IdSet(), Summary(), loop.run(superseded(broker)))
            try:
                while batch := loop.run(_next(rows)):
                    for row in batch:
                        yield msgspec.json.decode(row)
            finally:
                loop.run(rows.aclose())
        finally:
            loop.run(broker.__aexit__(None, None, None))


async def _next(rows: AsyncIterator[list[bytes]]) -> list[bytes]:
    return await anext(rows, [])
