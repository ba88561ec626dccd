"""What one caller publishes to the file: a batch is written while the next one is made."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from warrener.errors import MessageTooLarge

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from warrener.brokers.protocol import Message


class _Writer(Protocol):
    max_body: int

    def write(self, messages: Sequence[Message]) -> Awaitable[None]:
        """Begin to write tasks."""


class Session:
    """See `warrener.brokers.protocol.PublishSession`.

    Args:
        writer: Who writes.
    """

    def __init__(self, writer: _Writer) -> None:
        self.confirmed = 0
        self._writer = writer
        self._writing: asyncio.Future[None] | None = None
        self._turn = asyncio.Lock()

    async def publish(self, messages: Sequence[Message]) -> None:
        """Write the batch before, and begin with this one."""
        limit = self._writer.max_body
        too_large = next(
            (n for n, message in enumerate(messages) if len(message.body) > limit), len(messages)
        )
        async with self._turn:
            await self._written()
            self._writing = asyncio.ensure_future(self._write(messages[:too_large]))
        if too_large < len(messages):
            message = messages[too_large]
            raise MessageTooLarge(
                f"task {message.id!r} has {len(message.body):,} bytes; the embedded broker takes {limit:,}; pass a "
                "reference to large data instead of the data",
                limit,
            )

    async def flush(self) -> None:
        """Wait until all is written."""
        async with self._turn:
            await self._written()

    async def _write(self, messages: Sequence[Message]) -> None:
        await self._writer.write(messages)
        self.confirmed += len(messages)

    async def _written(self) -> None:
        if self._writing:
            writing = self._writing
            await asyncio.wait([writing])  # whoever waits may be cancelled; what is written is not
            self._writing = None
            writing.result()
