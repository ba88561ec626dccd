"""The reader's role: counts, results and failures, without using them up."""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from warrener.models import Record  # noqa: TC001 - msgspec reads the annotations when it runs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from warrener.brokers.protocol.publisher import Message


BEATS_LAST: Final = 5.0
"""Seconds that what a worker has told (`Consumer.beat`) holds; it tells again within half of that."""


class Counts(msgspec.Struct, frozen=True):
    """How many tasks are in each state; None where this broker cannot tell.

    Args:
        workers: Connected workers.
        notes: Sentences about what cannot be known, and why.
    """

    ready: int
    processing: int | None
    delayed: int | None
    completed: int
    failed: int
    workers: int | None
    notes: tuple[str, ...] = ()

    @property
    def waiting(self) -> int:
        """How many tasks are known to have not ended."""
        return self.ready + (self.processing or 0) + (self.delayed or 0)

    @property
    def put_aside(self) -> int:
        """How many tasks wait and are with no worker: those that are cancelled where the queue is."""
        return self.ready + (self.delayed or 0)

    def without_cancelled(self) -> Counts:
        """The same of a queue that is cancelled: what waits there is neither ready nor delayed."""
        return msgspec.structs.replace(self, ready=0, delayed=0)

    @property
    def is_all_done(self) -> bool:
        """Whether no task is left; where nobody knows what is processed, each worker may have one."""
        return not self.waiting and not (self.processing is None and self.workers)


class FailedTask(msgspec.Struct, frozen=True):
    """A failed task as it lies on the broker, with its trace (`Message.trace`)."""

    body: bytes
    id: str
    priority: int
    record: Record
    trace: str = ""


class Verdict(Enum):
    """What a sweep does with one failed task."""

    KEEP = auto()
    DISCARD = auto()


class Reader(Protocol):
    """Where a queue is looked at."""

    counts_late: float
    """How many seconds the count of tasks in processing may lag behind."""

    async def counts(self) -> Counts:
        """How many tasks are in each state, now."""

    async def ready_by_priority(self) -> Mapping[int, int] | None:
        """How many tasks of each priority are ready; None where the broker cannot tell, or does not tell this user.

        It may lag behind `counts` by `counts_late`, and leave out those that came back from a worker. It costs more than
        `counts`: to be asked now and then.

        Raises:
            QueueMissing: There is no queue.
        """

    def results(self, *, follow: bool = False) -> AsyncIterator[Sequence[bytes]]:
        """Result rows in the order they came, in batches, without consuming them.

        Any number of readers may read at a time. A reader that stops early closes the iterator (`aclosing`).

        Args:
            follow: Wait for more instead of ending at the last row; empty batches mark the waiting.
        """

    async def newest_results(self, most: int, *, enough: int | None = None) -> Sequence[bytes]:
        """The last result rows, at most so many, the oldest of them first; at a cost that does not grow with their number.

        Args:
            most: How many.
            enough: Bytes; no more rows are fetched than have so many, about, but for one or two.
        """

    async def results_at(self, first: int, most: int) -> Sequence[bytes]:
        """Result rows from a place on, at most so many; fewer at the end, or where they are large.

        It costs the same wherever the place is.

        Args:
            first: How many rows are before it. Where the broker writes something between rows it is a little earlier.
            most: At least 1.
        """

    async def completed_at(self, times: Sequence[float]) -> Sequence[int]:
        """How many result rows there were at each of these times, about: as the broker or whoever wrote them measures it.

        It costs the same however many there are.

        Args:
            times: Unix timestamps, the earliest first.
        """

    def beats(self) -> AsyncIterator[Sequence[bytes]]:
        """What workers tell with `Consumer.beat`, in batches, for ever; empty batches mark the waiting.

        What was told before may come first where the broker has it, but nothing of a worker that is known to be gone. Some of
        it may be missing, as after a lost connection, which is mended behind the scenes. A reader closes the iterator
        (`aclosing`).

        Raises:
            QueueMissing: There is no queue, or it is older than that and has no place for it.
            AccessRefused: This user may not listen.
        """

    def failures(self) -> AsyncIterator[FailedTask]:
        """Failed tasks, the oldest first, without consuming them, however often it is done.

        Readers may have to take turns with each other and with `sweep`. One that stops early closes the iterator
        (`aclosing`).
        """

    async def sweep(self, decide: Callable[[FailedTask], Verdict | Message]) -> int:
        """Look at every failed task once and keep it, discard it, or publish it as the message given.

        Returns how many were taken out. A task is taken out only after its message is confirmed; what `decide` raises ends
        the sweep, and what was decided before stays done. What fails while the sweep runs is left alone.
        """
