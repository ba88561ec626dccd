"""What stands for ids: 16 bytes each, kept with a few flags: quickly while they are few, small in memory, and on disk once they are many."""

from __future__ import annotations

import struct
import sys
from array import array
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from warrener.errors import WarrenerError

if TYPE_CHECKING:
    from collections.abc import Iterator

_HALVES: Final = struct.Struct("<QQ")
_EMPTY: Final = bytes(_HALVES.size)
_MOST_QUICK: Final = 1 << 16  # which take 7 MB, and 0.2 microseconds for each use of one
MOST_IN_MEMORY: Final = 1 << 20
"""Marks that take 36 MB; more of them lie on disk, where each use of one takes 7 to 17 microseconds instead of 1 to 3."""
_CACHE_KIB: Final = 32_768  # of what lies on disk


def mark_of(name: str) -> bytes:
    """The 16 bytes that stand for an id, and may be written down.

    At a million ids the chance that any two share a mark is below 10**-26.
    """
    mark = blake2b(name.encode("utf-8", "surrogatepass"), digest_size=_HALVES.size).digest()
    return mark if mark[:8] != _EMPTY[:8] else b"\1" + mark[1:]  # 0 is an empty slot


def marks_in(written: bytes) -> Iterator[bytes]:
    """The marks that were written down one after the other."""
    for start in range(0, len(written) - _HALVES.size + 1, _HALVES.size):
        yield written[start : start + _HALVES.size]


class Marks:
    """Marks, each with the flags it was given: small powers of two, up to 128.

    Args:
        most_in_memory: Once there are more they move to a temporary database without a name, which ends with this object.
    """

    def __init__(self, most_in_memory: int = MOST_IN_MEMORY) -> None:
        self._most = most_in_memory
        self._limit = min(most_in_memory, _MOST_QUICK)
        self._kept: _Mapping | _Table | _Database = _Mapping()

    def add(self, mark: bytes, flag: int) -> int:
        """Give a mark a flag; those that it had before, and 0 if none.

        Raises:
            WarrenerError: The temporary directory has no room for so many.
        """
        had = self._kept.add(mark, flag)
        if not had and len(self._kept) > self._limit:
            self._move()
        return had

    def _move(self) -> None:
        if isinstance(self._kept, _Mapping) and self._limit < self._most:
            self._kept, self._limit = _Table(self._kept), self._most
        elif not isinstance(self._kept, _Database):
            self._kept, self._limit = _Database(self._kept), sys.maxsize

    def flags(self, mark: bytes) -> int:
        """Which flags a mark has; 0 if none."""
        return self._kept.flags(mark)

    def take(self, flag: int, mark: bytes | None = None) -> None:
        """Take a flag from a mark, or from all."""
        self._kept.take(flag, mark)


class _Mapping:
    """A dictionary."""

    def __init__(self) -> None:
        self._flags: dict[bytes, int] = {}

    def __len__(self) -> int:
        return len(self._flags)

    def __iter__(self) -> Iterator[tuple[bytes, int]]:
        return iter(self._flags.items())

    def add(self, mark: bytes, flag: int) -> int:
        had = self._flags.get(mark, 0)
        self._flags[mark] = had | flag
        return had

    def flags(self, mark: bytes) -> int:
        return self._flags.get(mark, 0)

    def take(self, flag: int, mark: bytes | None) -> None:
        for one in self._flags if mark is None else self._flags.keys() & {mark}:
            self._flags[one] &= ~flag


class _Table:
    """A flat hash table, which takes a third of that."""

    def __init__(self, former: _Mapping) -> None:
        self._size = 1 << (4 * len(former)).bit_length()
        self._halves = array("Q", bytes(_HALVES.size * self._size))
        self._flags = bytearray(self._size)
        self._count = 0
        for mark, flags in former:
            self.add(mark, flags)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[tuple[bytes, int]]:
        for slot, flags in enumerate(self._flags):
            if self._halves[2 * slot]:
                yield _HALVES.pack(self._halves[2 * slot], self._halves[2 * slot + 1]), flags

    def add(self, mark: bytes, flag: int) -> int:
        high, low = _HALVES.unpack(mark)
        slot = self._find(high, low)
        had = self._flags[slot]
        self._flags[slot] = had | flag
        if not self._halves[2 * slot]:
            self._halves[2 * slot], self._halves[2 * slot + 1] = high, low
            self._count += 1
            if self._count * 2 > self._size:
                self._grow()
        return had

    def flags(self, mark: bytes) -> int:
        return self._flags[self._find(*_HALVES.unpack(mark))]

    def take(self, flag: int, mark: bytes | None) -> None:
        slots = range(self._size) if mark is None else (self._find(*_HALVES.unpack(mark)),)
        for slot in slots:
            self._flags[slot] &= ~flag

    def _find(self, high: int, low: int) -> int:
        """The slot where this mark is, or where it would go."""
        halves, mask = self._halves, self._size - 1
        slot = low & mask
        while (found := halves[2 * slot]) and (found != high or halves[2 * slot + 1] != low):
            slot = (slot + 1) & mask
        return slot

    def _grow(self) -> None:
        halves, flags, self._size = self._halves, self._flags, self._size * 2
        self._halves, self._flags = array("Q", bytes(_HALVES.size * self._size)), bytearray(self._size)
        for index in range(0, len(halves), 2):
            if halves[index]:
                slot = self._find(halves[index], halves[index + 1])
                self._halves[2 * slot], self._halves[2 * slot + 1] = halves[index], halves[index + 1]
                self._flags[slot] = flags[index // 2]


class _Database:
    """The same in SQLite's temporary file, of which a little is held in memory."""

    def __init__(self, former: _Mapping | _Table) -> None:
        import sqlite3

        self._refused = sqlite3.Error
        # Whoever reads the tasks' file may do so in another thread than whoever lets go of it.
        self._db = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        for setting in ("journal_mode=OFF", "synchronous=OFF", f"cache_size=-{_CACHE_KIB}"):
            self._db.execute(f"PRAGMA {setting}")
        self._db.execute("CREATE TABLE marks (mark BLOB PRIMARY KEY, flags INTEGER) WITHOUT ROWID")
        self._db.execute("BEGIN")  # of a transaction that never ends
        self._count = 0
        for mark, flags in former:
            self.add(mark, flags)

    def __del__(self) -> None:
        self._db.close()

    def __len__(self) -> int:
        return self._count

    def add(self, mark: bytes, flag: int) -> int:
        try:
            if self._db.execute("INSERT OR IGNORE INTO marks VALUES (?, ?)", (mark, flag)).rowcount:
                self._count += 1
                return 0
            had = self.flags(mark)
            if had & flag != flag:
                self._db.execute("UPDATE marks SET flags = ? WHERE mark = ?", (had | flag, mark))
        except self._refused as error:
            raise _no_room(error) from error
        return had

    def flags(self, mark: bytes) -> int:
        row: tuple[int] | None = self._db.execute(
            "SELECT flags FROM marks WHERE mark = ?", (mark,)
        ).fetchone()
        return row[0] if row else 0

    def take(self, flag: int, mark: bytes | None) -> None:
        where, values = ("", ()) if mark is None else (" WHERE mark = ?", (mark,))
        try:
            self._db.execute(f"UPDATE marks SET flags = flags & ~?{where}", (flag, *values))  # noqa: S608 - no value
        except self._refused as error:
            raise _no_room(error) from error


def _no_room(error: Exception) -> WarrenerError:
    return WarrenerError(
        f"the ids of so many tasks cannot be kept in the temporary directory ({error}): they take 40 bytes each; "
        "set TMPDIR to a directory with more room"
    )
