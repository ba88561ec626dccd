"""The journal's records, in a table of the queue's file."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from warrener.brokers.protocol import Log
from warrener.brokers.sqlite.reading import PAGE, POLL
from warrener.errors import QueueMissing

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import AsyncIterator, Sequence

    from warrener.brokers.sqlite.writer import Writer

# Every worker asks for orders, all the time.
_LOOK_FOR_ORDERS: Final = 0.5  # seconds
# So many bytes of what tasks print are kept, and so many records of it are read at a time.
MOST_OUTPUT: Final = 256 * 1024 * 1024
_OUTPUT_PAGE: Final = 50


def note(writer: Writer, log: Log, records: Sequence[bytes]) -> None:
    """Add records."""
    with writer.file.transaction() as db:
        if log is Log.OUTPUT:
            _note_output(db, records)
            return
        rows = [(log.value, record) for record in records]
        db.executemany("INSERT INTO noted (log, body) VALUES (?, ?)", rows)


def keep_output(writer: Writer) -> None:
    """Make what tasks print have its place."""
    with writer.file.transaction() as db:
        # Numbers are not used again, so that a reader whom the oldest rows, or all, are taken from goes on.
        db.execute(
            "CREATE TABLE IF NOT EXISTS output (seq INTEGER PRIMARY KEY AUTOINCREMENT, body BLOB NOT NULL)"
        )


def drop_output(db: sqlite3.Connection) -> None:
    """Drop what tasks have printed, within a transaction."""
    if _keeps_output(db):
        db.execute("DELETE FROM output")


def _note_output(db: sqlite3.Connection, records: Sequence[bytes]) -> None:
    if not _keeps_output(db):
        raise QueueMissing("the queue keeps no output")
    db.executemany("INSERT INTO output (body) VALUES (?)", [(record,) for record in records])
    ((size, first),) = db.execute("SELECT sum(length(body)), min(seq) FROM output").fetchall()
    while size > MOST_OUTPUT:
        ((length, first),) = db.execute(
            "SELECT length(body), seq FROM output WHERE seq >= ? ORDER BY seq LIMIT 1", (first,)
        ).fetchall()
        db.execute("DELETE FROM output WHERE seq = ?", (first,))
        size -= length


def _keeps_output(db: sqlite3.Connection) -> bool:
    return (
        db.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'output'").fetchone()
        is not None
    )


async def noted(writer: Writer, log: Log, *, follow: bool) -> AsyncIterator[Sequence[bytes]]:
    """The records in batches."""
    query = "SELECT seq, CAST(body AS BLOB) FROM noted WHERE seq > ? AND log = ? ORDER BY seq LIMIT ?"
    values: tuple[object, ...] = (log.value, PAGE)
    if log is Log.OUTPUT:
        query = "SELECT seq, CAST(body AS BLOB) FROM output WHERE seq > ? ORDER BY seq LIMIT ?"
        values = (_OUTPUT_PAGE,)
        if not await writer.run(lambda: _keeps_output(writer.file.db)):
            raise QueueMissing("the queue keeps no output")
    seen = 0
    while True:
        rows = await writer.select(query, (seen, *values))
        if not rows and not follow:
            return
        yield [record for _, record in rows]
        if rows:
            seen = rows[-1][0]
        else:
            await asyncio.sleep(_LOOK_FOR_ORDERS if log is Log.CONTROL else POLL)
