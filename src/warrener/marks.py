"""What stands for ids: 16 bytes each, kept with a few flags: quickly while they are few, small in memory, and on disk once they are very many."""

from __future__ import annotations

import os
from array import array
from hashlib import blake2b
from itertools import accumulate
from typing import TYPE_CHECKING, Final
from weakref import finalize

from warrener.temporary import not_kept

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SIZE: Final = 16
_MOST_QUICK: Final = 1 << 16  # which take 7 MB, and 0.2 microseconds for each use of one
MOST_IN_MEMORY: Final = 1 << 22
"""Marks that take 90 MB, and 1 to 2 microseconds for each use of one. Each time that there are so many more, these go to disk
together, where it takes 2 microseconds to look for one among them."""
_BUCKETS: Final = 1 << 16
_REST: Final = _SIZE - 2  # what a bucket keeps of a mark: its first two bytes say which bucket
_ENTRY: Final = _REST + 1  # and its flags
_AT_A_TIME: Final = _ENTRY * 100_000  # bytes
_AT_ONCE: Final = 4096  # buckets
_IDS: Final = "the ids of so many tasks, 15 bytes each,"


def mark_of(name: str) -> bytes:
    """The 16 bytes that stand for an id, and may be written down.

    At a million ids the chance that any two share a mark is below 10**-26.
    """
    return blake2b(name.encode("utf-8", "surrogatepass"), digest_size=_SIZE).digest()


def marks_in(written: bytes) -> Iterator[bytes]:
    """The marks that were written down one after the other."""
    for start in range(0, len(written) - _SIZE + 1, _SIZE):
        yield written[start : start + _SIZE]


class Marks:
    """Marks, each with the flags it was given: small powers of two, up to 128.

    Args:
        most_in_memory: As often as there are more they go to a temporary file without a name, which ends with this object.
    """

    def __init__(self, most_in_memory: int = MOST_IN_MEMORY) -> None:
        self._most = most_in_memory
        self._few: dict[bytes, int] = {}
        self._many: _Many | None = None

    def add(self, mark: bytes, flag: int) -> int:
        """Give a mark a flag; those that it had before, and 0 if none.

        Raises:
            WarrenerError: The temporary directory has no room for so many.
        """
        if self._many:
            return self._many.add(mark, flag)
        had = self._few.get(mark, 0)
        self._few[mark] = had | flag
        if len(self._few) > _MOST_QUICK:
            self._many = _Many(self._few, self._most)
            self._few.clear()
        return had

    def flags(self, mark: bytes) -> int:
        """Which flags a mark has; 0 if none."""
        return self._many.change(mark) or 0 if self._many else self._few.get(mark, 0)

    def take(self, flag: int, mark: bytes | None = None) -> None:
        """Take a flag from a mark, or from all."""
        if self._many and mark is None:
            self._many.take_from_all(flag)
        elif self._many and mark is not None:
            self._many.change(mark, taken=flag)
        else:
            for one in self._few if mark is None else self._few.keys() & {mark}:
                self._few[one] &= ~flag


class _Many:
    """In buckets, each of which is searched from its start: that is quick, since C does it."""

    def __init__(self, few: Mapping[bytes, int], most: int) -> None:
        self._most = most
        self._count = 0  # in memory
        self._buckets = _empty_buckets()
        self._on_disk: list[_OnDisk] = []  # the newest first
        for mark, flags in few.items():
            self.add(mark, flags)

    def add(self, mark: bytes, flag: int) -> int:
        had = self.change(mark, given=flag)
        if had is not None:
            return had
        bucket = self._buckets[mark[0] << 8 | mark[1]]
        bucket += mark[2:]
        bucket.append(flag)
        self._count += 1
        if self._count > self._most:
            self._on_disk.insert(0, _OnDisk(self._buckets))
            self._count, self._buckets = 0, _empty_buckets()
        return 0

    def change(self, mark: bytes, given: int = 0, taken: int = 0) -> int | None:
        """Change a mark's flags: those that it had; None where it is not there."""
        number, rest = mark[0] << 8 | mark[1], mark[2:]
        bucket = self._buckets[number]
        if (
            place := bucket.find(rest)
        ) >= 0:  # across two entries it is found as seldom as one is taken for another
            place += _REST
            had = bucket[place]
            bucket[place] = had & ~taken | given
            return had
        for part in self._on_disk:
            if (found := part.change(number, rest, given, taken)) is not None:
                return found
        return None

    def take_from_all(self, flag: int) -> None:
        for entries in self._buckets:
            _take(flag, entries)
        for part in self._on_disk:
            part.take_from_all(flag)


class _OnDisk:
    """Buckets in a temporary file, one after the other."""

    def __init__(self, buckets: list[bytearray]) -> None:
        import tempfile  # here: few programs have so many

        self._starts = array("Q", accumulate(map(len, buckets), initial=0))
        try:
            file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - ends with this object
        except OSError as error:
            raise not_kept(_IDS, error) from error
        finalize(self, file.close)
        self._descriptor = file.fileno()
        for first in range(0, _BUCKETS, _AT_ONCE):
            self._write(self._starts[first], b"".join(buckets[first : first + _AT_ONCE]))

    def change(self, bucket: int, rest: bytes, given: int, taken: int) -> int | None:
        start = self._starts[bucket]
        entries = self._read(start, self._starts[bucket + 1])
        if (place := entries.find(rest)) < 0:
            return None
        place += _REST
        had = entries[place]
        if (flags := had & ~taken | given) != had:
            self._write(start + place, bytes((flags,)))
        return had

    def take_from_all(self, flag: int) -> None:
        end = self._starts[-1]
        for start in range(0, end, _AT_A_TIME):
            entries = bytearray(self._read(start, min(start + _AT_A_TIME, end)))
            _take(flag, entries)
            self._write(start, entries)

    def _read(self, start: int, end: int) -> bytes:
        try:
            return os.pread(self._descriptor, end - start, start)
        except OSError as error:
            raise not_kept(_IDS, error) from error

    def _write(self, start: int, entries: bytes | bytearray) -> None:
        rest = memoryview(entries)
        try:
            while rest:  # a disk that becomes full takes a part
                written = os.pwrite(self._descriptor, rest, start)
                start, rest = start + written, rest[written:]
        except OSError as error:
            raise not_kept(_IDS, error) from error


def _empty_buckets() -> list[bytearray]:
    return [bytearray() for _ in range(_BUCKETS)]


def _take(flag: int, entries: bytearray) -> None:
    flags = entries[_REST::_ENTRY]
    entries[_REST::_ENTRY] = flags.translate(bytes(had & ~flag for had in range(256)))
