"""When tasks ended: counts in bins that grow wider as the time grows longer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_BINS: Final = 600
_FINEST: Final = 0.25  # seconds
LATEST: Final = 253_402_300_799.0
"""In seconds since the epoch: no calendar has a later time."""


class Timeline:
    """How many of several kinds ended in each bin of time. Whatever comes, it has no more than `MOST_BINS`.

    Args:
        kinds: How many there are.
    """

    def __init__(self, kinds: int = 1) -> None:
        self.step = _FINEST
        """How wide a bin is, in seconds: it doubles when more are needed. Bins begin at multiples of it since the epoch."""
        self.bins: list[dict[int, int]] = [{} for _ in range(kinds)]
        """The counts of each kind, by the numbers of the bins; those without any are left out."""
        self._first = self._last = -1

    def add(self, at: float, kind: int = 0, count: int = 1) -> None:
        """Count what ended then, in seconds since the epoch; what is out of any calendar is passed over."""
        if not 0 <= at <= LATEST:
            return
        number = int(at / self.step)
        if not self._first <= number <= self._last:
            number = self._reach(at)
        bins = self.bins[kind]
        bins[number] = bins.get(number, 0) + count

    def add_all(self, times: Sequence[float]) -> None:
        """Count what ended at these times, as the first kind; at least one."""
        if min(times) >= 0 and max(times) <= LATEST:
            self._reach(min(times))
            self._reach(max(times))
            step, bins = self.step, self.bins[0]
            for number in [int(at / step) for at in times]:
                bins[number] = bins.get(number, 0) + 1
        else:
            for at in times:
                self.add(at)

    def merged(self, other: Timeline) -> Timeline:
        """A timeline with the kinds of both."""
        found = Timeline(len(self.bins) + len(other.bins))
        for timeline, first in ((self, 0), (other, len(self.bins))):
            for kind, bins in enumerate(timeline.bins, first):
                for number, count in bins.items():
                    found.add(number * timeline.step, kind, count)
        return found

    def counts(self) -> tuple[float, list[list[int]]]:
        """When the first bin begins, and the counts of each kind from there to the last bin; 0 and nothing where none is."""
        if self._first < 0:
            return 0.0, [[] for _ in self.bins]
        numbers = range(self._first, self._last + 1)
        return self._first * self.step, [[bins.get(number, 0) for number in numbers] for bins in self.bins]

    def _reach(self, at: float) -> int:
        """Have a bin for this time; its number."""
        number = int(at / self.step)
        if self._first < 0:
            self._first = self._last = number
            return number
        first, last = min(self._first, number), max(self._last, number)
        while last - first >= MOST_BINS:
            first, last, number = first // 2, last // 2, number // 2
            self.step *= 2
            self.bins = [_halved(bins) for bins in self.bins]
        self._first, self._last = first, last
        return number


def _halved(bins: dict[int, int]) -> dict[int, int]:
    found: dict[int, int] = {}
    for number, count in bins.items():
        found[number // 2] = found.get(number // 2, 0) + count
    return found
