"""When a failed task is tried again.

A task waits in a retry delay: a queue of its own for each length of time, so that nothing waits behind what waits
longer. A retry policy names the delays it needs; one that a handler chooses by itself becomes the nearest longer
delay that the queue has.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Final

import msgspec

from warrener.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MAX_RETRIES: Final = 20
# AMQP keeps a queue's TTL in 32 bits of milliseconds, so no delay is longer than about 49 days.
MIN_DELAY: Final = 0.001
MAX_DELAY: Final = 0xFFFFFFFF / 1000
# For `TransientError(after=...)`: delays that every queue has, in milliseconds.
COMMON_DELAYS: Final = (10_000, 30_000, 60_000, 300_000, 900_000, 3_600_000)


class RetryPolicy(msgspec.Struct, frozen=True):
    """Exponential back-off: the delay before retry n (from 0) is `base * 2**n` seconds.

    Args:
        retries: How many times a failed task is tried again; 0 for never, at most 20.
        base: Seconds before the first retry.

    Raises:
        UsageError: A value is out of range.
    """

    retries: int = 3
    base: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.retries <= MAX_RETRIES:
            raise UsageError(f"retries must be from 0 to {MAX_RETRIES}, not {self.retries}")
        if not MIN_DELAY <= self.base <= MAX_DELAY:
            raise UsageError(
                f"the first delay must be from {MIN_DELAY} to {MAX_DELAY:.0f} seconds, not {self.base}"
            )
        if self.retries and self.base * 2 ** (self.retries - 1) > MAX_DELAY:
            raise UsageError(
                f"{self.retries} retries from {self.base} s on end with a delay of over 49 days; use fewer"
            )

    def delays(self) -> list[int]:
        """The delays this policy uses, in milliseconds, shortest first."""
        return [round(self.base * 1000 * 2**n) for n in range(self.retries)]

    def delay(self, failures: int) -> int | None:
        """Milliseconds to wait after so many failed attempts; None when no retry is left."""
        return self.delays()[failures - 1] if failures <= self.retries else None


def delay_schedule(policies: Iterable[RetryPolicy]) -> list[int]:
    """Every delay that tasks under these policies may need, in milliseconds, shortest first."""
    return sorted({*COMMON_DELAYS, *(delay for policy in policies for delay in policy.delays())})


def nearest(delay: float, delays: Sequence[int]) -> int:
    """The nearest delay at least `delay` milliseconds long, or the longest there is.

    Args:
        delay: Milliseconds.
        delays: Existing delays, shortest first, at least one.
    """
    return delays[min(bisect_left(delays, delay), len(delays) - 1)]
