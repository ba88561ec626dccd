"""A set of ids that stays small: a million of them take 32 to 64 MiB."""

from __future__ import annotations

import struct
from array import array
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_HALVES: Final = struct.Struct("<QQ")
_EMPTY: Final = bytes(_HALVES.size)


def mark_of(name: str) -> bytes:
    """The 16 bytes that stand for an id in a set, and may be written down."""
    mark = blake2b(name.encode("utf-8", "surrogatepass"), digest_size=_HALVES.size).digest()
    return mark if mark[:8] != _EMPTY[:8] else b"\1" + mark[1:]  # 0 is an empty slot


def marks_in(written: bytes) -> Iterator[bytes]:
    """The marks that were written down one after the other."""
    for start in range(0, len(written) - _HALVES.size + 1, _HALVES.size):
        yield written[start : start + _HALVES.size]


class IdSet:
    """Which ids were seen, kept as 128-bit digests in a flat hash table.

    At a million ids the chance that any two share a digest is below 10**-26.
    """

    def __init__(self) -> None:
        self._size = 1 << 10
        self._table = array("Q", bytes(16 * self._size))
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __contains__(self, name: str) -> bool:
        return self.has_mark(mark_of(name))

    def add(self, name: str) -> bool:
        """Add an id; whether it was new."""
        return self.add_mark(mark_of(name))

    def has_mark(self, mark: bytes) -> bool:
        """Whether the id with this mark was seen."""
        return self._count > 0 and self._table[2 * self._find(*_HALVES.unpack(mark))] != 0

    def add_mark(self, mark: bytes) -> bool:
        """Add an id by its mark; whether it was new."""
        high, low = _HALVES.unpack(mark)
        slot = self._find(high, low)
        if self._table[2 * slot]:
            return False
        self._table[2 * slot], self._table[2 * slot + 1] = high, low
        self._count += 1
        if self._count * 2 > self._size:
            self._grow()
        return True

    def _find(self, high: int, low: int) -> int:
        """The slot where this digest is, or where it would go."""
        table, mask = self._table, self._size - 1
        slot = low & mask
        while (found := table[2 * slot]) and (found != high or table[2 * slot + 1] != low):
            slot = (slot + 1) & mask
        return slot

    def _grow(self) -> None:
        former, self._size = self._table, self._size * 2
        self._table = array("Q", bytes(16 * self._size))
        for index in range(0, len(former), 2):
            if former[index]:
                slot = self._find(former[index], former[index + 1])
                self._table[2 * slot], self._table[2 * slot + 1] = former[index], former[index + 1]
