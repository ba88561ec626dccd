"""How long tasks took: as many as there are, in buckets that are a few per cent wide."""

from __future__ import annotations

from math import frexp, ldexp
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_STEPS: Final = 32
"""Buckets from one power of two to the next: each is 1.5 to 3 per cent wide."""
_LEAST: Final = -19 * _STEPS
"""The bucket of a microsecond: nothing that a worker runs is told apart below it."""
MOST_BARS: Final = 48


class Durations:
    """A histogram with logarithmic buckets, from which percentiles are told to within 3 per cent."""

    def __init__(self) -> None:
        self.count = 0
        self.seconds = 0.0
        """Of all of them together."""
        self.longest = 0.0
        self._shortest = float("inf")
        self._buckets: dict[int, int] = {}

    def add_all(self, those: Sequence[float]) -> None:
        """Take in more, in seconds, at least one; what is below a microsecond counts as that."""
        self.count += len(those)
        self.seconds += sum(those)
        self.longest = max(self.longest, *those)
        self._shortest = min(self._shortest, *those)
        buckets = self._buckets
        for fraction, exponent in map(frexp, those):
            bucket = exponent * _STEPS + int(fraction * (2 * _STEPS))
            bucket = max(bucket, _LEAST)
            buckets[bucket] = buckets.get(bucket, 0) + 1

    def quantile(self, share: float) -> float | None:
        """So that this share of them took no longer; None where there are none.

        Args:
            share: Above 0, at most 1: 0.95 for the 95th percentile.
        """
        rank = share * self.count
        for bucket, count in sorted(self._buckets.items()):
            if rank <= count:
                lower, upper = _bounds(bucket)
                found = lower + (upper - lower) * rank / count
                return min(max(found, self._shortest), self.longest)
            rank -= count
        return self.longest if self.count else None

    def bars(self) -> list[tuple[float, int]]:
        """The upper bounds, in seconds, and counts of neighbouring buckets, at most `MOST_BARS`; the first and the last have some."""
        if not self._buckets:
            return []
        width = 1
        while max(self._buckets) // width - min(self._buckets) // width >= MOST_BARS:
            width *= 2
        found = dict.fromkeys(range(min(self._buckets) // width, max(self._buckets) // width + 1), 0)
        for bucket, count in self._buckets.items():
            found[bucket // width] += count
        return [(_bounds(number * width + width - 1)[1], count) for number, count in found.items()]


def _bounds(bucket: int) -> tuple[float, float]:
    # The fraction of `frexp` is from a half to one, so that a bucket has one to two times `_STEPS` beside its exponent.
    exponent, step = divmod(bucket - _STEPS, _STEPS)
    return ldexp((step + _STEPS) / (2 * _STEPS), exponent), ldexp(
        (step + _STEPS + 1) / (2 * _STEPS), exponent
    )
