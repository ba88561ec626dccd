"""What the file holds, told without using it up: counts, results and failures; and failures taken out."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from warrener.brokers.protocol import Counts, Depths, FailedTask, Message, Verdict
from warrener.brokers.row_times import count_at
from warrener.brokers.sqlite import clock
from warrener.brokers.sqlite.claims import MESSAGE, trace_of
from warrener.brokers.sqlite.file import DELAYED, IN_ORDER, PROCESSING, READY
from warrener.brokers.sqlite.publishing import insert
from warrener.codec import decode_record

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from warrener.brokers.sqlite.file import File
    from warrener.brokers.sqlite.writer import Writer

PAGE: Final = 2000
PAGE_BYTES: Final = 16 << 20
POLL: Final = 0.05
_MOST_COUNTED: Final = 250_000
"""Ready tasks that are counted one by one for their priority, in 11 ms."""
_IN_STATE: Final = "SELECT count(*) FROM tasks WHERE state"
_COMPLETED: Final = "SELECT coalesce(max(seq), 0) FROM results"
"""How many rows there are: they are only ever added, so the last one's number tells."""
_Page = list[tuple[int, FailedTask]]


def count(file: File) -> Counts:
    """How many tasks are in each state, all at one moment."""
    query = (
        f"SELECT {_ready(file)}, ({_IN_STATE} = {DELAYED}), ({_IN_STATE} = {PROCESSING}), ({_COMPLETED}),"  # noqa: S608 - these are no values
        " (SELECT count(*) FROM failures),"
        " (SELECT count(*) FROM workers, pragma_user_version WHERE lease >= ? AND user_version = ?)"
    )
    row = file.db.execute(query, (clock.now(), clock.boot_number())).fetchone()
    ready, delayed, processing, completed, failed, workers = row
    return Counts(
        ready=ready,
        processing=processing,
        delayed=delayed,
        completed=completed,
        failed=failed,
        workers=workers,
    )


def _ready(file: File) -> str:
    """What counts the ready tasks: where an index has all tasks, as all but the others, which are few."""
    if IN_ORDER in file.lacks:
        return f"({_IN_STATE} = {READY})"
    return f"(SELECT count(*) FROM tasks) - ({_IN_STATE} > {READY}) - ({_IN_STATE} < {READY})"  # noqa: S608


def ready_by_priority(file: File) -> Mapping[int, int] | None:
    """How many tasks of each priority are ready; None where several have so many that to count them takes too long."""
    found: Counter[int] = Counter()
    left, can_take_off = _MOST_COUNTED, IN_ORDER not in file.lacks
    rest: int | None = None
    with file.snapshot() as db:
        here = _next_priority(db)
        while here:
            value, priority = here
            below = _next_priority(db, value)
            is_last = not below and rest is None
            count = left + 1 if is_last and can_take_off else _count_up_to(db, value, left + 1)
            if count <= left:
                found[priority] += count
                left -= count
            elif rest is None and can_take_off:
                rest = priority  # has what the others have not
            else:
                return None
            here = below
        if rest is not None:
            (ready,) = db.execute(f"SELECT {_ready(file)}").fetchone()
            found[rest] += ready - found.total()
    return found


def _next_priority(db: sqlite3.Connection, above: object = None) -> tuple[object, int] | None:
    """The highest priority that is ready, below another one, as it lies there and as a number."""
    below, values = ("", ()) if above is None else ("AND priority < ?", (above,))
    query = f"SELECT priority, CAST(priority AS INTEGER) FROM tasks WHERE state = {READY} {below} ORDER BY priority DESC LIMIT 1"  # noqa: S608 - these are no values
    row: tuple[object, int] | None = db.execute(query, values).fetchone()
    return row


def _count_up_to(db: sqlite3.Connection, priority: object, most: int) -> int:
    """How many of a priority are ready, at most so many; by the index, three times as quick as to group them."""
    query = f"SELECT count(*) FROM (SELECT 1 FROM tasks WHERE state = {READY} AND priority = ? LIMIT ?)"  # noqa: S608
    count: int = db.execute(query, (priority, most)).fetchone()[0]
    return count


def depths(file: File) -> Depths:
    """How many tasks whoever consumes sees where."""
    counted = count(file)
    return Depths(counted.ready, counted.delayed or 0, counted.failed)


async def results(writer: Writer, *, follow: bool) -> AsyncIterator[Sequence[bytes]]:
    """Result rows in batches."""
    query = "SELECT seq, CAST(body AS BLOB) FROM results WHERE seq >= ? ORDER BY seq LIMIT ?"
    last: tuple[int, bytes] | None = None
    while True:
        rows = await _page(writer, query, (last[0] if last else 0, PAGE), PAGE_BYTES)
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


async def newest_results(writer: Writer, most: int, enough: int | None) -> Sequence[bytes]:
    """The last rows, the oldest of them first."""
    rows = await _page(
        writer, "SELECT seq, CAST(body AS BLOB) FROM results ORDER BY seq DESC LIMIT ?", (most,), enough
    )
    return [body for _, body in reversed(rows)]


async def results_at(writer: Writer, first: int, most: int) -> Sequence[bytes]:
    """Rows from a place on; they are numbered from 1."""
    query = "SELECT seq, CAST(body AS BLOB) FROM results WHERE seq > ? ORDER BY seq LIMIT ?"
    return [body for _, body in await _page(writer, query, (first, most), PAGE_BYTES)]


async def _page(writer: Writer, query: str, values: Sequence[int], enough: int | None) -> list[Any]:
    """The rows of a query, up to the one by which its second column has enough bytes; two at least, as one may be known."""

    def read() -> list[Any]:
        found, size = [], 0
        with closing(writer.file.db.execute(query, values)) as rows:
            for row in rows:
                found.append(row)
                size += len(row[1])
                if enough is not None and size >= enough and len(found) > 1:
                    break
        return found

    return await writer.run(read)


async def completed_at(writer: Writer, times: Sequence[float]) -> Sequence[int]:
    """How many rows there were at these times."""
    return await writer.run(lambda: _completed_at(writer.file.db, times))


def _completed_at(db: sqlite3.Connection, times: Sequence[float]) -> Sequence[int]:
    def read(place: int) -> bytes:
        row: bytes = db.execute(
            "SELECT CAST(body AS BLOB) FROM results WHERE seq = ?", (place + 1,)
        ).fetchone()[0]
        return row

    return count_at(times, db.execute(_COMPLETED).fetchone()[0], read)


async def failures(writer: Writer) -> AsyncIterator[_Page]:
    """Those that there are now, in pages, by their numbers; what a replay lets fail again is not among them."""
    ((end,),) = await writer.select("SELECT coalesce(max(seq), 0) FROM failures")
    seen = 0
    trace = "NULL" if "failures.trace" in writer.file.lacks else "CAST(trace AS TEXT)"
    query = f"SELECT {MESSAGE}, {trace} FROM failures WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?"  # noqa: S608 - these are no values
    while rows := await _page(writer, query, (seen, end, PAGE), PAGE_BYTES):
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
