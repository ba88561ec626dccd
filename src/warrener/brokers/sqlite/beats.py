"""What workers told last, in a table of the queue's file, written with the leases."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from warrener.brokers.protocol import BEATS_LAST
from warrener.brokers.sqlite import clock

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import AsyncIterator, Sequence

    from warrener.brokers.sqlite.writer import Writer

_LOOK_EVERY: Final = 0.5  # seconds


def write(db: sqlite3.Connection, worker: int, now: float, body: bytes) -> None:
    """Put what a worker tells in the place of what it told before, within a transaction."""
    # Not in all files: those that were made before have none.
    db.execute(
        "CREATE TABLE IF NOT EXISTS beats (worker INTEGER PRIMARY KEY, at REAL NOT NULL, body BLOB NOT NULL)"
    )
    db.execute("DELETE FROM beats WHERE worker NOT IN (SELECT id FROM workers)")
    db.execute("INSERT OR REPLACE INTO beats VALUES (?, ?, ?)", (worker, now, body))


async def read(writer: Writer) -> AsyncIterator[Sequence[bytes]]:
    """What workers tell whose leases hold, in batches."""
    seen: dict[int, float] = {}
    while True:
        told = await writer.run(_told, writer)
        yield [body for worker, at, body in told if seen.get(worker) != at]
        seen = {worker: at for worker, at, _ in told}
        await asyncio.sleep(_LOOK_EVERY)


def _told(writer: Writer) -> list[tuple[int, float, bytes]]:
    db = writer.file.db
    if not db.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'beats'").fetchone():
        return []
    query = (
        "SELECT worker, at, CAST(body AS BLOB) FROM beats JOIN workers ON id = worker, pragma_user_version"
        " WHERE lease >= ? AND at > ? AND user_version = ?"
    )
    now = clock.now()
    return db.execute(query, (now, now - BEATS_LAST, clock.boot_number())).fetchall()
