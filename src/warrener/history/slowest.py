"""The tasks that took longest."""

from __future__ import annotations

from heapq import heappush, heappushpop
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST: Final = 20


class Slow(msgspec.Struct, frozen=True, order=True):
    """One of them: the one that took longest is the greatest.

    Args:
        seconds: How long its attempt took that completed.
        number: How many rows were before its own.
        task_id: The task's id.
        type: The task's type.
        worker: Who ran it.
        ended_at: When, in seconds since the epoch.
    """

    seconds: float
    number: int
    task_id: str
    type: str
    worker: str
    ended_at: float


class TimedRow(Protocol):
    """What must be known of a row."""

    task_id: str
    type: str
    worker: str
    processed_at: float
    duration: float


class Slowest:
    """The `MOST` that took longest of as many rows as come."""

    def __init__(self) -> None:
        self._kept: list[Slow] = []

    def add_all(self, rows: Sequence[TimedRow], numbers: Sequence[int]) -> None:
        """Take in more rows, each with how many were before it."""
        kept = self._kept
        least = kept[0].seconds if len(kept) == MOST else -1.0
        for number, row in zip(numbers, rows, strict=True):
            if row.duration <= least:
                continue
            slow = Slow(row.duration, number, row.task_id, row.type, row.worker, row.processed_at)
            if len(kept) < MOST:
                heappush(kept, slow)
            else:
                heappushpop(kept, slow)

    def longest_first(self) -> list[Slow]:
        """Them all."""
        return sorted(self._kept, reverse=True)
