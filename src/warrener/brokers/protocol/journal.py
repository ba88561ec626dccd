"""The journal's role: a queue's small records of what was published and ordered, in the order they came, kept for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence


class Entry(msgspec.Struct, frozen=True):
    """One record of the journal.

    Args:
        body: JSON.
        is_order: Whether it came by the way that only operators may write to; whoever may publish tasks can write the
            others.
    """

    body: bytes
    is_order: bool = False


class Journal(Protocol):
    """Where a queue's identity is kept. It outlives a purge and ends with the queue."""

    async def note(self, entries: Sequence[Entry]) -> None:
        """Add records, in order, and wait until the broker has them. A call that is cancelled adds a beginning of them.

        Raises:
            QueueMissing: There is no queue.
            AccessRefused: This user may not write orders.
        """

    def journal(self, *, follow: bool = False) -> AsyncIterator[Sequence[Entry]]:
        """The records from the first one on, in batches.

        Args:
            follow: Wait for more instead of ending at the last one; an empty batch marks that all there was has come.
        """
