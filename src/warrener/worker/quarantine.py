"""A task that may have killed its worker, or a process with others in it, runs while nothing else is at risk.

That costs a worker its other slots. So it waits only for a while for what runs to end, twice as long after each time in vain,
and for ten times as long after it not at all: no more than a tenth of its time is lost to waiting, and a quarantined task
runs in the end, however long the others take. Meanwhile what was lost with a worker goes through a retry delay, from where
another worker, with nothing to do, may have it, and what is suspected here alone waits here. Once the first of them is to
run, the others go back to the queue with all the rest.
"""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from warrener.worker.pool import RunningAttempt

WAIT: Final = 30.0
"""Seconds for which a worker takes nothing new, so that what it runs may end before a quarantined task is begun."""
ALONE: Final = 60.0
"""Seconds that a task runs alone when it is quarantined for the first time; what has killed twice runs alone to its end."""
_TAKES_AGAIN: Final = 10


class Quarantine:
    """Those that wait to run alone, and the one that does."""

    def __init__(self) -> None:
        self.waiting: deque[RunningAttempt] = deque()
        self.running: RunningAttempt | None = None
        self.is_postponed = False  # those that wait hold nothing up for now
        self._wait = WAIT
        self._since: float | None = None  # when it was begun to wait
        self._not_before = 0.0

    def __iter__(self) -> Iterator[RunningAttempt]:
        """Those that wait."""
        return iter(self.waiting)

    @property
    def is_occupied(self) -> bool:
        """Whether a task waits to run alone, or does."""
        return bool(self.waiting or self.running)

    @property
    def holds_up(self) -> bool:
        """Whether nothing else may begin."""
        return self.running is not None or (bool(self.waiting) and not self.is_postponed)

    def look(self, *, is_busy: bool) -> None:
        """See whether those that wait are to be postponed; to be called again and again while there are any.

        Args:
            is_busy: Whether anything else runs here.
        """
        self.is_postponed = bool(self.waiting) and is_busy and not self.running and self._is_too_long()

    def begin(self, attempt: RunningAttempt) -> None:
        """This one runs alone now."""
        self.running = attempt
        self._wait, self._since = WAIT, None

    def end(self, attempt: RunningAttempt) -> bool:
        """Whether this one was the one that ran alone; it does no more."""
        if attempt is not self.running:
            return False
        self.running = None
        return True

    def release_harmless(self) -> bool:
        """Whether the one that runs alone has done so for long enough; what is taken now runs beside it."""
        attempt = self.running
        if attempt is None or attempt.was_alone or attempt.record.lost > 1:
            return False
        if time.monotonic() - attempt.started < ALONE:
            return False
        attempt.was_alone = True
        self.running = None
        return True

    def _is_too_long(self) -> bool:
        now = time.monotonic()
        if now < self._not_before:
            return True
        if self._since is None:
            self._since = now
        if now - self._since < self._wait:
            return False
        self._not_before = now + self._wait * _TAKES_AGAIN
        self._wait *= 2
        self._since = None
        return True
