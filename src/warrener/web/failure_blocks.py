"""Failures as they lie in a temporary database: packed many at a time, which takes a third of the time and a tenth of the room."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

import msgspec

from warrener.web.failure_filter import decode

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from warrener.models import Failure

SCHEMA: Final = "CREATE TABLE blocks (number INTEGER PRIMARY KEY, packed BLOB);"
_SIZE: Final = 32  # failures in a block: one that is wanted brings so many
_LEVEL: Final = 1

_encoder = msgspec.json.Encoder()


class Blocks:
    """All that is known of failures, each under a number; they grow in the order in which failures came.

    Args:
        db: Where they lie; its errors are raised.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._last = 0

    def add(self, found: Sequence[Failure]) -> list[int]:
        """Keep failures; their numbers."""
        numbers: list[int] = []
        packed = []
        for first in range(0, len(found), _SIZE):
            self._last += 1
            lines = _encoder.encode_lines(found[first : first + _SIZE])
            packed.append((self._last, zlib.compress(lines, _LEVEL)))
            begin = self._last * _SIZE
            numbers += range(begin, begin + min(_SIZE, len(found) - first))
        self._db.executemany("INSERT INTO blocks VALUES (?, ?)", packed)
        return numbers

    def find(self, numbers: Iterable[int]) -> list[Failure]:
        """The failures with these numbers, in their order."""
        found, last, lines = [], -1, [b""]
        for number in numbers:
            block, place = divmod(number, _SIZE)
            if block != last:
                query = "SELECT packed FROM blocks WHERE number = ?"
                last, lines = block, _lines(self._db.execute(query, (block,)).fetchone()[0])
            found.append(decode(lines[place]))
        return found

    def search(self, fits: Callable[[bytes], bool]) -> Iterator[tuple[int]]:
        """The numbers of those that fit as they are written in JSON."""
        for block, packed in self._db.execute("SELECT number, packed FROM blocks"):
            for number, line in enumerate(_lines(packed), block * _SIZE):
                if fits(line):
                    yield (number,)


def _lines(packed: bytes) -> list[bytes]:
    return zlib.decompress(packed).splitlines()
