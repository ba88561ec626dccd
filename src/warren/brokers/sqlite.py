"""The embedded broker: one SQLite file, for any number of processes on one machine.

A claim is a lease: each consuming process has a row in `workers` that it renews, and whose end gives its tasks
back. Everything is written in few, large transactions: outcomes and new claims share one (a turn), and while
one is being written the next one gathers. A turn that fails is tried again with all that it had.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from warren.brokers import clock
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
from warren.errors import BrokerError, BrokerUnreachable, QueueMissing
from warren.tasks import decode_record, encode_record

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
    from pathlib import Path

    from warren.settings import Address

T = TypeVar("T")

_log = logging.getLogger("warren.sqlite")

LEASE: Final = 10.0
POLL: Final = 0.05
PAGE: Final = 2000
LOCK_TIMEOUT: Final = 10.0
# So long a worker rides out a full disk or a locked file; as long as a lost RabbitMQ.
RETRY_FOR: Final = 300.0
RETRY_EVERY: Final = 1.0
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
# Another program may have written what it likes into a column, and SQLite lets it.
_MESSAGE: Final = "seq, CAST(body AS BLOB), CAST(id AS TEXT), CAST(priority AS INTEGER), CAST(record AS BLOB)"
_LOST: Final = f"min(max(CAST(lost AS INTEGER), 0), {DELIVERY_LIMIT + 1})"
# By what SQLite or the system says; unreachable is what may pass by itself.
_ERRORS: Final = (
    (
        "locked",
        BrokerUnreachable,
        f"has been locked by another program for {LOCK_TIMEOUT:.0f} s; end that program and try again",
    ),
    (
        "full",
        BrokerUnreachable,
        "cannot be written: the disk is full; free some room and go on, nothing is lost",
    ),
    (
        "disk I/O error",
        BrokerUnreachable,
        "cannot be read or written: disk I/O error; see whether the disk is well and has room, then go on",
    ),
    ("readonly", BrokerError, "cannot be written: it or its directory is read-only for this user"),
    ("ermission denied", BrokerError, "cannot be written: it or its directory is read-only for this user"),
    ("not a database", BrokerError, "is no SQLite database, or a damaged one; name another file or queue"),
    ("malformed", BrokerError, "is no SQLite database, or a damaged one; name another file or queue"),
    (
        "unable to open",
        BrokerError,
        "cannot be opened: check that its directory exists and that this user may write there",
    ),
)
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
        self._renewed = -LEASE
        self._files: dict[Path, tuple[int, int, int]] = {}
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
        db = sqlite3.connect(path, timeout=LOCK_TIMEOUT, isolation_level=None, check_same_thread=False)
        try:
            # In this order, since another process may be creating them, all at once.
            (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
            (application,) = db.execute("PRAGMA application_id").fetchone()
            if tables and application == _APPLICATION_ID:
                # FULL: a confirmed task survives a power cut, too, not only the end of this process.
                db.execute("PRAGMA synchronous = FULL")
                db.text_factory = partial(str, encoding="utf-8", errors="replace")
                self._files = {file: _look(file) for file in self._all_files() if file.exists()}
                self._connection = db
        finally:
            if self._connection is None:
                db.close()
        if tables and self._connection is None:
            raise BrokerError(f"{path} is an SQLite database of another program; name another file or queue")

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
        for file in self._all_files():
            file.unlink(missing_ok=True)

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
                handed_back, self._handed_back = self._handed_back, []
                room = max(0, self._prefetch - len(self._held))
                try:
                    was_lost, deliveries = await self._run(self._turn, outcomes, handed_back, room)
                except BrokerUnreachable as error:
                    self._outcomes[:0], self._handed_back[:0] = outcomes, handed_back
                    give_up_at = await self._hold_on(error, give_up_at)
                    continue
                if give_up_at is not None:
                    _log.warning("%s can be written again", self._address.path)
                    give_up_at = None
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

    async def _hold_on(self, error: BrokerUnreachable, give_up_at: float | None) -> float:
        """Pause before the next try; until when to try, or raise the error when that has passed."""
        if give_up_at is None:
            _log.warning("%s; trying again for %.0f s", error, RETRY_FOR)
            give_up_at = time.monotonic() + RETRY_FOR
        elif time.monotonic() > give_up_at:
            raise error
        await asyncio.sleep(RETRY_EVERY)
        return give_up_at

    def _turn(
        self, outcomes: list[tuple[int, Outcome]], handed_back: list[int], room: int
    ) -> tuple[bool, list[Delivery]]:
        """One transaction: settle, hand back, keep the lease, claim. Tells if the lease had ended before."""
        is_due = self._is_renewal_due()
        if not (outcomes or handed_back or is_due or (room and self._is_work_due(clock.now()))):
            return False, []
        with self._transaction() as db:
            # Only now, when nobody else can write: this process may have been stopped for long before.
            now, is_due = clock.now(), self._is_renewal_due()
            worker, was_lost = self._worker, False
            if is_due:
                self._mind_the_boot(db)
                worker, was_lost = self._renew(db, now)
                self._bring_back_lost(db, now)
            self._settle(db, worker, outcomes, now)
            self._return(db, worker, handed_back)
            claimed = self._claim(db, worker, room, now) if room else []
        # Only now, when it is written: a number that was rolled back may become somebody else's.
        self._worker = worker
        if is_due:
            self._renewed = now
        return was_lost, claimed

    def _is_renewal_due(self) -> bool:
        return clock.now() - self._renewed > LEASE / 5

    def _is_work_due(self, now: float) -> bool:
        """A look without a write, so that an idle worker costs nothing."""
        query = (
            "SELECT EXISTS (SELECT 1 FROM tasks WHERE state = 0)"
            " OR EXISTS (SELECT 1 FROM tasks WHERE state = 1 AND due <= ?)"
        )
        return bool(self._db.execute(query, (now,)).fetchone()[0])

    def _mind_the_boot(self, db: sqlite3.Connection) -> None:
        """Times are of one start of the machine. After another one no lease holds, and what was delayed is due."""
        if db.execute("PRAGMA user_version").fetchone() != (_boot(),):
            db.execute("DELETE FROM workers")
            db.execute("UPDATE tasks SET due = 0 WHERE state = 1")
            db.execute(f"PRAGMA user_version = {_boot()}")

    def _renew(self, db: sqlite3.Connection, now: float) -> tuple[int, bool]:
        """This worker's number, and whether it is a new one because the lease of the former was lost."""
        row = (now + LEASE, self._worker)
        if self._worker and db.execute("UPDATE workers SET lease = ? WHERE id = ?", row).rowcount:
            return self._worker, False
        worker = db.execute("INSERT INTO workers (lease) VALUES (?)", (now + LEASE,)).lastrowid or 0
        return worker, bool(self._worker)

    def _bring_back_lost(self, db: sqlite3.Connection, now: float) -> None:
        returned = db.execute(
            "UPDATE tasks SET state = 0, owner = NULL, lost = lost + 1"  # noqa: S608 - these are no values
            " WHERE state = 2 AND owner NOT IN (SELECT id FROM workers WHERE lease >= ?)"
            f" RETURNING seq, CAST(record AS BLOB), {_LOST}",
            (now,),
        ).fetchall()
        db.execute("DELETE FROM workers WHERE lease < ?", (now,))
        for seq, record, lost in returned:
            if lost > DELIVERY_LIMIT:
                failed = decode_record(record).add_lost(lost).fail("crashed")
                self._move_to_failures(db, seq, encode_record(failed))

    def _return(self, db: sqlite3.Connection, worker: int, tags: list[int]) -> None:
        db.executemany(
            "UPDATE tasks SET state = 0, owner = NULL WHERE seq = ? AND owner = ?",
            [(tag, worker) for tag in tags],
        )

    def _settle(
        self, db: sqlite3.Connection, worker: int, outcomes: list[tuple[int, Outcome]], now: float
    ) -> None:
        for tag, outcome in outcomes:
            # A claim that was lost meanwhile is somebody else's now: an old copy must not settle it.
            mine = (tag, worker)
            if isinstance(outcome, Completed):
                if db.execute("DELETE FROM tasks WHERE seq = ? AND owner = ?", mine).rowcount:
                    db.execute("INSERT INTO results (body) VALUES (?)", (outcome.body,))
            elif isinstance(outcome, Delayed):
                db.execute(
                    "UPDATE tasks SET state = 1, owner = NULL, lost = 0, due = ?, record = ?"
                    " WHERE seq = ? AND owner = ?",
                    (now + outcome.rung / 1000, encode_record(outcome.record), *mine),
                )
            elif db.execute("SELECT 1 FROM tasks WHERE seq = ? AND owner = ?", mine).fetchone():
                self._move_to_failures(db, tag, encode_record(outcome.record))

    def _move_to_failures(self, db: sqlite3.Connection, seq: int, record: bytes) -> None:
        db.execute(
            "INSERT INTO failures (id, body, priority, record)"
            " SELECT id, body, priority, ? FROM tasks WHERE seq = ?",
            (record, seq),
        )
        db.execute("DELETE FROM tasks WHERE seq = ?", (seq,))

    def _claim(self, db: sqlite3.Connection, worker: int, room: int, now: float) -> list[Delivery]:
        db.execute("UPDATE tasks SET state = 0, due = NULL WHERE state = 1 AND due <= ?", (now,))
        rows = db.execute(
            "UPDATE tasks SET state = 2, owner = ? WHERE seq IN"  # noqa: S608 - likewise
            " (SELECT seq FROM tasks WHERE state = 0 ORDER BY priority DESC, seq LIMIT ?)"
            f" RETURNING {_MESSAGE}, {_LOST}",
            (worker, room),
        ).fetchall()
        rows.sort(key=lambda row: (-row[3], row[0]))  # RETURNING keeps no order
        return [
            Delivery(body, message_id, priority, record, lost, seq)
            for seq, body, message_id, priority, record, lost in rows
        ]

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
        query = "SELECT count(*) FROM workers, pragma_user_version WHERE lease >= ? AND user_version = ?"
        workers = self._db.execute(query, (clock.now(), _boot())).fetchone()[0]
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
        query = f"SELECT {_MESSAGE} FROM failures WHERE seq > ? ORDER BY seq LIMIT ?"  # noqa: S608 - likewise
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
        if self._connection is not None:
            self._check_files()
        else:
            raise QueueMissing(
                f"queue {self._address.queue!r} does not exist (there is no {self._address.path}); publish tasks, "
                "or create it with `warren setup`"
            )
        return self._connection

    def _all_files(self) -> list[Path]:
        """The database with its write-ahead log and the index of that, as SQLite names them."""
        path = self._address.path.resolve()
        return [path.with_name(path.name + suffix) for suffix in ("", "-wal", "-shm")]

    def _check_files(self) -> None:
        """SQLite goes on in files that are deleted or moved, out of everybody's sight; we must not."""
        for file, (device, inode, size) in self._files.items():
            try:
                seen = _look(file)
            except FileNotFoundError:
                seen = (0, 0, 0)
            if seen[:2] != (device, inode):
                raise BrokerError(
                    f"{file} was moved, deleted or replaced while it was in use; put it back with its -wal and -shm, "
                    "or begin anew with `warren publish`"
                )
            if seen[2] < size:
                raise BrokerError(
                    f"{file} was truncated while it was in use, and what it held is lost; put a copy back, or "
                    "begin anew with `warren delete` and `warren publish`"
                )
            self._files[file] = seen

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        db = self._db
        db.execute("BEGIN IMMEDIATE")
        try:
            yield db
            db.execute("COMMIT")
            self._check_files()
        except BaseException:
            with suppress(sqlite3.Error):
                db.execute("ROLLBACK")
            raise

    async def _select(self, query: str, values: tuple[Any, ...]) -> list[Any]:
        return await self._run(lambda: self._db.execute(query, values).fetchall())

    def _run(self, function: Callable[..., T], *args: Any) -> Awaitable[T]:
        return asyncio.get_running_loop().run_in_executor(self._thread, self._guarded, function, *args)

    def _guarded(self, function: Callable[..., T], *args: Any) -> T:
        try:
            return function(*args)
        except (sqlite3.Error, OSError) as error:
            raise _translated(str(self._address.path), error) from error


def _row(message: Message) -> tuple[str, bytes, int, bytes | None]:
    record = encode_record(message.record) if message.record else None
    return message.id, message.body, message.priority, record


def _look(file: Path) -> tuple[int, int, int]:
    found = file.stat()
    return found.st_dev, found.st_ino, found.st_size


@cache
def _boot() -> int:
    """The start of the machine that this is, as a number that fits into `user_version`."""
    return zlib.crc32(clock.boot().encode()) >> 1


def _translated(path: str, error: Exception) -> BrokerError:
    for part, kind, sentence in _ERRORS:
        if part in str(error):
            return kind(f"{path} {sentence}")
    return BrokerError(f"{path}: {error}")
