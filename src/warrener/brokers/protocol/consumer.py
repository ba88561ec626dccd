"""The consumer's role: tasks out, each settled or requeued."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

from warrener.models import Record  # noqa: TC001 - msgspec reads the annotations when it runs

if TYPE_CHECKING:
    from collections.abc import Sequence

DELIVERY_LIMIT = 5
"""A task that came back from a lost worker so many times ends as `crashed`."""
REMEMBERED_FOR = 3600.0
"""Seconds for which is known what became of a task whose delivery was lost with a connection, for when it is delivered
again. For ever would be too long: one day another task may have the same id."""

Identity = tuple[str, int, "bytes | str | None"]


class Delivery(msgspec.Struct, eq=False):
    """A task in a worker's hands, until it is settled, requeued, or the connection is lost.

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
        """What it has in common with another delivery of the same message; two copies of one task have it in common, too."""
        return self.id, hash(self.body), self.record


class Completed(msgspec.Struct, frozen=True):
    """The task ended with this result row."""

    body: bytes


class Delayed(msgspec.Struct, frozen=True):
    """The attempt failed; the task comes back after one of the queue's retry delays, in milliseconds."""

    delay: int
    record: Record


class Failed(msgspec.Struct, frozen=True):
    """The task failed for good; its record names the reason."""

    record: Record


Outcome = Completed | Delayed | Failed


class Listener(Protocol):
    """Whoever consumes. Its methods are called from the event loop, and return at once."""

    def on_delivery(self, delivery: Delivery) -> None:
        """A task has come."""

    def on_lost(self) -> None:
        """The connection is gone and with it every unsettled delivery; the broker will deliver them again."""


class Consumer(Protocol):
    """Where tasks are taken. One listener at a time."""

    drain_pause: float
    """Seconds between the two looks that prove a queue drained."""

    async def consume(self, listener: Listener, prefetch: int) -> None:
        """Begin to receive tasks, at most `prefetch` unsettled ones, or go on with another number of them.

        A lost connection is mended behind the scenes; `wait_lost` says when that was given up. After a cancellation
        the former or the new number holds.

        Raises:
            QueueMissing: There is no queue.
        """

    async def pause(self) -> None:
        """Receive nothing more; what is held stays held, and can be settled. A second call changes nothing."""

    def settle(self, delivery: Delivery, outcome: Outcome) -> None:
        """Publish the outcome, wait for its confirm, then acknowledge; all of it behind the scenes.

        Should the connection be lost on the way, the broker delivers the task again, and if that is to here
        the outcome is settled then, without asking the listener. A delivery that is gone, was settled or requeued is let
        go: the first word counts.
        """

    def requeue(self, deliveries: Sequence[Delivery]) -> None:
        """Return tasks that did not run here; it costs them nothing. Those that are gone or settled are let go."""

    async def settled(self) -> None:
        """Wait until the broker knows all that was settled and requeued so far.

        What goes on being consumed goes on. A call that is cancelled leaves everything on its way.
        """

    @property
    def unsettled(self) -> int:
        """How many outcomes are on their way to the broker."""

    async def wait_lost(self) -> None:
        """Wait until the broker is lost for good, and raise why; to be cancelled when that is not wanted."""

    async def drained(self) -> bool:
        """Whether no task is ready or in any retry delay of the queue, as far as one look can tell.

        One that some worker holds may count as left or not. While the broker cannot be asked, the answer is no.
        """
