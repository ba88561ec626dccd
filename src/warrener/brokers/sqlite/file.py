"""The file of an embedded queue: made, opened, watched, and its errors told in our words."""

from __future__ import annotations

import math
import os
import sqlite3
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from warrener.brokers.sqlite.errors import LOCK_TIMEOUT, translated
from warrener.errors import BrokerError, QueueMissing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

T = TypeVar("T")

READY, DELAYED, PROCESSING = range(3)
IN_ORDER: Final = "tasks_in_order"
"""The index that has all tasks. So SQLite counts them by its pages, a tenth of the work that it is to count those of a state."""
_APPLICATION_ID: Final = 0x57415252  # "WARR", SQLite's own way to mark a file's format
_SCHEMA: Final = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS tasks (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL, body BLOB NOT NULL, priority INTEGER NOT NULL, record BLOB,
    state INTEGER NOT NULL DEFAULT {READY}, due REAL, owner INTEGER, lost INTEGER NOT NULL DEFAULT 0, published REAL,
    trace TEXT);
CREATE INDEX IF NOT EXISTS {IN_ORDER} ON tasks (state DESC, priority DESC); -- those that are ready come last: most are
CREATE INDEX IF NOT EXISTS delayed ON tasks (due) WHERE state = {DELAYED};
CREATE INDEX IF NOT EXISTS processing ON tasks (owner) WHERE state = {PROCESSING};
CREATE TABLE IF NOT EXISTS results (seq INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS failures ( -- whose numbers are not used again: a replay may hold one
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, body BLOB NOT NULL, priority INTEGER NOT NULL, record BLOB,
    trace TEXT);
CREATE INDEX IF NOT EXISTS failures_counted ON failures (priority); -- small, where they are not
CREATE TABLE IF NOT EXISTS workers (id INTEGER PRIMARY KEY AUTOINCREMENT, lease REAL NOT NULL);
CREATE TABLE IF NOT EXISTS noted (seq INTEGER PRIMARY KEY, log TEXT NOT NULL, body BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS noted_in_order ON noted (log, seq);
CREATE TABLE IF NOT EXISTS delays (length INTEGER PRIMARY KEY);
PRAGMA application_id = {_APPLICATION_ID};
COMMIT;
"""


class File:
    """One SQLite file that holds one queue; for one thread at a time.

    Args:
        path: Where it is, or is to be.
        queue: Its queue's name, for what is said.
        makes_directory: Whether its directory is Warrener's own, and is made with it.
    """

    def __init__(self, path: Path, queue: str, *, makes_directory: bool) -> None:
        self.path = path
        self.lacks: frozenset[str] = frozenset()
        """What this file of an earlier version lacks: `IN_ORDER`; for whoever may only read it columns, as `table.column`."""
        self.unweighed = math.inf
        """Bytes of output that were written since all of it was weighed."""
        self._makes_directory = makes_directory
        self._queue = queue
        self._connection: sqlite3.Connection | None = None
        self._seen: dict[Path, tuple[int, int, int]] = {}

    @property
    def db(self) -> sqlite3.Connection:
        """The open connection.

        Raises:
            QueueMissing: There is no queue.
            BrokerError: The file is no longer the one that was opened.
        """
        if self._connection is None and self.path.exists():
            self.open()
        if self._connection is not None:
            self._check_files()
        else:
            why = f"{self.path} is empty" if self.path.exists() else f"there is no {self.path}"
            raise QueueMissing(
                f"queue {self._queue!r} does not exist ({why}); publish tasks, or create it with `warrener setup`"
            )
        return self._connection

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """All that is read in here is of one moment."""
        db = self.db
        db.execute("BEGIN")
        try:
            yield db
        finally:
            db.execute("ROLLBACK")

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All that is done in here, or nothing; what is written is safe on disk when it ends well."""
        db = self.db
        db.execute("BEGIN IMMEDIATE")
        try:
            yield db
            db.execute("COMMIT")
            self._check_files()
        except BaseException:
            with suppress(sqlite3.Error):
                db.execute("ROLLBACK")
            raise

    def open(self) -> None:
        """Open it, if there is a queue in it.

        Raises:
            BrokerError: There is something else in it.
        """
        path = self.path
        if (
            not path.stat().st_size
        ):  # SQLite would delete the write-ahead log of an empty file, and what only that has
            return
        db = sqlite3.connect(path, timeout=LOCK_TIMEOUT, isolation_level=None, check_same_thread=False)
        try:
            # In this order, since another process may be creating them, all at once.
            (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
            (application,) = db.execute("PRAGMA application_id").fetchone()
            if tables and application == _APPLICATION_ID:
                # FULL: a confirmed task survives a power cut, too, not only the end of this process.
                db.execute("PRAGMA synchronous = FULL")
                self.lacks = _complete(db)
                db.text_factory = partial(str, encoding="utf-8", errors="replace")
                self._seen = {file: _look(file) for file in self._all_files() if file.exists()}
                self._connection = db
        finally:
            if self._connection is None:
                db.close()
        if tables and self._connection is None:
            raise BrokerError(f"{path} is an SQLite database of another program; name another file or queue")

    def create(self, delays: Sequence[int]) -> None:
        """Make what there is not yet."""
        # Tasks and results are for this user alone, unless the user lets others in.
        if self._makes_directory:
            self.path.parent.mkdir(mode=0o700, exist_ok=True)
        elif not self.path.parent.is_dir():
            raise BrokerError(
                f"{self.path} cannot be made: there is no directory {self.path.parent}; make it, or name another file"
            )
        if self._connection is None:
            with suppress(FileExistsError):  # its -wal and -shm will have the same mode
                os.close(os.open(self.path, os.O_CREAT | os.O_EXCL, 0o600))
            db = sqlite3.connect(self.path, timeout=LOCK_TIMEOUT, isolation_level=None)
            try:
                db.execute("PRAGMA journal_mode = WAL")
                db.executescript(_SCHEMA)
            finally:
                db.close()
            self.open()
        missing = set(delays) - {length for (length,) in self.db.execute("SELECT length FROM delays")}
        if missing:
            with self.transaction() as db:
                db.executemany("INSERT OR IGNORE INTO delays VALUES (?)", [(delay,) for delay in missing])

    def remove(self) -> None:
        """Close it, and delete it with all that SQLite keeps beside it."""
        self.close()
        for file in self._all_files():
            file.unlink(missing_ok=True)

    def close(self) -> None:
        """Close it; harmless when it is closed."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def guard(self, function: Callable[..., T], *args: Any) -> T:
        """Call a function that uses this file, and raise what goes wrong as one of our errors."""
        try:
            return function(*args)
        except (sqlite3.Error, OSError) as error:
            raise translated(str(self.path), error) from error

    def _all_files(self) -> list[Path]:
        """The database with its write-ahead log and the index of that, as SQLite names them."""
        path = self.path.resolve()
        return [path.with_name(path.name + suffix) for suffix in ("", "-wal", "-shm")]

    def _check_files(self) -> None:
        """SQLite goes on in files that are deleted or moved, out of everybody's sight; we must not."""
        for file, (device, inode, size) in self._seen.items():
            try:
                seen = _look(file)
            except FileNotFoundError:
                seen = (0, 0, 0)
            if seen[:2] != (device, inode):
                raise BrokerError(
                    f"{file} was moved, deleted or replaced while it was in use; put it back with its -wal and -shm, "
                    "or begin anew with `warrener publish`"
                )
            if seen[2] < size:
                raise BrokerError(
                    f"{file} was truncated while it was in use, and what it held is lost; put a copy back, or "
                    "begin anew with `warrener delete` and `warrener publish`"
                )
            self._seen[file] = seen


def _complete(db: sqlite3.Connection) -> frozenset[str]:
    """Add what a file of an earlier version lacks; what it still lacks, since this user may only read."""
    lacks = set()
    for table, column, kind in (
        ("tasks", "published", "REAL"),
        ("tasks", "trace", "TEXT"),
        ("failures", "trace", "TEXT"),
        ("output", "at", "REAL"),
    ):
        columns = {name for _, name, *_ in db.execute(f"PRAGMA table_info({table})")}
        if columns and column not in columns:
            try:
                db.execute(f"ALTER TABLE {table} ADD COLUMN {column} {kind}")
            except sqlite3.OperationalError as error:  # which may also be that another process does it
                if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_READONLY:
                    lacks.add(f"{table}.{column}")
    if not db.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (IN_ORDER,)).fetchone():
        lacks.add(IN_ORDER)
    return frozenset(lacks)


def _look(file: Path) -> tuple[int, int, int]:
    found = file.stat()
    return found.st_dev, found.st_ino, found.st_size
