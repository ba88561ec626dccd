"""The journal's records, in a table of the queue's file."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from warrener.brokers.protocol import Log
from warrener.brokers.sqlite.reading import PAGE, POLL

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from warrener.brokers.sqlite.writer import Writer

# Every worker asks for orders, all the time.
_LOOK_FOR_ORDERS: Final = 0.5  # seconds


def note(writer: Writer, log: Log, records: Sequence[bytes]) -> None:
    """Add records."""
    with writer.file.transaction() as db:
        rows = [(log.value, record) for record in records]
        db.executemany("INSERT INTO noted (log, body) VALUES (?, ?)", rows)


async def noted(writer: Writer, log: Log, *, follow: bool) -> AsyncIterator[Sequence[bytes]]:
    """The records in batches."""
    query = "SELECT seq, CAST(body AS BLOB) FROM noted WHERE seq > ? AND log = ? ORDER BY seq LIMIT ?"
    seen = 0
    while True:
        rows = await writer.select(query, (seen, log.value, PAGE))
        if not rows and not follow:
            return
        yield [record for _, record in rows]
        if rows:
            seen = rows[-1][0]
        else:
            await asyncio.sleep(_LOOK_FOR_ORDERS if log is Log.CONTROL else POLL)
