"""The consumer's role: tasks out, each settled or requeued."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol
from uuid import uuid4

import msgspec

from warrener.models import Record  # noqa: TC001 - msgspec reads the annotations when it runs

if TYPE_CHECKING:
    from collections.abc import Sequence

DELIVERY_BACKSTOP = 100
"""A task that came back from lost workers and cut connections more often than that ends as `crashed`. The broker cannot tell
one from the other, so this is far off; whoever consumes decides long before, by losses that nothing explains."""

Identity = int
"""What deliveries of one message have in common within a process; those of its copies have it in common, too."""


class Delivery(msgspec.Struct, eq=False):
    """A task in a worker's hands, until it is settled, requeued, or the connection is lost.

    Args:
        body: The task as published.
        id: The message's own id; the body's `id` goes before it.
        priority: The message's priority; None where the broker knows none.
        record: What happened to it before, as JSON.
        lost: How often the broker had it back because a worker vanished, since it was last published.
        tag: The broker's own handle.
        explained: How many of these losses are known to be no fault of the task; whoever consumes says so.
        published_at: When it was published first, in seconds since the epoch, to the second on RabbitMQ; None where its
            producer did not say.
        trace: As `Message.trace`; it stays with the task over retries.
        is_again: Whether the broker has it back from a worker that was lost, cut off, or had it for too long, which counts as no
            loss: somebody may know it. One that was requeued may be taken for such.
        span: The context of the span that its attempt was, as `trace`; whoever runs it says so.
        made_id: See `name`; empty until somebody asks.
    """

    body: bytes
    id: str
    priority: int | None
    record: bytes | str | None
    lost: int
    tag: int
    explained: int = 0
    published_at: float | None = None
    trace: str = ""
    is_again: bool = False
    span: str = ""
    made_id: str = ""

    @property
    def name(self) -> str:
        """Its id; of a message without one an id that is made up for it, the same wherever it is told of this delivery."""
        if not self.id and not self.made_id:
            self.made_id = uuid4().hex
        return self.id or self.made_id

    @property
    def identity(self) -> Identity:
        """By which the message is known again when it is delivered once more; a digest, since many are kept for long."""
        return hash((self.id, self.body, self.record))


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
OnConfirmed = Callable[[Delivery, Outcome, float], None]
"""Told of a delivery, what it was settled with, and how many seconds its confirm took. It must return at once, and may not raise."""


class Lost(msgspec.Struct, frozen=True):
    """A delivery that was lost with the connection after it had been settled.

    Args:
        identity: The delivery's.
        outcome: What it was settled with, where the broker may not have it; None where it was confirmed, and only the
            acknowledgement may not have arrived.
    """

    identity: Identity
    outcome: Outcome | None


class Depths(msgspec.Struct, frozen=True):
    """How many tasks lie in a queue's parts, as far as whoever consumes may know.

    Args:
        ready: Those that nobody has.
        delayed: Those whose retry delay is not over.
        failed: Those that failed for good; None where this user may not see them.
    """

    ready: int
    delayed: int
    failed: int | None


class Listener(Protocol):
    """Whoever consumes. Its methods are called from the event loop, and return at once."""

    def on_delivery(self, delivery: Delivery) -> None:
        """A task has come."""

    def on_lost(self, settled: Sequence[Lost]) -> None:
        """The connection is gone, and every delivery with it; the broker will deliver again whatever it did not settle.

        To here or to another worker, at once or after long, each counted as lost once more. Nothing of it is remembered by
        the broker's client. Whoever listens may settle what comes back with the outcome it had, as long as the outcome is no
        larger than `max_body`, which may have become less; or acknowledge it where the outcome was confirmed.

        Args:
            settled: What had been settled and may come back nevertheless, copies as often as there were. Of outcomes that
                were confirmed long before, the broker is taken to have the acknowledgement: they are not among these.
        """


class Consumer(Protocol):
    """Where tasks are taken, by one listener all the time."""

    drain_pause: float
    """Seconds between the two looks that prove a queue drained."""

    async def consume(self, listener: Listener, prefetch: int) -> None:
        """Begin to receive tasks, at most `prefetch` unsettled ones, or go on with another number of them.

        The most urgent come first, and the oldest of these. What is held from before may come on top of a new number. A lost connection is mended behind the scenes; `wait_lost` says when that was given up. After a cancellation
        the former or the new number holds.

        Raises:
            QueueMissing: There is no queue.
        """

    async def pause(self) -> None:
        """Receive nothing more; what is held stays held, and can be settled.

        What was on its way comes before this returns, and nothing after. A second call, also at the same time, changes
        nothing. After a cancellation a few more may come.
        """

    def settle(self, delivery: Delivery, outcome: Outcome) -> None:
        """Publish the outcome, wait for its confirm, then acknowledge; all of it behind the scenes.

        Should the connection be lost on the way, `Listener.on_lost` is told. A delivery that is gone, was settled or
        requeued is let go: the first word counts.
        """

    def acknowledge(self, delivery: Delivery) -> None:
        """Settle a delivery whose outcome the broker has already. One that is gone, was settled or requeued is let go."""

    def requeue(self, deliveries: Sequence[Delivery]) -> None:
        """Return tasks that did not run here; it costs them nothing. Those that are gone or settled are let go.

        Where the broker counts a return as a loss, their record keeps the losses that are not explained.
        """

    async def settled(self) -> None:
        """Wait until the broker knows all that was settled and requeued so far; what is settled meanwhile is not waited for.

        What goes on being consumed goes on. A call that is cancelled leaves everything on its way.
        """

    @property
    def unsettled(self) -> int:
        """How many outcomes are on their way to the broker."""

    async def wait_lost(self) -> None:
        """Wait until the broker is lost for good, and raise why; to be cancelled when that is not wanted."""

    def beat(self, body: bytes) -> None:
        """Tell whoever looks just now what this worker does (`Reader.beats`), in place of what was told before.

        It never raises, and nobody waits for it: what cannot be told at once, since the broker is away or in alarm, the user
        may not, or the queue is older than that, is not told.
        """

    def time_confirms(self, tell: OnConfirmed) -> None:
        """Have `tell` called, too, when an outcome is confirmed, from the event loop; before `consume`.

        A broker whose outcomes are there at once tells nothing, and of those that are lost on their way none does.
        """

    @property
    def is_connected(self) -> bool:
        """Whether the broker is there, as far as is known just now."""

    async def depths(self) -> Depths:
        """How many tasks lie where; with a worker's rights, and at a cost that does not grow with their number by much."""

    async def drained(self) -> bool:
        """Whether no task is ready or in any retry delay of the queue, as far as one look can tell.

        One that some worker holds may count as left or not. While the broker cannot be asked, the answer is no.
        """
