"""What one caller publishes to the file: a batch is written while the next one is made."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from warrener.codec import encode_record
from warrener.errors import MessageTooLarge

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence

    from warrener.brokers.protocol import Message
    from warrener.brokers.sqlite.writer import Writer


_INSERT_TASK: Final = (
    "INSERT INTO tasks (id, body, priority, record, published, trace) VALUES (?, ?, ?, ?, ?, ?)"
)


def insert(db: sqlite3.Connection, messages: Sequence[Message]) -> None:
    """Add tasks, within a transaction."""
    now = time.time()
    db.executemany(
        _INSERT_TASK,
        [
            (
                message.id,
                message.body,
                message.priority,
                encode_record(message.record) if message.record else None,
                now,
                message.trace or None,
            )
            for message in messages
        ],
    )


class Session:
    """See `warrener.brokers.protocol.PublishSession`.

    Args:
        writer: Of the file.
        max_body: How many bytes a message may have.
    """

    def __init__(self, writer: Writer, max_body: Callable[[], int]) -> None:
        self.confirmed = 0
        self._writer = writer
        self._max_body = max_body
        self._writing: asyncio.Future[None] | None = None
        self._turn = asyncio.Lock()

    async def publish(self, messages: Sequence[Message]) -> None:
        """Write the batch before, and begin with this one."""
        limit = self._max_body()
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
        await self._writer.run(self._insert, messages)
        self.confirmed += len(messages)

    def _insert(self, messages: Sequence[Message]) -> None:
        with self._writer.file.transaction() as db:
            insert(db, messages)

    async def _written(self) -> None:
        if self._writing:
            writing = self._writing
            await asyncio.wait([writing])  # whoever waits may be cancelled; what is written is not
            writing.result()  # an error stays: what comes after a gap is never confirmed
            self._writing = None
