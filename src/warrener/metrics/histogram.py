"""A histogram in plain numbers, since one is added to with each task."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class Histogram:
    """How many values lie where, and what they come to.

    Args:
        bounds: The upper bounds of the buckets, but for infinity; a value that equals one is in its bucket.
    """

    __slots__ = ("_bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        """By bucket, not added up; the last one is that without a bound."""
        self.sum = 0.0

    def add(self, value: float) -> None:
        """One more value."""
        self.counts[bisect_left(self._bounds, value)] += 1
        self.sum += value

    @property
    def copy(self) -> tuple[list[int], float]:
        """Its numbers as they are now."""
        return self.counts.copy(), self.sum
