"""The embedded broker: one SQLite file, for any number of processes on one machine.

A claim is a lease: each consuming process has a row in `workers` that it renews, and whose end gives its tasks
back. Everything is written in few, large transactions.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Self

from warrener.address import EMBEDDED
from warrener.brokers.confirm_times import ConfirmTimes
from warrener.brokers.protocol import Counts, FailedTask, Finding, Log, Message, Verdict
from warrener.brokers.sqlite import beats, journal, reading
from warrener.brokers.sqlite.claims import Claims
from warrener.brokers.sqlite.consuming import Consuming
from warrener.brokers.sqlite.file import PROCESSING, File
from warrener.brokers.sqlite.publishing import Session
from warrener.brokers.sqlite.writer import Writer
from warrener.errors import BrokerUnreachable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from warrener.address import Address
    from warrener.brokers.protocol import Delivery, Depths, Listener, OnConfirmed, Outcome


class SqliteBroker:
    """One queue in one SQLite file. See `warrener.brokers.protocol.Broker` for what each method promises."""

    drain_pause = 0.0
    counts_late = 0.0
    blocked_reason = None

    system = "warrener"

    def __init__(self, address: Address) -> None:
        self.queue = address.queue
        self.max_body = 512 * 1024 * 1024  # half of what SQLite takes in one value, so that a row always fits
        self._file = File(address.path, address.queue, makes_directory=address.broker == EMBEDDED)
        self._claims = Claims(self._file)
        self._writer = Writer(self._file)
        self._consuming = Consuming(self._writer, self._claims)

    async def __aenter__(self) -> Self:
        await self._writer.run(self._open)
        return self

    def be_patient(self) -> None:
        """A file is always there."""

    async def __aexit__(self, *_: object) -> None:
        if not self._writer.is_closed:
            await self._consuming.close()
            await self._writer.close(self._close)

    def _open(self) -> None:
        if self._file.path.exists():
            self._file.open()

    def _close(self) -> None:
        try:
            self._claims.give_up(self._consuming.unfinished)
        finally:
            self._file.close()

    # --- the queue itself

    async def declare(self, delays: Sequence[int]) -> None:
        await self._writer.run(self._file.create, delays)

    async def keep_output(self) -> None:
        await self._writer.run(journal.keep_output, self._writer)

    async def delays(self, wanted: Sequence[int]) -> list[int]:
        rows = await self._writer.select("SELECT length FROM delays")
        return sorted({length for (length,) in rows} & set(wanted))

    async def purge(self) -> int:
        return await self._writer.run(self._purge)

    async def delete(self) -> None:
        await self._writer.run(self._delete)

    async def inspect(self) -> list[Finding]:
        ((check,),) = await self._writer.select("PRAGMA quick_check(1)")
        return [
            Finding(ok=True, text=f"embedded broker: {self._file.path}, SQLite {sqlite3.sqlite_version}"),
            Finding(ok=check == "ok", text=f"the file's own check: {check}"),
        ]

    def _purge(self) -> int:
        with self._file.transaction() as db:
            dropped = db.execute("DELETE FROM tasks WHERE state != ?", (PROCESSING,)).rowcount
            dropped += db.execute("DELETE FROM results").rowcount
            dropped += db.execute("DELETE FROM failures").rowcount
            journal.drop_output(db)
        return dropped

    def _delete(self) -> None:
        self._close()
        self._file.remove()

    # --- publishing

    def publish_session(self) -> Session:
        return Session(self._writer, lambda: self.max_body)

    # --- working

    async def consume(self, listener: Listener, prefetch: int) -> None:
        await self._consuming.consume(listener, prefetch)

    async def pause(self) -> None:
        await self._consuming.pause()

    def settle(self, delivery: Delivery, outcome: Outcome) -> None:
        self._consuming.settle(delivery, outcome)

    def acknowledge(self, delivery: Delivery) -> None:
        self._consuming.settle(delivery, None)

    def requeue(self, deliveries: Sequence[Delivery]) -> None:
        self._consuming.requeue(deliveries)

    @property
    def unsettled(self) -> int:
        return self._consuming.unsettled

    async def settled(self) -> None:
        await self._consuming.settled()

    async def wait_lost(self) -> None:
        await self._consuming.wait_lost()

    def beat(self, body: bytes) -> None:
        self._claims.beat = body

    def time_confirms(self, tell: OnConfirmed) -> None:
        self._consuming.confirm_times = self._consuming.confirm_times or ConfirmTimes()
        self._consuming.confirm_times.add(tell)

    @property
    def is_connected(self) -> bool:
        return self._consuming.is_writable

    async def depths(self) -> Depths:
        return await self._writer.run(reading.depths, self._file)

    async def drained(self) -> bool:
        try:
            rows = await self._writer.select("SELECT EXISTS (SELECT 1 FROM tasks)")
        except BrokerUnreachable:  # which says nothing, and whoever works rides it out
            return False
        return rows == [(0,)]

    # --- reading

    async def counts(self) -> Counts:
        return await self._writer.run(reading.count, self._file)

    async def ready_by_priority(self) -> Mapping[int, int] | None:
        return await self._writer.run(reading.ready_by_priority, self._file)

    def results(self, *, follow: bool = False) -> AsyncIterator[Sequence[bytes]]:
        return reading.results(self._writer, follow=follow)

    async def newest_results(self, most: int, *, enough: int | None = None) -> Sequence[bytes]:
        return await reading.newest_results(self._writer, most, enough)

    async def results_at(self, first: int, most: int) -> Sequence[bytes]:
        return await reading.results_at(self._writer, first, most)

    async def completed_at(self, times: Sequence[float]) -> Sequence[int]:
        return await reading.completed_at(self._writer, times)

    def beats(self) -> AsyncIterator[Sequence[bytes]]:
        return beats.read(self._writer)

    async def failures(self) -> AsyncIterator[FailedTask]:
        async for page in reading.failures(self._writer):
            for _, task in page:
                yield task

    async def sweep(self, decide: Callable[[FailedTask], Verdict | Message]) -> int:
        return await reading.sweep(self._writer, decide)

    # --- the journal

    async def note(self, log: Log, records: Sequence[bytes]) -> None:
        await self._writer.run(journal.note, self._writer, log, records)

    def noted(self, log: Log, *, follow: bool = False) -> AsyncIterator[Sequence[bytes]]:
        return journal.noted(self._writer, log, follow=follow)

    def output_since(self, at: float) -> AsyncIterator[Sequence[bytes]]:
        return journal.output(self._writer, since=at)
