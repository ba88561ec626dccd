"""What the core asks of a broker: declare, publish, consume, settle, hand back, count, read, sweep.

Two brokers answer: RabbitMQ and the embedded one on SQLite. One suite holds both to the promises written here.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, Protocol, Self

import msgspec

from warrener.tasks import DEFAULT_PRIORITY, Record

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

# A task that came back from a lost worker so many times ends as `crashed`.
DELIVERY_LIMIT = 5
# What is known of a task whose delivery was lost with a connection is kept so long, in seconds, for when it is delivered
# again. For ever would be too long: one day another task may have the same id.
REMEMBERED_FOR = 3600.0
Identity = tuple[str, int, "bytes | str | None"]


class Message(msgspec.Struct, frozen=True):
    """A task to be published: its body, the properties it travels with, and its record so far."""

    body: bytes
    id: str
    priority: int = DEFAULT_PRIORITY
    record: Record | None = None


class Delivery(msgspec.Struct, eq=False):
    """A task in a worker's hands, until it is settled, handed back, or the connection is lost.

    Args:
        body: The task as published.
        id: The message's own id; the body's `id` goes before it.
        priority: The message's priority; None where the broker knows none.
        record: What happened to it before, as JSON.
        lost: How often the broker had it back because a worker vanished, since it was last published.
        tag: The broker's own handle.
    """

    body: bytes
    id: str
    priority: int | None
    record: bytes | str | None
    lost: int
    tag: int

    @property
    def identity(self) -> Identity:
        """What it has in common with another delivery of the same message, and with none of any other."""
        return self.id, hash(self.body), self.record


class Completed(msgspec.Struct, frozen=True):
    """The task ended with this result row."""

    body: bytes


class Delayed(msgspec.Struct, frozen=True):
    """The attempt failed; the task comes back after a rung's delay, given in milliseconds."""

    rung: int
    record: Record


class Failed(msgspec.Struct, frozen=True):
    """The task failed for good; its record names the reason."""

    record: Record


Outcome = Completed | Delayed | Failed


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
    def is_all_done(self) -> bool:
        """Whether no task is left; where nobody knows what is processed, each worker may have one."""
        return not self.waiting and not (self.processing is None and self.workers)


class FailedTask(msgspec.Struct, frozen=True):
    """A failed task as it lies on the broker."""

    body: bytes
    id: str
    priority: int
    record: Record


class Verdict(Enum):
    """What a sweep does with one failed task."""

    KEEP = auto()
    DISCARD = auto()


class Listener(Protocol):
    """Whoever consumes."""

    def on_delivery(self, delivery: Delivery) -> None:
        """A task has come."""

    def on_lost(self) -> None:
        """The connection is gone and with it every unsettled delivery; the broker will deliver them again."""


class Broker(Protocol):
    """One queue on one broker, open between `async with` and its end.

    Every method raises `BrokerError` or one of its kinds when the broker cannot do it.
    """

    drain_pause: float
    """Seconds between the two looks that prove a queue drained."""

    counts_late: float
    """How many seconds the count of tasks in processing may lag behind."""

    max_body: int
    """The largest message the broker takes, in bytes."""

    async def __aenter__(self) -> Self:
        """Connect."""

    async def __aexit__(self, *_: object) -> None:
        """Disconnect; deliveries still held come back to the queue."""

    async def declare(self, rungs: Sequence[int]) -> None:
        """Create whatever is missing of the queue; harmless when all is there.

        Raises:
            QueueMismatch: It exists with other arguments.
        """

    async def rungs(self, wanted: Sequence[int]) -> list[int]:
        """Those of the wanted rungs that exist, shortest first.

        Raises:
            QueueMissing: The queue was never declared.
        """

    async def purge(self) -> int:
        """Drop every task that is ready or delayed, every result and every failure; how many that were."""

    async def delete(self) -> None:
        """Remove the queue with all it owns; harmless when it is not there."""

    async def publish(self, messages: Sequence[Message]) -> None:
        """Publish tasks in order, and wait only while too many are unconfirmed.

        Messages that were not confirmed when a connection is lost are published again.
        """

    async def flush(self) -> None:
        """Wait until everything published or settled so far is confirmed."""

    @property
    def confirmed(self) -> int:
        """How many of the published messages, counted from the first without a gap, are confirmed."""

    @property
    def held_up(self) -> str | None:
        """Why the broker takes no messages at the moment, or None."""

    async def consume(self, listener: Listener, prefetch: int) -> None:
        """Begin to receive tasks, at most `prefetch` unsettled ones, or go on with another number of them.

        A lost connection is mended behind the scenes; `failed` tells when that was given up.
        """

    async def pause(self) -> None:
        """Receive nothing more; what is held stays held."""

    def settle(self, delivery: Delivery, outcome: Outcome) -> None:
        """Publish the outcome, wait for its confirm, then acknowledge; all of it behind the scenes.

        Should the connection be lost on the way, the broker delivers the task again, and if that is to here
        the outcome is settled then, without asking the listener. A delivery that is gone is let go.
        """

    def hand_back(self, deliveries: Sequence[Delivery]) -> None:
        """Return tasks that did not run here; it costs them nothing."""

    @property
    def unsettled(self) -> int:
        """How many outcomes are on their way to the broker."""

    async def failed(self) -> None:
        """Wait until the broker is lost for good, and raise why; to be cancelled when that is not wanted."""

    async def drained(self) -> bool:
        """Whether no task is ready or delayed, as far as one look can tell."""

    async def counts(self) -> Counts:
        """How many tasks are in each state, now."""

    def waiting_ids(self) -> AsyncIterator[str]:
        """Ids of the messages that are ready, delayed or processed; none where the broker cannot tell."""

    def results(self, *, follow: bool = False) -> AsyncIterator[Sequence[bytes]]:
        """Result rows in the order they came, in batches, without consuming them.

        Args:
            follow: Wait for more instead of ending at the last row; empty batches mark the waiting.
        """

    def failures(self) -> AsyncIterator[FailedTask]:
        """Failed tasks, the oldest first, without consuming them."""

    async def sweep(self, decide: Callable[[FailedTask], Verdict | Message]) -> int:
        """Look at every failed task once and keep it, discard it, or publish it as the message given.

        Returns how many were taken out. A task is taken out only after its message is confirmed.
        """

    async def inspect(self) -> list[Finding]:
        """What is to be said about this broker and this queue, for `doctor`."""


class Finding(msgspec.Struct, frozen=True):
    """One line of a diagnosis.

    Args:
        ok: Whether all is as it should be.
        text: What was found, and the way out where it is not.
    """

    ok: bool
    text: str
