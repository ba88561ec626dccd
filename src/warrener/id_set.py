"""A set of ids that stays small: a million of them take 32 to 64 MiB."""

from __future__ import annotations

import struct
from array import array
from hashlib import blake2b
from typing import Final

_HALVES: Final = struct.Struct("<QQ")


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
        return self._table[2 * self._find(*_digest(name))] != 0

    def add(self, name: str) -> bool:
        """Add an id; whether it was new."""
        high, low = _digest(name)
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


def _digest(name: str) -> tuple[int, int]:
    high, low = _HALVES.unpack(blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16).digest())
    return high or 1, low  # 0 marks an empty slot
