"""The embedded broker: one SQLite file, for any number of processes on one machine.

A claim is a lease: each consuming process has a row in `workers` that it renews, and whose end gives its tasks
back. Everything is written in few, large transactions: outcomes and new claims share one (a turn), and while
one is being written the next one gathers. A turn that fails is tried again with all that it had.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from warrener.brokers.protocol import (
    Counts,
    Delivery,
    FailedTask,
    Finding,
    Listener,
    Lost,
    Message,
    Outcome,
    Verdict,
)
from warrener.brokers.sqlite import clock
from warrener.brokers.sqlite.claims import MESSAGE, Claims, boot
from warrener.brokers.sqlite.file import DELAYED, PROCESSING, READY, File
from warrener.brokers.sqlite.publishing import Session
from warrener.codec import decode_record, encode_record
from warrener.errors import BrokerError, BrokerUnreachable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from warrener.address import Address

T = TypeVar("T")

_log = logging.getLogger("warrener.sqlite")

POLL: Final = 0.05
PAGE: Final = 2000
# So long a worker rides out a full disk or a locked file; as long as a lost RabbitMQ.
RETRY_FOR: Final = 300.0
RETRY_EVERY: Final = 1.0
_INSERT_TASK: Final = "INSERT INTO tasks (id, body, priority, record) VALUES (?, ?, ?, ?)"


class SqliteBroker:
    """One queue in one SQLite file. See `warrener.brokers.protocol.Broker` for what each method promises."""

    drain_pause = 0.0
    counts_late = 0.0
    max_body = 512 * 1024 * 1024  # half of what SQLite takes in one value, so that a row always fits
    blocked_reason = None

    def __init__(self, address: Address) -> None:
        self._address = address
        self._file = File(address.path, address.queue)
        self._claims = Claims(self._file)
        # One thread does all the writing: SQLite has one writer anyway, and the event loop is never held up.
        self._thread = ThreadPoolExecutor(1, "sqlite")
        self._listener: Listener | None = None
        self._prefetch = 0
        self._held: dict[int, Delivery] = {}
        self._outcomes: list[tuple[int, Outcome | None]] = []
        self._requeued: list[int] = []
        self._settling = 0
        self._wake = asyncio.Event()
        self._turned = asyncio.Condition()
        self._consumer: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        if await self._run(self._address.path.exists):
            await self._run(self._file.open)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._consumer:
            self._consumer.cancel()
            await asyncio.gather(self._consumer, return_exceptions=True)
        with suppress(BrokerError):
            await self._run(self._close)
        self._thread.shutdown()

    # --- the queue itself

    async def declare(self, delays: Sequence[int]) -> None:
        await self._run(self._file.create, delays)

    async def delays(self, wanted: Sequence[int]) -> list[int]:
        rows = await self._run(lambda: self._file.db.execute("SELECT length FROM delays").fetchall())
        return sorted({length for (length,) in rows} & set(wanted))

    async def purge(self) -> int:
        return await self._run(self._purge)

    async def delete(self) -> None:
        await self._run(self._remove)

    def _close(self) -> None:
        try:
            self._claims.give_up()
        finally:
            self._file.close()

    def _remove(self) -> None:
        self._close()
        self._file.remove()

    def _purge(self) -> int:
        with self._file.transaction() as db:
            dropped = db.execute("DELETE FROM tasks WHERE state != ?", (PROCESSING,)).rowcount
            dropped += db.execute("DELETE FROM results").rowcount
            dropped += db.execute("DELETE FROM failures").rowcount
        return dropped

    # --- publishing

    def publish_session(self) -> Session:
        return Session(self)

    def write(self, messages: Sequence[Message]) -> Awaitable[None]:
        """Begin to write tasks."""
        rows = [_row(message) for message in messages]

        def insert() -> None:
            with self._file.transaction() as db:
                db.executemany(_INSERT_TASK, rows)

        return self._run(insert)

    # --- working

    async def consume(self, listener: Listener, prefetch: int) -> None:
        self._listener, self._prefetch = listener, prefetch
        if self._consumer is None:
            await self._run(lambda: self._file.db)  # a missing queue is told here, not behind the scenes
            self._consumer = asyncio.create_task(self._take_turns())
        self._wake.set()

    async def pause(self) -> None:
        self._prefetch = 0

    def settle(self, delivery: Delivery, outcome: Outcome) -> None:
        self._outcomes.append((delivery.tag, outcome))
        self._settling += 1
        self._wake.set()

    def acknowledge(self, delivery: Delivery) -> None:
        self._outcomes.append((delivery.tag, None))
        self._settling += 1
        self._wake.set()

    def requeue(self, deliveries: Sequence[Delivery]) -> None:
        self._requeued.extend(delivery.tag for delivery in deliveries)
        self._settling += len(deliveries)
        self._wake.set()

    @property
    def unsettled(self) -> int:
        return self._settling

    async def settled(self) -> None:
        async with self._turned:
            await self._turned.wait_for(lambda: not self._settling or self._is_over)
        if self._settling and self._consumer:
            self._consumer.result()

    async def wait_lost(self) -> None:
        while self._consumer is None:
            await self._wake.wait()
            await asyncio.sleep(POLL)
        await asyncio.shield(self._consumer)

    async def drained(self) -> bool:
        try:
            rows = await self._select("SELECT EXISTS (SELECT 1 FROM tasks)", ())
        except BrokerUnreachable:  # which says nothing, and whoever works rides it out
            return False
        return rows == [(0,)]

    @property
    def _is_over(self) -> bool:
        return self._consumer is None or self._consumer.done()

    async def _take_turns(self) -> None:
        give_up_at = None
        try:
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(POLL):
                        await self._wake.wait()
                self._wake.clear()
                outcomes, self._outcomes = self._outcomes, []
                requeued, self._requeued = self._requeued, []
                room = max(0, self._prefetch - len(self._held))
                try:
                    was_lost, deliveries = await self._run(self._claims.turn, outcomes, requeued, room)
                except BrokerUnreachable as error:
                    self._outcomes[:0], self._requeued[:0] = outcomes, requeued
                    give_up_at = await self._hold_on(error, give_up_at)
                    continue
                if give_up_at is not None:
                    _log.warning("%s can be written again", self._address.path)
                    give_up_at = None
                if was_lost and self._listener:
                    # What was said meanwhile is of claims that were lost, and what has their numbers by now is new.
                    settled = [
                        Lost(self._held[tag].identity, outcome)
                        for tag, outcome in (*outcomes, *self._outcomes)
                        if tag in self._held
                    ]
                    self._settling -= len(self._outcomes) + len(self._requeued)
                    self._outcomes.clear()
                    self._requeued.clear()
                    self._held.clear()
                    self._listener.on_lost(settled)
                self._settling -= len(outcomes) + len(requeued)
                for tag, _ in outcomes:
                    self._held.pop(tag, None)
                for tag in requeued:
                    self._held.pop(tag, None)
                async with self._turned:
                    self._turned.notify_all()
                if len(deliveries) == room > 0:
                    self._wake.set()
                for delivery in deliveries:
                    self._held[delivery.tag] = delivery
                    if self._listener:
                        self._listener.on_delivery(delivery)
        finally:
            async with self._turned:
                self._turned.notify_all()

    async def _hold_on(self, error: BrokerUnreachable, give_up_at: float | None) -> float:
        """Pause before the next try; until when to try, or raise the error when that has passed."""
        if give_up_at is None:
            _log.warning("%s; trying again for %.0f s", error, RETRY_FOR)
            give_up_at = time.monotonic() + RETRY_FOR
        elif time.monotonic() > give_up_at:
            raise error
        await asyncio.sleep(RETRY_EVERY)
        return give_up_at

    # --- reading

    async def counts(self) -> Counts:
        return await self._run(self._count)

    async def waiting_ids(self) -> AsyncIterator[str]:
        seen = 0
        while rows := await self._select(
            "SELECT seq, CAST(id AS TEXT) FROM tasks WHERE seq > ? ORDER BY seq LIMIT ?", (seen, PAGE)
        ):
            seen = rows[-1][0]
            for _, task_id in rows:
                yield task_id

    async def results(self, *, follow: bool = False) -> AsyncIterator[Sequence[bytes]]:
        seen = 0
        query = "SELECT seq, CAST(body AS BLOB) FROM results WHERE seq > ? ORDER BY seq LIMIT ?"
        while rows := await self._select(query, (seen, PAGE)) or follow:
            if rows is True:
                yield []
                await asyncio.sleep(POLL)
                continue
            seen = rows[-1][0]
            yield [body for _, body in rows]

    async def failures(self) -> AsyncIterator[FailedTask]:
        async for page in self._failures():
            for _, task in page:
                yield task

    async def sweep(self, decide: Callable[[FailedTask], Verdict | Message]) -> int:
        taken = 0
        async for page in self._failures():
            taken += await self._run(self._take_out, [(seq, decide(task)) for seq, task in page])
        return taken

    async def inspect(self) -> list[Finding]:
        (check,) = await self._run(lambda: self._file.db.execute("PRAGMA quick_check(1)").fetchone())
        return [
            Finding(ok=True, text=f"embedded broker: {self._address.path}, SQLite {sqlite3.sqlite_version}"),
            Finding(ok=check == "ok", text=f"the file's own check: {check}"),
        ]

    def _count(self) -> Counts:
        # One by one, so that each is counted in its own small index, and not in the tasks themselves.
        query = "SELECT count(*) FROM tasks WHERE state = "
        ready, delayed, processing = (
            self._file.db.execute(f"{query}{state}").fetchone()[0] for state in (READY, DELAYED, PROCESSING)
        )
        # Rows of results are only ever added, so the last one's number is their count.
        completed = self._file.db.execute("SELECT coalesce(max(seq), 0) FROM results").fetchone()[0]
        failed = self._file.db.execute("SELECT count(*) FROM failures").fetchone()[0]
        query = "SELECT count(*) FROM workers, pragma_user_version WHERE lease >= ? AND user_version = ?"
        workers = self._file.db.execute(query, (clock.now(), boot())).fetchone()[0]
        return Counts(
            ready=ready,
            processing=processing,
            delayed=delayed,
            completed=completed,
            failed=failed,
            workers=workers,
        )

    async def _failures(self) -> AsyncIterator[list[tuple[int, FailedTask]]]:
        """Those that there are now, in pages; what a replay lets fail again is not among them."""
        ((end,),) = await self._select("SELECT coalesce(max(seq), 0) FROM failures", ())
        seen = 0
        query = f"SELECT {MESSAGE} FROM failures WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?"  # noqa: S608 - these are no values
        while rows := await self._select(query, (seen, end, PAGE)):
            yield [
                (seq, FailedTask(body, message_id, priority, decode_record(record)))
                for seq, body, message_id, priority, record in rows
            ]
            seen = rows[-1][0]

    def _take_out(self, verdicts: list[tuple[int, Verdict | Message]]) -> int:
        taken = 0
        with self._file.transaction() as db:
            for seq, verdict in verdicts:
                if verdict is Verdict.KEEP:
                    continue
                gone = db.execute("DELETE FROM failures WHERE seq = ?", (seq,)).rowcount
                if gone and isinstance(verdict, Message):
                    db.execute(_INSERT_TASK, _row(verdict))
                taken += gone
        return taken

    # --- SQLite itself

    async def _select(self, query: str, values: tuple[Any, ...]) -> list[Any]:
        return await self._run(lambda: self._file.db.execute(query, values).fetchall())

    def _run(self, function: Callable[..., T], *args: Any) -> Awaitable[T]:
        return asyncio.get_running_loop().run_in_executor(self._thread, self._file.guard, function, *args)


def _row(message: Message) -> tuple[str, bytes, int, bytes | None]:
    record = encode_record(message.record) if message.record else None
    return message.id, message.body, message.priority, record
