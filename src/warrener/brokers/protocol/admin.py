"""The admin's role: the queue itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence


class Finding(msgspec.Struct, frozen=True):
    """One line of a diagnosis.

    Args:
        ok: Whether all is as it should be.
        text: What was found, and the way out where it is not.
    """

    ok: bool
    text: str


class Admin(Protocol):
    """Where a queue is made, emptied and removed."""

    async def declare(self, delays: Sequence[int]) -> None:
        """Create whatever is missing of the queue and of these retry delays; harmless when all is there.

        Args:
            delays: In milliseconds.

        Raises:
            QueueMismatch: It exists with other arguments.
            AccessRefused: Something is missing, and this user may not create it.
        """

    async def keep_output(self) -> None:
        """Have the queue keep what tasks print (`Log.OUTPUT`); harmless when it does.

        Raises:
            QueueMissing: There is no queue.
            AccessRefused: It does not, and this user may not change that.
        """

    async def delays(self, wanted: Sequence[int]) -> list[int]:
        """Those of the wanted retry delays that exist, in milliseconds, shortest first. It changes nothing.

        Raises:
            QueueMissing: The queue was never declared.
        """

    async def purge(self) -> int:
        """Drop every task that is ready or delayed, every result and every failure, how many that were; and the output."""

    async def delete(self) -> None:
        """Remove the queue with all it owns; harmless when it is not there."""

    async def inspect(self) -> list[Finding]:
        """What is to be said about this broker and this queue, for `doctor`."""
