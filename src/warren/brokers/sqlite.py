"""The embedded broker: one SQLite file, for any number of processes on one machine.

A claim is a lease: each consuming process has a row in `workers` that it renews, and whose end gives its tasks
back. Everything is written in few, large transactions: outcomes and new claims share one (a turn), and while
one is being written the next one gathers.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from warren.brokers.protocol import (
    DELIVERY_LIMIT,
    Completed,
    Counts,
    Delayed,
    Delivery,
    FailedTask,
    Finding,
    Listener,
    Message,
    Outcome,
    Verdict,
)
from warren.errors import BrokerError, QueueMissing
from warren.tasks import decode_record, encode

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence

    from warren.settings import Address

T = TypeVar("T")

LEASE: Final = 10.0
POLL: Final = 0.05
PAGE: Final = 2000
LOCK_TIMEOUT: Final = 10.0
_APPLICATION_ID: Final = 0x57415252  # "WARR", SQLite's own way to mark a file's format
_READY, _DELAYED, _PROCESSING = range(3)

_SCHEMA: Final = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS tasks (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL, body BLOB NOT NULL, priority INTEGER NOT NULL, record BLOB,
    state INTEGER NOT NULL DEFAULT {_READY}, due REAL, owner INTEGER, lost INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS ready ON tasks (priority DESC, seq) WHERE state = {_READY};
CREATE INDEX IF NOT EXISTS delayed ON tasks (due) WHERE state = {_DELAYED};
CREATE INDEX IF NOT EXISTS processing ON tasks (owner) WHERE state = {_PROCESSING};
CREATE TABLE IF NOT EXISTS results (seq INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS failures (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL, body BLOB NOT NULL, priority INTEGER NOT NULL, record BLOB);
CREATE TABLE IF NOT EXISTS workers (id INTEGER PRIMARY KEY AUTOINCREMENT, lease REAL NOT NULL);
CREATE TABLE IF NOT EXISTS rungs (length INTEGER PRIMARY KEY);
PRAGMA application_id = {_APPLICATION_ID};
COMMIT;
"""
_INSERT_TASK: Final = "INSERT INTO tasks (id, body, priority, record) VALUES (?, ?, ?, ?)"


class SqliteBroker:
    """One queue in one SQLite file. See `warren.brokers.protocol.Broker` for what each method promises."""

    drain_pause = 0.0
    counts_late = 0.0
    max_body = 512 * 1024 * 1024  # half of what SQLite takes in one value, so that a row always fits
    held_up = None

    def __init__(self, address: Address) -> None:
        self._address = address
        self._connection: sqlite3.Connection | None = None
        # One thread does all the writing: SQLite has one writer anyway, and the event loop is never held up.
        self._thread = ThreadPoolExecutor(1, "sqlite")
        self._publishing: asyncio.Future[None] | None = None
        self._published = 0
        self._listener: Listener | None = None
        self._prefetch = 0
        self._worker = 0
        self._renewed = 0.0
        self._held: dict[int, Delivery] = {}
        self._outcomes: list[tuple[int, Outcome]] = []
        self._handed_back: list[int] = []
        self._settling = 0
        self._wake = asyncio.Event()
        self._turned = asyncio.Condition()
        self._consumer: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        if self._address.path.exists():
            await self._run(self._open)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._consumer:
            self._consumer.cancel()
            await asyncio.gather(self._consumer, return_exceptions=True)
        with suppress(BrokerError):
            await self._run(self._close)
        self._thread.shutdown()

    # --- the queue itself

    async def declare(self, rungs: Sequence[int]) -> None:
        await self._run(self._create, rungs)

    async def rungs(self, wanted: Sequence[int]) -> list[int]:
        rows = await self._run(lambda: self._db.execute("SELECT length FROM rungs").fetchall())
        return sorted({length for (length,) in rows} & set(wanted))

    async def purge(self) -> int:
        return await self._run(self._purge)

    async def delete(self) -> None:
        await self._run(self._remove)

    def _open(self) -> None:
        path = self._address.path
        self._connection = db = sqlite3.connect(
            path, timeout=LOCK_TIMEOUT, isolation_level=None, check_same_thread=False
        )
        # In this order, since another process may be creating them, all at once.
        (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        (application,) = db.execute("PRAGMA application_id").fetchone()
        if application != _APPLICATION_ID and tables:
            db.close()
            self._connection = None
            raise BrokerError(f"{path} is an SQLite database of another program; name another file or queue")
        if not tables:
            db.close()
            self._connection = None
            return
        # FULL: a confirmed task survives a power cut, too, not only the end of this process.
        db.execute("PRAGMA synchronous = FULL")

    def _create(self, rungs: Sequence[int]) -> None:
        # Tasks and results are for this user alone, unless the user lets others in.
        self._address.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._connection is None:
            with suppress(FileExistsError):  # its -wal and -shm will have the same mode
                os.close(os.open(self._address.path, os.O_CREAT | os.O_EXCL, 0o600))
            db = sqlite3.connect(self._address.path, timeout=LOCK_TIMEOUT, isolation_level=None)
            try:
                db.execute("PRAGMA journal_mode = WAL")
                db.executescript(_SCHEMA)
            finally:
                db.close()
            self._open()
        missing = set(rungs) - {length for (length,) in self._db.execute("SELECT length FROM rungs")}
        if missing:
            with self._transaction() as db:
                db.executemany("INSERT OR IGNORE INTO rungs VALUES (?)", [(rung,) for rung in missing])

    def _purge(self) -> int:
        with self._transaction() as db:
            dropped = db.execute("DELETE FROM tasks WHERE state != ?", (_PROCESSING,)).rowcount
            dropped += db.execute("DELETE FROM results").rowcount
            dropped += db.execute("DELETE FROM failures").rowcount
        return dropped

    def _remove(self) -> None:
        self._close()
        for suffix in ("", "-wal", "-shm"):
            self._address.path.with_name(self._address.path.name + suffix).unlink(missing_ok=True)

    def _close(self) -> None:
        if self._connection is None:
            return
        try:
            if self._worker:
                with self._transaction() as db:
                    # All that this worker owns: what a cancelled turn claimed was never told to anyone here.
                    db.execute(
                        "UPDATE tasks SET state = 0, owner = NULL WHERE state = 2 AND owner = ?",
                        (self._worker,),
                    )
                    db.execute("DELETE FROM workers WHERE id = ?", (self._worker,))
        finally:
            self._connection.close()
            self._connection = None

    # --- publishing

    async def publish(self, messages: Sequence[Message]) -> None:
        await self.flush_published()
        rows = [_row(message) for message in messages]
        self._publishing = asyncio.ensure_future(self._run(self._insert, rows))

    async def flush(self) -> None:
        await self.flush_published()
        async with self._turned:
            await self._turned.wait_for(lambda: not self._settling or self._is_over)
        if self._settling and self._consumer:
            self._consumer.result()

    async def flush_published(self) -> None:
        """Wait for the batch that is being written."""
        if self._publishing:
            batch, self._publishing = self._publishing, None
            await batch

    @property
    def confirmed(self) -> int:
        return self._published

    def _insert(self, rows: list[tuple[Any, ...]]) -> None:
        with self._transaction() as db:
            db.executemany(_INSERT_TASK, rows)
        self._published += len(rows)

    # --- working

    async def consume(self, listener: Listener, prefetch: int) -> None:
        self._listener, self._prefetch = listener, prefetch
        if self._consumer is None:
            await self._run(lambda: self._db)  # a missing queue is told here, not behind the scenes
            self._consumer = asyncio.create_task(self._take_turns())
        self._wake.set()

    async def pause(self) -> None:
        self._prefetch = 0

    def settle(self, delivery: Delivery, outcome: Outcome) -> None:
        self._outcomes.append((delivery.tag, outcome))
        self._settling += 1
        self._wake.set()

    def hand_back(self, deliveries: Sequence[Delivery]) -> None:
        self._handed_back.extend(delivery.tag for delivery in deliveries)
        self._settling += len(deliveries)
        self._wake.set()

    @property
    def unsettled(self) -> int:
        return self._settling

    async def failed(self) -> None:
        while self._consumer is None:
            await self._wake.wait()
            await asyncio.sleep(POLL)
        await asyncio.shield(self._consumer)

    async def drained(self) -> bool:
        found = await self._run(lambda: self._db.execute("SELECT EXISTS (SELECT 1 FROM tasks)").fetchone())
        return not found[0]

    @property
    def _is_over(self) -> bool:
        return self._consumer is None or self._consumer.done()

    async def _take_turns(self) -> None:
        try:
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(POLL):
                        await self._wake.wait()
                self._wake.clear()
                outcomes, self._outcomes = self._outcomes, []
                handed_back, self._handed_back = self._handed_back, []
                room = max(0, self._prefetch - len(self._held))
                was_lost, deliveries = await self._run(self._turn, outcomes, handed_back, room)
                if was_lost and self._listener:
                    self._held.clear()
                    self._listener.on_lost()
                self._settling -= len(outcomes) + len(handed_back)
                for tag, _ in outcomes:
                    self._held.pop(tag, None)
                for tag in handed_back:
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

    def _turn(
        self, outcomes: list[tuple[int, Outcome]], handed_back: list[int], room: int
    ) -> tuple[bool, list[Delivery]]:
        """One transaction: settle, hand back, keep the lease, claim. Tells if the lease had ended before."""
        now = time.time()
        is_renewal = now - self._renewed > LEASE / 5 or now < self._renewed
        if not (outcomes or handed_back or is_renewal or (room and self._is_work_due(now))):
            return False, []
        was_lost = False
        with self._transaction() as db:
            if is_renewal:
                was_lost = self._renew(db, now)
                self._bring_back_lost(db, now)
            self._settle(db, outcomes, now)
            self._return(db, handed_back)
            claimed = self._claim(db, room, now) if room else []
        return was_lost, claimed

    def _is_work_due(self, now: float) -> bool:
        """A look without a write, so that an idle worker costs nothing."""
        query = (
            "SELECT EXISTS (SELECT 1 FROM tasks WHERE state = 0)"
            " OR EXISTS (SELECT 1 FROM tasks WHERE state = 1 AND due <= ?)"
        )
        return bool(self._db.execute(query, (now,)).fetchone()[0])

    def _renew(self, db: sqlite3.Connection, now: float) -> bool:
        self._renewed = now
        row = (now + LEASE, self._worker)
        if self._worker and db.execute("UPDATE workers SET lease = ? WHERE id = ?", row).rowcount:
            return False
        was_lost = bool(self._worker)
        self._worker = db.execute("INSERT INTO workers (lease) VALUES (?)", (now + LEASE,)).lastrowid or 0
        return was_lost

    def _bring_back_lost(self, db: sqlite3.Connection, now: float) -> None:
        returned = db.execute(
            "UPDATE tasks SET state = 0, owner = NULL, lost = lost + 1"
            " WHERE state = 2 AND owner NOT IN (SELECT id FROM workers WHERE lease >= ?)"
            " RETURNING seq, record, lost",
            (now,),
        ).fetchall()
        db.execute("DELETE FROM workers WHERE lease < ?", (now,))
        for seq, record, lost in returned:
            if lost > DELIVERY_LIMIT:
                failed = decode_record(record).add_lost(lost).fail("crashed")
                self._move_to_failures(db, seq, encode(failed))

    def _return(self, db: sqlite3.Connection, tags: list[int]) -> None:
        db.executemany(
            "UPDATE tasks SET state = 0, owner = NULL WHERE seq = ? AND owner = ?",
            [(tag, self._worker) for tag in tags],
        )

    def _settle(self, db: sqlite3.Connection, outcomes: list[tuple[int, Outcome]], now: float) -> None:
        for tag, outcome in outcomes:
            # A claim that was lost meanwhile is somebody else's now: an old copy must not settle it.
            mine = (tag, self._worker)
            if isinstance(outcome, Completed):
                if db.execute("DELETE FROM tasks WHERE seq = ? AND owner = ?", mine).rowcount:
                    db.execute("INSERT INTO results (body) VALUES (?)", (outcome.body,))
            elif isinstance(outcome, Delayed):
                db.execute(
                    "UPDATE tasks SET state = 1, owner = NULL, lost = 0, due = ?, record = ?"
                    " WHERE seq = ? AND owner = ?",
                    (now + outcome.rung / 1000, encode(outcome.record), *mine),
                )
            elif db.execute("SELECT 1 FROM tasks WHERE seq = ? AND owner = ?", mine).fetchone():
                self._move_to_failures(db, tag, encode(outcome.record))

    def _move_to_failures(self, db: sqlite3.Connection, seq: int, record: bytes) -> None:
        db.execute(
            "INSERT INTO failures (id, body, priority, record)"
            " SELECT id, body, priority, ? FROM tasks WHERE seq = ?",
            (record, seq),
        )
        db.execute("DELETE FROM tasks WHERE seq = ?", (seq,))

    def _claim(self, db: sqlite3.Connection, room: int, now: float) -> list[Delivery]:
        db.execute("UPDATE tasks SET state = 0, due = NULL WHERE state = 1 AND due <= ?", (now,))
        rows = db.execute(
            "UPDATE tasks SET state = 2, owner = ? WHERE seq IN"
            " (SELECT seq FROM tasks WHERE state = 0 ORDER BY priority DESC, seq LIMIT ?)"
            " RETURNING priority, seq, body, id, record, lost",
            (self._worker, room),
        ).fetchall()
        rows.sort(key=lambda row: (-row[0], row[1]))  # RETURNING keeps no order
        return [
            Delivery(body, message_id, priority, record, lost, seq)
            for priority, seq, body, message_id, record, lost in rows
        ]

    # --- reading

    async def counts(self) -> Counts:
        return await self._run(self._count)

    async def waiting_ids(self) -> AsyncIterator[str]:
        seen = 0
        while rows := await self._select(
            "SELECT seq, id FROM tasks WHERE seq > ? ORDER BY seq LIMIT ?", (seen, PAGE)
        ):
            seen = rows[-1][0]
            for _, task_id in rows:
                yield task_id

    async def results(self, *, follow: bool = False) -> AsyncIterator[Sequence[bytes]]:
        seen = 0
        query = "SELECT seq, body FROM results WHERE seq > ? ORDER BY seq LIMIT ?"
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
        (check,) = await self._run(lambda: self._db.execute("PRAGMA quick_check(1)").fetchone())
        return [
            Finding(ok=True, text=f"embedded broker: {self._address.path}, SQLite {sqlite3.sqlite_version}"),
            Finding(ok=check == "ok", text=f"the file's own check: {check}"),
        ]

    def _count(self) -> Counts:
        # One by one, so that each is counted in its own small index, and not in the tasks themselves.
        query = "SELECT count(*) FROM tasks WHERE state = "
        ready, delayed, processing = (
            self._db.execute(f"{query}{state}").fetchone()[0] for state in (_READY, _DELAYED, _PROCESSING)
        )
        # Rows of results are only ever added, so the last one's number is their count.
        completed = self._db.execute("SELECT coalesce(max(seq), 0) FROM results").fetchone()[0]
        failed = self._db.execute("SELECT count(*) FROM failures").fetchone()[0]
        query = "SELECT count(*) FROM workers WHERE lease >= ?"
        workers = self._db.execute(query, (time.time(),)).fetchone()[0]
        return Counts(
            ready=ready,
            processing=processing,
            delayed=delayed,
            completed=completed,
            failed=failed,
            workers=workers,
        )

    async def _failures(self) -> AsyncIterator[list[tuple[int, FailedTask]]]:
        seen = 0
        query = "SELECT seq, body, id, priority, record FROM failures WHERE seq > ? ORDER BY seq LIMIT ?"
        while rows := await self._select(query, (seen, PAGE)):
            yield [
                (seq, FailedTask(body, message_id, priority, decode_record(record)))
                for seq, body, message_id, priority, record in rows
            ]
            seen = rows[-1][0]

    def _take_out(self, verdicts: list[tuple[int, Verdict | Message]]) -> int:
        taken = 0
        with self._transaction() as db:
            for seq, verdict in verdicts:
                if verdict is Verdict.KEEP:
                    continue
                gone = db.execute("DELETE FROM failures WHERE seq = ?", (seq,)).rowcount
                if gone and isinstance(verdict, Message):
                    db.execute(_INSERT_TASK, _row(verdict))
                taken += gone
        return taken

    # --- SQLite itself

    @property
    def _db(self) -> sqlite3.Connection:
        if self._connection is None and self._address.path.exists():
            self._open()
        if self._connection is None:
            raise QueueMissing(
                f"queue {self._address.queue!r} does not exist (there is no {self._address.path}); publish tasks, "
                "or create it with `warren setup`"
            )
        return self._connection

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        db = self._db
        db.execute("BEGIN IMMEDIATE")
        try:
            yield db
            db.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                db.execute("ROLLBACK")
            raise

    async def _select(self, query: str, values: tuple[Any, ...]) -> list[Any]:
        return await self._run(lambda: self._db.execute(query, values).fetchall())

    def _run(self, function: Callable[..., T], *args: Any) -> Awaitable[T]:
        return asyncio.get_running_loop().run_in_executor(self._thread, self._translated, function, *args)

    def _translated(self, function: Callable[..., T], *args: Any) -> T:
        try:
            return function(*args)
        except (sqlite3.Error, OSError) as error:
            raise BrokerError(_sentence(str(self._address.path), error)) from error


def _row(message: Message) -> tuple[str, bytes, int, bytes | None]:
    record = encode(message.record) if message.record else None
    return message.id, message.body, message.priority, record


def _sentence(path: str, error: Exception) -> str:
    text = str(error)
    if "locked" in text:
        return f"{path} has been locked by another program for {LOCK_TIMEOUT:.0f} s; end that program and try again"
    if "readonly" in text or isinstance(error, PermissionError):
        return f"{path} cannot be written: it or its directory is read-only for this user"
    if "full" in text:
        return f"{path} cannot be written: the disk is full; free some room and go on, nothing is lost"
    if "not a database" in text or "malformed" in text:
        return f"{path} is no SQLite database, or a damaged one; name another file or queue"
    if "unable to open" in text:
        return f"{path} cannot be opened: check that its directory exists and that this user may write there"
    return f"{path}: {text}"
