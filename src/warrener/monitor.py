"""What a queue is doing, derived from its broker at each look: nothing is remembered but a short window."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from warrener.brokers import Broker, Counts

WINDOW: Final = 30.0


class Status(msgspec.Struct, frozen=True):
    """One look at a queue.

    Args:
        total: All tasks known of.
        done: Those completed or failed.
        rate: Tasks done per second, of late; None while unknown.
        eta: Seconds until all is done, at the fastest and the slowest rate of late; None while unknown.
    """

    counts: Counts
    total: int
    done: int
    rate: float | None
    eta: tuple[float, float] | None

    @property
    def is_finished(self) -> bool:
        """Whether nothing is left to do."""
        return self.done >= self.total

    @property
    def progress(self) -> float:
        """From 0 to 1."""
        return self.done / self.total if self.total else 1.0


class Monitor:
    """Looks at a queue again and again.

    Args:
        broker: An open broker.
        total: How many tasks there are, where somebody knows; otherwise all that the broker has.
    """

    def __init__(self, broker: Broker, total: int | None = None) -> None:
        self.total = total
        self._broker = broker
        self._looks: deque[tuple[float, int]] = deque()

    async def look(self) -> Status:
        """What is the case now."""
        counts = await self._broker.counts()
        done = counts.completed + counts.failed
        total = max(self.total or 0, done) if self.total is not None else done + counts.waiting
        now = time.monotonic()
        if self._looks and done < self._looks[-1][1]:
            self._looks.clear()  # failures are tried again, or the queue was purged: no rate spans that
        self._looks.append((now, done))
        while now - self._looks[0][0] > WINDOW:
            self._looks.popleft()
        rate = _rate(list(self._looks))
        return Status(counts, total, done, rate, self._eta(total - done))

    def _eta(self, left: int) -> tuple[float, float] | None:
        """From the whole window's rate and its halves'."""
        if left <= 0:
            return 0.0, 0.0
        looks = list(self._looks)
        middle = len(looks) // 2
        rates = [rate for part in (looks, looks[: middle + 1], looks[middle:]) if (rate := _rate(part))]
        return (left / max(rates), left / min(rates)) if rates else None


def _rate(looks: list[tuple[float, int]]) -> float | None:
    if len(looks) < 2:  # noqa: PLR2004 - a rate needs two looks
        return None
    (start, before), (end, after) = looks[0], looks[-1]
    return (after - before) / (end - start) if end > start else None
