"""What one caller publishes to a queue in memory: it is there at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warrener.errors import MessageTooLarge

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from warrener.brokers.memory.queue import Queue
    from warrener.brokers.protocol import Message


class Session:
    """See `warrener.brokers.protocol.PublishSession`.

    Args:
        queue: Gives the queue, or raises that there is none.
        max_body: How many bytes a message may have.
    """

    def __init__(self, queue: Callable[[], Queue], max_body: Callable[[], int]) -> None:
        self.confirmed = 0
        self._queue = queue
        self._max_body = max_body

    async def publish(self, messages: Sequence[Message]) -> None:
        """Add what is not too large."""
        queue, limit = self._queue(), self._max_body()
        too_large = next(
            (n for n, message in enumerate(messages) if len(message.body) > limit), len(messages)
        )
        queue.publish(messages[:too_large])
        self.confirmed += too_large
        if too_large < len(messages):
            message = messages[too_large]
            raise MessageTooLarge(
                f"task {message.id!r} has {len(message.body):,} bytes; the broker in memory takes {limit:,}; pass a "
                "reference to large data instead of the data",
                limit,
            )

    async def flush(self) -> None:
        """Nothing is ever on its way."""
