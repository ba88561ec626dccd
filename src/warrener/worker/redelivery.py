"""What is known here of tasks whose deliveries were lost with a connection, for when they are delivered again."""

from __future__ import annotations

import math
import time
from collections import deque
from typing import TYPE_CHECKING, Final

from warrener.brokers.protocol import Completed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from warrener.brokers.protocol import Delivery, Identity, Lost, Outcome
    from warrener.worker.pool import RunningAttempt

REMEMBERED_FOR: Final = 3600.0
"""Seconds for which is known what became of a task, once nothing more will come of it here. For ever would be too long: one
day another task may have the same id."""


class Known:
    """What is known of one lost delivery.

    Args:
        explained: How many losses of its message are no fault of the task.
        attempt: The attempt at it, while it goes on or once it has ended.
        outcome: What came of it; None while it runs, or where it did not begin.
        is_confirmed: Whether the broker has the outcome, so that nothing but the acknowledgement can be missing.
    """

    __slots__ = ("attempt", "explained", "is_confirmed", "outcome", "until")

    def __init__(
        self,
        explained: int = 1,
        *,
        attempt: RunningAttempt | None = None,
        outcome: Outcome | None = None,
        is_confirmed: bool = False,
    ) -> None:
        self.explained = explained
        self.attempt = attempt
        self.outcome = outcome
        self.is_confirmed = is_confirmed
        self.until = math.inf if attempt else _deadline()

    def trust(self) -> int:
        """The higher, the less is done again. Of copies nobody knows which one came back: what does most is never wrong."""
        if self.is_confirmed:
            return 3
        if self.outcome:
            return 2
        return 1 if self.attempt else 0


class Redelivery:
    """What became of each delivery that was held when a connection was lost: a multiset, since copies of a task look alike.

    Attempts whose delivery is lost are called orphaned: they go on, and settle the delivery that comes back.
    """

    def __init__(self) -> None:
        self._known: dict[Identity, list[Known]] = {}
        self._orphaned: dict[int, Known] = {}  # by the attempt's key
        self._earliest = math.inf
        self._cuts: deque[float] = deque()  # until when each counts

    def add_cut(
        self, settled: Iterable[Lost], waiting: Iterable[Delivery], begun: Iterable[RunningAttempt]
    ) -> None:
        """Every delivery is gone.

        Args:
            settled: What the broker tells of those that had been settled.
            waiting: Those that had not begun.
            begun: Attempts that go on; those that are orphaned already are passed over.
        """
        self._cuts.append(_deadline())
        for lost in settled:
            self._add(lost.identity, Known(outcome=lost.outcome, is_confirmed=lost.outcome is None))
        for delivery in waiting:
            self._add(delivery.identity, Known(delivery.explained + 1))
        for attempt in begun:
            if attempt.key not in self._orphaned:
                known = Known(attempt.delivery.explained + 1, attempt=attempt)
                self._orphaned[attempt.key] = known
                self._add(attempt.delivery.identity, known)

    def recall(self, delivery: Delivery, max_body: int) -> Known | None:
        """What to settle or continue with this delivery, which is taken out; None where the task must run.

        It notes with the delivery how many of its losses are explained: those in this worker's hands. Of a task that was in
        others' hands, as many as there were cuts here of late: what cuts one connection, such as a restart of the broker,
        cuts them all, and a task that kills its worker does that without a cut for anybody else.

        Args:
            delivery: One that was lost before.
            max_body: A result of more bytes is none: its task runs again, and fails for it.
        """
        self.forget_expired()
        copies = self._known.get(delivery.identity)
        if not copies:
            self._forget_cuts()
            delivery.explained = min(len(self._cuts), delivery.lost)
            return None
        known = min(copies, key=Known.trust)
        copies.remove(known)
        if not copies:
            del self._known[delivery.identity]
        delivery.explained = min(known.explained, delivery.lost)
        if known.attempt:
            self._orphaned.pop(known.attempt.key, None)
        is_too_large = isinstance(known.outcome, Completed) and len(known.outcome.body) > max_body
        return None if is_too_large or not known.trust() else known

    def is_orphaned(self, attempt: RunningAttempt) -> bool:
        """Whether this attempt has no delivery at the moment."""
        return attempt.key in self._orphaned

    def end(self, attempt: RunningAttempt, outcome: Outcome) -> None:
        """An orphaned attempt has ended like this."""
        known = self._orphaned.pop(attempt.key)
        known.outcome = outcome
        self._expect(known)

    def abandon(self, attempt: RunningAttempt) -> None:
        """An orphaned attempt did not begin, or was stopped for no fault of its own: its task runs anew."""
        known = self._orphaned.pop(attempt.key)
        known.attempt = None
        self._expect(known)

    def forget_expired(self) -> None:
        """Let go of what was kept for long enough."""
        now = time.monotonic()
        if now < self._earliest:
            return
        left = {
            identity: [known for known in copies if known.until > now]
            for identity, copies in self._known.items()
        }
        self._known = {identity: copies for identity, copies in left.items() if copies}
        self._earliest = min(
            (known.until for copies in self._known.values() for known in copies), default=math.inf
        )

    def _forget_cuts(self) -> None:
        now = time.monotonic()
        while self._cuts and self._cuts[0] <= now:
            self._cuts.popleft()

    def _add(self, identity: Identity, known: Known) -> None:
        self._known.setdefault(identity, []).append(known)
        self._earliest = min(self._earliest, known.until)

    def _expect(self, known: Known) -> None:
        known.until = _deadline()
        self._earliest = min(self._earliest, known.until)


def _deadline() -> float:
    return time.monotonic() + REMEMBERED_FOR
