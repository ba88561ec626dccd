"""The publisher's role: tasks in, each one confirmed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

from warrener.models import DEFAULT_PRIORITY, Record

if TYPE_CHECKING:
    from collections.abc import Sequence


class Message(msgspec.Struct, frozen=True):
    """A task to be published: its body, the properties it travels with, its record so far, and its trace (`trace_context`)."""

    body: bytes
    id: str
    priority: int = DEFAULT_PRIORITY
    record: Record | None = None
    trace: str = ""


class Publisher(Protocol):
    """Where tasks are published."""

    system: str
    """What kind of broker it is, as OpenTelemetry's conventions call it."""
    queue: str
    """The queue's name."""
    max_body: int
    """The largest message the broker takes, in bytes; it may learn of a lower limit when it is refused one."""

    def publish_session(self) -> PublishSession:
        """A new series of messages with its own count and its own errors; any number may be open. Nothing is sent yet."""

    @property
    def blocked_reason(self) -> str | None:
        """Why the broker takes no messages at the moment, or None."""


class PublishSession(Protocol):
    """The messages of one caller, in order.

    Sessions of one broker share its connection and know nothing of each other: what is refused in one is no error in
    another. Messages that were not confirmed when a connection is lost are published again. A session needs no closing;
    what it was given is sent even if nobody waits for it, as long as the broker is open.
    """

    async def publish(self, messages: Sequence[Message]) -> None:
        """Publish in order, and wait only while too many are unconfirmed.

        Calls that overlap keep the order within each. Of a call that is cancelled, a beginning is published.

        Raises:
            QueueMissing: There is no queue; `flush` may be what says so.
            MessageTooLarge: One is too large: those before it are published, it and those after it, also of calls that
                overlap, are not. The error may come from a later call, or from `flush`; it comes once, and the session
                goes on from there.
        """

    async def flush(self) -> None:
        """Wait until all that this session was given is confirmed. Consumers and other sessions do not notice.

        A call that is cancelled leaves everything on its way.

        Raises:
            MessageTooLarge: As `publish`.
        """

    @property
    def confirmed(self) -> int:
        """How many of its messages, counted from the first without a gap, are confirmed."""
