"""The rows of one batch, read from the stream while it runs, and written as soon as they are known to be its own."""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Final, Protocol

from warrener.history import Took
from warrener.published import HAS_ROW, OF_SOURCE, mark_of_task
from warrener.rows import QUIET, Summary, readable_rows
from warrener.temporary import kept

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from warrener.brokers import Broker
    from warrener.publication import Publication
    from warrener.rows import Row

_IN_MEMORY: Final = 8 * 1024 * 1024
_AT_A_TIME: Final = 1 << 18  # bytes
_KEPT: Final = "rows from before"


class Sink(Protocol):
    """Where rows go: a file of results, or whoever reads them in this program."""

    def write(self, rows: Sequence[bytes]) -> None:
        """Take rows, each one a JSON object."""

    def flush(self) -> None:
        """Let readers see what was written."""


class BatchRows:
    """Reads the stream once, from its beginning: what was there before says what need not run again.

    Until the source is read to its end, nobody knows whether a row that is of no task so far belongs to a later line or to
    an earlier wording: such rows are set aside, on disk when they are many.

    Args:
        publication: Whose rows.
        sink: Where to; None to write nothing.
    """

    def __init__(self, publication: Publication, sink: Sink | None) -> None:
        self.summary = Summary()
        """What was written so far."""
        self.count = 0
        """How many rows were read, of whatever task."""
        self.took = Took()
        """How long the tasks took whose rows were written."""
        self._publication = publication
        self._sink = sink
        self._aside = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - closed by `close`
        self._changed = asyncio.Condition()
        self._quiet = 0  # how often in a row nothing more was there

    async def read(self, broker: Broker) -> None:
        """Read until cancelled.

        Raises:
            BrokerError: The results cannot be read.
            WarrenerError: They cannot be kept, or not be written.
        """
        async with aclosing(broker.results(follow=True)) as batches:  # type: ignore[type-var]
            async for batch in batches:
                self._take(readable_rows(batch, self.summary))
                self.count += len(batch)
                self._quiet = 0 if batch else self._quiet + 1
                if not batch and self._sink:
                    self._sink.flush()
                async with self._changed:
                    self._changed.notify_all()

    async def have(self, count: int) -> None:
        """Wait until so many rows were read, or all that there are, where the broker counts more."""
        self._quiet = 0
        async with self._changed:
            await self._changed.wait_for(lambda: self.count >= count or self._quiet >= QUIET)

    async def end_source(self) -> set[str]:
        """The source is read to its end: write what was set aside and is its own after all.

        Returns the ids of the rows that are not: of those that the source has, too, it says the wording that counts.
        """
        others: set[str] = set()
        async for rows in self._set_aside():
            own: list[Row] = []
            for row in rows:
                if self._publication.has(row.task_id, row.wording):
                    own.append(row)
                else:
                    others.add(row.task_id)
            self._write(own)
        return others

    async def own_among(self, ids: set[str]) -> list[bytes]:
        """The marks of its own rows from before that have one of these ids. Call it after `end_source`."""
        found: list[bytes] = []
        if ids:
            async for rows in self._set_aside():
                found += [
                    mark_of_task(row.task_id, row.wording)
                    for row in rows
                    if row.task_id in ids and self._publication.has(row.task_id, row.wording)
                ]
        return found

    def close(self) -> None:
        """Let go of what was set aside."""
        with suppress(OSError):  # what the disk has not taken is not wanted any more
            self._aside.close()

    async def _set_aside(self) -> AsyncIterator[list[Row]]:
        """What was set aside, a part at a time, between which others have their turn: to read a million takes seconds."""
        with kept(_KEPT):
            self._aside.seek(0)
        while lines := self._next_lines():
            yield readable_rows([line.rstrip(b"\n") for line in lines], Summary())
            await asyncio.sleep(0)

    def _next_lines(self) -> list[bytes]:
        with kept(_KEPT):
            return self._aside.readlines(_AT_A_TIME)

    def _take(self, rows: list[Row]) -> None:
        own, aside = [], []
        for row in rows:
            had = self._publication.marks.add(mark_of_task(row.task_id, row.wording), HAS_ROW)
            is_first, is_own = not had & HAS_ROW, bool(had & OF_SOURCE)
            if is_own and is_first:
                own.append(row)
            elif is_own:
                self.summary.duplicates += 1
            elif not self._publication.is_read and is_first:
                aside.append(row.line + b"\n")
        with kept(_KEPT):
            self._aside.writelines(aside)
        self._write(own)

    def _write(self, rows: list[Row]) -> None:
        self.summary.completed += len(rows)
        self.summary.retries += sum(row.attempts - 1 for row in rows)
        lines = [row.line for row in rows]
        self.took.add(lines)
        if self._sink:
            self._sink.write(lines)
