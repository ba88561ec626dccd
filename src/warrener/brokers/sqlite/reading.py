"""What the file holds, told without using it up: counts, results and failures; and failures taken out."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Final

from warrener.brokers.protocol import Counts, Depths, FailedTask, Message, Verdict
from warrener.brokers.row_times import count_at
from warrener.brokers.sqlite import clock
from warrener.brokers.sqlite.claims import MESSAGE, trace_of
from warrener.brokers.sqlite.file import DELAYED, PROCESSING, READY
from warrener.brokers.sqlite.publishing import insert
from warrener.codec import decode_record

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from warrener.brokers.sqlite.writer import Writer

PAGE: Final = 2000
POLL: Final = 0.05
_MOST_COUNTED: Final = 250_000
"""Ready tasks that are counted by priority, in 20 ms."""
_Page = list[tuple[int, FailedTask]]


def count(db: sqlite3.Connection) -> Counts:
    """How many tasks are in each state."""
    # One by one, so that each is counted in its own small index, and not in the tasks themselves.
    query = "SELECT count(*) FROM tasks WHERE state = "
    ready, delayed, processing = (
        db.execute(f"{query}{state}").fetchone()[0] for state in (READY, DELAYED, PROCESSING)
    )
    completed = _completed(db)
    failed = db.execute("SELECT count(*) FROM failures").fetchone()[0]
    query = "SELECT count(*) FROM workers, pragma_user_version WHERE lease >= ? AND user_version = ?"
    workers = db.execute(query, (clock.now(), clock.boot_number())).fetchone()[0]
    return Counts(
        ready=ready,
        processing=processing,
        delayed=delayed,
        completed=completed,
        failed=failed,
        workers=workers,
    )


def ready_by_priority(db: sqlite3.Connection) -> Mapping[int, int] | None:
    """How many tasks of each priority are ready; None of so many that to count them takes too long."""
    found: Counter[int] = Counter()
    left, below, values = _MOST_COUNTED, "", ()
    while True:
        # From one to the next by the index, and each counted in it: three times as quick as to group them.
        query = f"SELECT priority, CAST(priority AS INTEGER) FROM tasks WHERE state = {READY} {below} ORDER BY priority DESC LIMIT 1"  # noqa: S608 - these are no values
        row = db.execute(query, values).fetchone()
        if row is None:
            return found
        query = f"SELECT count(*) FROM (SELECT 1 FROM tasks WHERE state = {READY} AND priority = ? LIMIT ?)"  # noqa: S608
        (count,) = db.execute(query, (row[0], left + 1)).fetchone()
        if count > left:
            return None
        found[row[1]] += count
        left, below, values = left - count, "AND priority < ?", row[:1]


def depths(db: sqlite3.Connection) -> Depths:
    """How many tasks whoever consumes sees where."""
    counted = count(db)
    return Depths(counted.ready, counted.delayed or 0, counted.failed)


async def results(writer: Writer, *, follow: bool) -> AsyncIterator[Sequence[bytes]]:
    """Result rows in batches."""
    query = "SELECT seq, CAST(body AS BLOB) FROM results WHERE seq >= ? ORDER BY seq LIMIT ?"
    last: tuple[int, bytes] | None = None
    while True:
        rows = await writer.select(query, (last[0] if last else 0, PAGE))
        if last:
            if rows[:1] != [last]:  # after a purge numbers begin anew, with other rows
                last = None
                continue
            del rows[0]
        if rows:
            last = rows[-1]
        elif not follow:
            return
        yield [body for _, body in rows]
        if not rows:
            await asyncio.sleep(POLL)


async def newest_results(writer: Writer, most: int) -> Sequence[bytes]:
    """The last rows, the oldest of them first."""
    rows = await writer.select("SELECT CAST(body AS BLOB) FROM results ORDER BY seq DESC LIMIT ?", (most,))
    return [body for (body,) in reversed(rows)]


async def results_at(writer: Writer, first: int, most: int) -> Sequence[bytes]:
    """Rows from a place on; they are numbered from 1."""
    query = "SELECT CAST(body AS BLOB) FROM results WHERE seq > ? ORDER BY seq LIMIT ?"
    return [body for (body,) in await writer.select(query, (first, most))]


def _completed(db: sqlite3.Connection) -> int:
    """How many rows there are: they are only ever added, so the last one's number tells."""
    count: int = db.execute("SELECT coalesce(max(seq), 0) FROM results").fetchone()[0]
    return count


async def completed_at(writer: Writer, times: Sequence[float]) -> Sequence[int]:
    """How many rows there were at these times."""
    return await writer.run(lambda: _completed_at(writer.file.db, times))


def _completed_at(db: sqlite3.Connection, times: Sequence[float]) -> Sequence[int]:
    def read(place: int) -> bytes:
        row: bytes = db.execute(
            "SELECT CAST(body AS BLOB) FROM results WHERE seq = ?", (place + 1,)
        ).fetchone()[0]
        return row

    return count_at(times, _completed(db), read)


async def failures(writer: Writer) -> AsyncIterator[_Page]:
    """Those that there are now, in pages, by their numbers; what a replay lets fail again is not among them."""
    ((end,),) = await writer.select("SELECT coalesce(max(seq), 0) FROM failures")
    seen = 0
    trace = "NULL" if "failures.trace" in writer.file.lacks else "CAST(trace AS TEXT)"
    query = f"SELECT {MESSAGE}, {trace} FROM failures WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?"  # noqa: S608 - these are no values
    while rows := await writer.select(query, (seen, end, PAGE)):
        yield [
            (seq, FailedTask(body, message_id, priority, decode_record(record), trace_of(trace)))
            for seq, body, message_id, priority, record, trace in rows
        ]
        seen = rows[-1][0]


async def sweep(writer: Writer, decide: Callable[[FailedTask], Verdict | Message]) -> int:
    """Decide on each failure that there is now; how many were taken out."""
    taken = 0
    async for page in failures(writer):
        verdicts: list[tuple[int, Verdict | Message]] = []
        try:
            for seq, task in page:
                verdicts.append((seq, decide(task)))
        finally:
            taken += await writer.run(_take_out, writer, verdicts)
    return taken


def _take_out(writer: Writer, verdicts: list[tuple[int, Verdict | Message]]) -> int:
    taken = 0
    with writer.file.transaction() as db:
        for seq, verdict in verdicts:
            if verdict is Verdict.KEEP:
                continue
            gone = db.execute("DELETE FROM failures WHERE seq = ?", (seq,)).rowcount
            if gone and isinstance(verdict, Message):
                insert(db, [verdict])
            taken += gone
    return taken
