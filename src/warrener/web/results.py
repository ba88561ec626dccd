"""Results: the newest of them, and all of them as a file."""

from __future__ import annotations

import asyncio
import io
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

from warrener.collector import distinct
from warrener.id_set import IdSet
from warrener.latest import superseded
from warrener.rows import Summary
from warrener.web.failure_list import whole
from warrener.web.shown import row_members
from warrener.writers import ResultWriter

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence

    from warrener.brokers import Broker
    from warrener.web.watch import Watch
    from warrener.writers import Format
    from warrener.writers.parquet import Table

_USUAL: Final = 50
_MOST: Final = 500
_DEPTH: Final = 10_000
"""Rows from the end that are looked through,"""
_ENOUGH: Final = 64 << 20
"""or as many as have so many bytes."""

_HOLDS: Final = 1.0  # seconds
_PART: Final = 256 * 1024  # bytes


class Newest:
    """The newest rows, for all who look: read at most once a second."""

    def __init__(self) -> None:
        self._reading = asyncio.Lock()
        self._rows: Sequence[bytes] = ()
        self._asked = 0
        self._until = 0.0

    async def rows(self, broker: Broker, most: int) -> Sequence[bytes]:
        """The last rows, at most so many, fewer where they are large, the newest first. Raises: as `Reader.newest_results`."""
        async with self._reading:
            now = asyncio.get_running_loop().time()
            if now > self._until or most > self._asked:
                self._rows = [*reversed(await broker.newest_results(most, enough=_ENOUGH))]
                self._asked, self._until = most, asyncio.get_running_loop().time() + _HOLDS
            return self._rows[:most]


async def newest(watch: Watch, query: Mapping[str, str]) -> dict[str, Any]:
    """A page of results, the newest first; or the row of one task.

    Raises:
        UsageError: The query is none.
        BrokerError: The results cannot be read.
    """
    if task_id := query.get("id"):
        line = await watch.find_row(task_id)
        found = [row_members(line, is_alone=True)] if line else []
        return {"rows": found, "next": None, "looked_through": watch.rows_read[0]}
    broker = await watch.broker()
    limit = whole(query.get("limit", ""), "limit", _USUAL, 1, _MOST)
    skip = whole(query.get("before", ""), "before", 0, 0, _DEPTH)
    text = query.get("text", "").lower()
    most = _DEPTH if text else min(_DEPTH, skip + limit)
    lines = await watch.newest.rows(broker, most)
    wanted = [line for line in lines if text in line.decode("utf-8", "replace").lower()] if text else lines
    rows = [row for line in wanted[skip : skip + limit] if (row := row_members(line)) is not None]
    has_more = len(wanted) > skip + limit if text else len(lines) == skip + limit < _DEPTH
    return {"rows": rows, "next": str(skip + limit) if has_more else None, "looked_through": len(lines)}


async def download(broker: Broker, form: Format) -> AsyncIterator[bytes]:
    """One row per task, as `warrener results` writes them. Raises: as `newest`."""
    file = io.BytesIO()
    writer = ResultWriter(file, form)
    async with aclosing(await _distinct(broker)) as batches:
        async for rows in batches:
            writer.write(rows)
            if file.tell() > _PART:
                yield _taken(file)
    writer.finish()
    yield _taken(file)


async def download_parquet(broker: Broker, table: Table) -> AsyncIterator[bytes]:
    """The same as a Parquet file. Raises: as `newest`."""
    async with aclosing(await _distinct(broker)) as batches:
        async for rows in batches:
            if part := await asyncio.to_thread(table.write, rows):
                yield part
    yield await asyncio.to_thread(table.finish)


async def _distinct(broker: Broker) -> AsyncGenerator[list[bytes]]:
    return distinct(broker, IdSet(), Summary(), await superseded(broker))


def _taken(file: io.BytesIO) -> bytes:
    part = file.getvalue()
    file.seek(0)
    file.truncate()
    return part
