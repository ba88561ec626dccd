"""The journal's role: small records beside a queue, in the order they came, kept for as long as the queue."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence


class Log(Enum):
    """What is written down, and read, apart from the rest."""

    JOURNAL = "journal"
    """Whose the queue is, and what it has: a few records, which everybody may follow."""
    PUBLISHED = "published"
    """Which tasks were published: as many records as there are thousands of tasks, for whoever publishes."""
    CONTROL = "control"
    """Orders to the workers: a few records, which everybody may follow, and which a producer cannot write."""
    OUTPUT = "logs"
    """What tasks print, many pieces in a record, where the queue keeps it (`Admin.keep_output`): of many bytes the oldest make
    room. A purge drops it."""


class Journal(Protocol):
    """Where a queue's identity is kept. It ends with the queue, and all but the output outlives a purge."""

    async def note(self, log: Log, records: Sequence[bytes]) -> None:
        """Add records, in order, and wait until the broker has them. A call that is cancelled adds a beginning of them.

        Raises:
            QueueMissing: There is no queue, or not this log.
        """

    def noted(self, log: Log, *, follow: bool = False) -> AsyncIterator[Sequence[bytes]]:
        """The records from the first one on, in batches.

        Args:
            log: Which.
            follow: Wait for more instead of ending at the last one; an empty batch marks that all there was has come. What
                is new comes within a second or so.

        Raises:
            QueueMissing: There is no queue, or not this log; or, while following, another one in its place.
        """

    def output_since(self, at: float) -> AsyncIterator[Sequence[bytes]]:
        """The records of `Log.OUTPUT` that came from a time on, in batches, as far as there are any.

        Some that came before may be among them, but what is not asked for is not read where that can be had.

        Args:
            at: A Unix timestamp, by the broker's clock.

        Raises:
            QueueMissing: There is no queue, or it keeps no output.
        """
