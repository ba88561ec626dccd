"""Failures on disk, for as long as they are looked at: a temporary file that has no name, searched by SQLite."""

from __future__ import annotations

import sqlite3
import threading
import time
import weakref
from contextlib import contextmanager
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, TypeVar

from warrener.codec import encode
from warrener.failures import Groups
from warrener.temporary import not_kept
from warrener.web.failure_blocks import SCHEMA, Blocks
from warrener.web.failure_filter import FailureFilter, Inside

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from warrener.models import Failure

T = TypeVar("T")

_CACHE_KIB: Final = 8192
_SCHEMA: Final = f"""
CREATE TABLE failures (seq INTEGER PRIMARY KEY, id TEXT UNIQUE, type TEXT, reason TEXT, error TEXT, grp INTEGER, failed_at REAL);
CREATE TABLE groups (grp INTEGER PRIMARY KEY, key TEXT UNIQUE, reason TEXT, error TEXT, fingerprint TEXT);
{SCHEMA}
"""
_MOST_SEARCHES: Final = 8
_MOST_MADE: Final = 30
_MOST_NAMES: Final = 100
MOST_GROUPS: Final = 100


class FailureStore:
    """Failures of one reading, one per task id. Its methods block for as long as the disk takes, and may be called by any thread."""

    def __init__(self) -> None:
        self.count = 0
        """How many there are."""
        self._lock = threading.RLock()
        self._groups = Groups()
        self._numbers: dict[tuple[str, str, str | None], int] = {}
        self._made: dict[tuple[str, FailureFilter, int], Any] = {}
        self._searches: dict[tuple[FailureFilter, int], str] = {}
        self._db = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._db.text_factory = lambda text: text.decode("utf-8", "replace")
        for setting in ("journal_mode=OFF", "synchronous=OFF", f"cache_size=-{_CACHE_KIB}"):
            self._db.execute(f"PRAGMA {setting}")
        self._db.executescript(_SCHEMA)
        self._blocks = Blocks(self._db)
        weakref.finalize(self, self._db.close)  # once nobody looks at it any more

    def add(self, found: Sequence[Failure]) -> None:
        """Keep these, too.

        Raises:
            WarrenerError: The temporary directory has no room for them.
        """
        with self._using() as db:
            db.execute("BEGIN")
            rows = [
                (seq, one.task_id, one.type, one.reason, one.error, self._number(db, one), one.failed_at)
                for seq, one in zip(self._blocks.add(found), found, strict=True)
            ]
            added = db.executemany("INSERT OR IGNORE INTO failures VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
            self.count += added.rowcount
            db.execute("COMMIT")

    def _number(self, db: sqlite3.Connection, found: Failure) -> int:
        """The number of its group."""
        key = self._groups.add(found).key
        if key not in self._numbers:
            self._numbers[key] = len(self._numbers)
            row = (self._numbers[key], key_of(*key), *key)
            db.execute("INSERT INTO groups VALUES (?, ?, ?, ?, ?)", row)
        return self._numbers[key]

    def cached(self, what: str, wanted: FailureFilter, make: Callable[[FailureFilter], T]) -> T:
        """What was made of these failures before, or is made now: most who look ask what others have asked.

        Args:
            what: Its name.
            wanted: Of which failures.
            make: Makes it.
        """
        key = what, wanted, self.count
        with self._lock:
            if key not in self._made:
                while len(self._made) >= _MOST_MADE:
                    del self._made[next(iter(self._made))]
                self._made[key] = make(wanted)
            found: T = self._made[key]
        return found

    def page(self, wanted: FailureFilter, limit: int, after: int | None) -> list[tuple[int, Failure]]:
        """Some of those that are wanted, the newest first, each with its number.

        Args:
            wanted: Which.
            limit: How many.
            after: The number of the last one of the page before.
        """
        with self._using() as db:
            where, values = self._where(db, wanted)
            if after is not None:
                where, values = f"{where} AND seq < ?", [*values, after]
            query = f"SELECT seq FROM failures f WHERE {where} ORDER BY seq DESC LIMIT ?"  # noqa: S608 - no values
            numbers = [seq for (seq,) in db.execute(query, (*values, limit))]
            return [*zip(numbers, self._blocks.find(numbers), strict=True)]

    def number(self, wanted: FailureFilter) -> int:
        """How many are wanted."""
        with self._using() as db:
            where, values = self._where(db, wanted)
            found: int = db.execute(f"SELECT count(*) FROM failures f WHERE {where}", values).fetchone()[0]  # noqa: S608
        return found

    def groups(self, wanted: FailureFilter) -> list[dict[str, Any]]:
        """The groups of those that are wanted, the largest first, each with its newest one as example."""
        query = (
            "SELECT key, g.reason, g.error, fingerprint, count(*), min(failed_at), max(failed_at), max(seq) AS newest"
            " FROM failures f JOIN groups g USING (grp) WHERE {} GROUP BY grp ORDER BY 5 DESC, grp"
        )
        with self._using() as db:
            where, values = self._where(db, wanted)
            rows = db.execute(query.format(where), values).fetchall()
            examples = self._blocks.find(row[-1] for row in rows[:MOST_GROUPS])
        names = ("key", "reason", "error", "fingerprint", "count", "first_failed_at", "last_failed_at")
        return [
            {**dict(zip(names, row[:-1], strict=True)), "example": example}
            for row, example in zip(rows, [*examples, *[None] * len(rows)], strict=False)
        ]

    def facets(self, _: FailureFilter) -> dict[str, dict[str, int]]:
        """How many of all have which reason, type and error; the most frequent of each."""
        with self._using() as db:
            return {
                name: dict(
                    db.execute(
                        f"SELECT {name}, count(*) FROM failures GROUP BY 1 ORDER BY 2 DESC LIMIT {_MOST_NAMES}"  # noqa: S608
                    ).fetchall()
                )
                for name in ("reason", "type", "error")
            }

    def find(self, task_id: str) -> Failure | None:
        """The failure of a task."""
        with self._using() as db:
            row = db.execute("SELECT seq FROM failures WHERE id = ?", (task_id,)).fetchone()
            return self._blocks.find(row)[0] if row else None

    def names(
        self, wanted: FailureFilter, ids: Sequence[str] | None = None
    ) -> list[tuple[str, float | None]]:
        """Id and time of each that is wanted, or of these ids."""
        with self._using() as db:
            if ids is None:
                where, values = self._where(db, wanted)
                return db.execute(f"SELECT id, failed_at FROM failures f WHERE {where}", values).fetchall()  # noqa: S608
            found = (
                db.execute("SELECT id, failed_at FROM failures WHERE id = ?", (name,)).fetchone()
                for name in ids
            )
            return [row for row in found if row]

    def all(self, wanted: FailureFilter) -> Iterator[Failure]:
        """All that are wanted, the oldest first."""
        last = 0
        while True:
            with self._using() as db:
                where, values = self._where(db, wanted)
                query = f"SELECT seq FROM failures f WHERE {where} AND seq > ? ORDER BY seq LIMIT 500"  # noqa: S608
                numbers = [seq for (seq,) in db.execute(query, (*values, last))]
                found = self._blocks.find(numbers)
            if not found:
                return
            yield from found
            last = numbers[-1]

    def _where(self, db: sqlite3.Connection, wanted: FailureFilter) -> tuple[str, list[Any]]:
        """A condition on `failures`, and its values."""
        parts, values = ["1"], []
        for column in ("type", "reason", "error"):
            if value := getattr(wanted, column):
                parts.append(f"f.{column} = ?")
                values.append(value)
        if wanted.group:
            parts.append("f.grp = (SELECT grp FROM groups WHERE key = ?)")
            values.append(wanted.group)
        if wanted.looks_inside:
            parts.append(f"seq IN (SELECT seq FROM {self._searched(db, wanted)})")  # noqa: S608
        return " AND ".join(parts), values

    def _searched(self, db: sqlite3.Connection, wanted: FailureFilter) -> str:
        """The table with the numbers of those that have inside what is wanted; it is kept for the next page."""
        key = FailureFilter(text=wanted.text, where=wanted.where), self.count
        if key in self._searches:
            return self._searches[key]
        while len(self._searches) >= _MOST_SEARCHES:
            db.execute(f"DROP TABLE {self._searches.pop(next(iter(self._searches)))}")
        inside = Inside(wanted)
        table = f"found_{time.monotonic_ns()}"
        db.execute(f"CREATE TABLE {table} (seq INTEGER PRIMARY KEY)")
        db.executemany(f"INSERT INTO {table} VALUES (?)", self._blocks.search(inside.fits))  # noqa: S608
        self._searches[key] = table
        return table

    @contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._lock:
                yield self._db
        except sqlite3.Error as error:
            raise not_kept("failures", error) from error


def key_of(reason: str, error: str, fingerprint: str | None) -> str:
    """What names a group in an address."""
    return blake2b(encode([reason, error, fingerprint]), digest_size=9).hexdigest()
