"""The journal's records, in a table of the queue's file."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

from warrener.brokers.protocol import Log
from warrener.brokers.sqlite.reading import PAGE, POLL
from warrener.errors import QueueMissing

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import AsyncGenerator, Sequence

    from warrener.brokers.sqlite.file import File
    from warrener.brokers.sqlite.writer import Writer

# Every worker asks for orders, all the time.
_LOOK_FOR_ORDERS: Final = 0.5  # seconds
# So many bytes of what tasks print are kept, and so many records of it are read at a time.
MOST_OUTPUT: Final = 256 * 1024 * 1024
_OUTPUT_PAGE: Final = 50
# To weigh all of it takes as long as there are many records, so that each process does it once in so great a part of it.
_WEIGHINGS: Final = 256


def note(writer: Writer, log: Log, records: Sequence[bytes]) -> None:
    """Add records."""
    with writer.file.transaction() as db:
        if log is Log.OUTPUT:
            _note_output(writer.file, db, records)
            return
        rows = [(log.value, record) for record in records]
        db.executemany("INSERT INTO noted (log, body) VALUES (?, ?)", rows)


def keep_output(writer: Writer) -> None:
    """Make what tasks print have its place."""
    with writer.file.transaction() as db:
        # Numbers are not used again, so that a reader whom the oldest rows, or all, are taken from goes on.
        db.execute(
            "CREATE TABLE IF NOT EXISTS output (seq INTEGER PRIMARY KEY AUTOINCREMENT, body BLOB NOT NULL, at REAL)"
        )
        db.execute("CREATE INDEX IF NOT EXISTS output_at ON output (at)")


def drop_output(db: sqlite3.Connection) -> None:
    """Drop what tasks have printed, within a transaction."""
    if _keeps_output(db):
        db.execute("DELETE FROM output")


def _note_output(file: File, db: sqlite3.Connection, records: Sequence[bytes]) -> None:
    if not _keeps_output(db):
        raise QueueMissing("the queue keeps no output")
    now = time.time()
    db.executemany("INSERT INTO output (body, at) VALUES (?, ?)", [(record, now) for record in records])
    file.unweighed += sum(map(len, records))
    if file.unweighed <= MOST_OUTPUT // _WEIGHINGS:
        return
    file.unweighed = 0
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


def noted(writer: Writer, log: Log, *, follow: bool) -> AsyncGenerator[Sequence[bytes]]:
    """The records in batches."""
    if log is Log.OUTPUT:
        return output(writer, follow=follow)
    query = "SELECT seq, CAST(body AS BLOB) FROM noted WHERE seq > ? AND log = ? ORDER BY seq LIMIT ?"
    pause = _LOOK_FOR_ORDERS if log is Log.CONTROL else POLL
    return _records(writer, query, (log.value, PAGE), pause if follow else None)


async def output(
    writer: Writer, *, since: float | None = None, follow: bool = False
) -> AsyncGenerator[Sequence[bytes]]:
    """What tasks have printed, in batches; all of it, or what came from a time on."""
    if not await writer.run(lambda: _keeps_output(writer.file.db)):
        raise QueueMissing("the queue keeps no output")
    seen = 0
    if since is not None and "output.at" not in writer.file.lacks:
        query = "SELECT seq FROM output WHERE at < ? ORDER BY at DESC, seq DESC LIMIT 1"
        seen = max((seq for (seq,) in await writer.select(query, (since,))), default=0)
    query = "SELECT seq, CAST(body AS BLOB) FROM output WHERE seq > ? ORDER BY seq LIMIT ?"
    async with aclosing(_records(writer, query, (_OUTPUT_PAGE,), POLL if follow else None, seen)) as batches:
        async for records in batches:
            yield records


async def _records(
    writer: Writer, query: str, values: tuple[object, ...], pause: float | None, seen: int = 0
) -> AsyncGenerator[Sequence[bytes]]:
    """The records that a query finds after a number, and, with a pause between two looks, those to come."""
    while True:
        rows = await writer.select(query, (seen, *values))
        if not rows and pause is None:
            return
        yield [record for _, record in rows]
        if rows:
            seen = rows[-1][0]
        elif pause is not None:
            await asyncio.sleep(pause)
