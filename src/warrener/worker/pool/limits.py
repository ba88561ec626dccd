"""The limits of a child: the time of its tasks, whether it answers, and when it is worn out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warrener.worker.frames import PING

if TYPE_CHECKING:
    from warrener.worker.pool.child import ChildProcess

TICK: Final = 0.05
"""Seconds between two looks at the limits."""
# Seconds in which a child that is well answers.
_PING_TIMEOUT: Final = 1.0


class Wear:
    """When a child is replaced: another one is begun, and takes its place once it can.

    Args:
        max_tasks: After so many tasks; None for never.
        max_memory: After its memory has peaked over so many bytes; None for never.
    """

    def __init__(self, max_tasks: int | None, max_memory: int | None) -> None:
        self._max_tasks = max_tasks
        self._max_memory = max_memory

    def look(self, child: ChildProcess, peak_memory: int = 0) -> bool:
        """Whether it is worn from now on, as it has peaked at so many bytes."""
        if child.is_worn:
            return False
        if self._max_tasks is not None and not child.waiting:
            child.is_spent = child.done + child.held >= self._max_tasks  # while it runs the last ones
        is_large = self._max_memory is not None and peak_memory > self._max_memory
        child.is_worn = child.is_spent or is_large
        return child.is_worn

    def room(self, child: ChildProcess, room: int) -> int:
        """How many more tasks it may be given of those that it has room for."""
        return room if self._max_tasks is None else min(room, self._max_tasks - child.done - child.held)


def watch_time(child: ChildProcess, now: float) -> None:
    """Find out which of its tasks are late, and whether it still answers; it is condemned for either."""
    overdue = [
        attempt
        for attempt in child.running.values()
        if attempt.deadline is not None and now > attempt.deadline
    ]
    if not overdue or child.is_condemned(now):
        return
    # Of several, one may keep the others from running: only in a child that is well each is late by itself.
    if len(child.running) == 1 or child.answered_at > min(attempt.deadline or now for attempt in overdue):
        child.overdue = overdue
    elif child.pinged_at is None:
        child.pinged_at = now
        child.send(PING)
    elif now - child.pinged_at > _PING_TIMEOUT:
        child.fault = "a time limit had passed, and it did not answer any more"
    child.is_retiring = child.is_retiring or child.is_condemned(now)
