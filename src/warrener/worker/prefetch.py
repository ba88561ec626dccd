"""How many tasks a worker asks for at a time."""

from __future__ import annotations

from typing import Final

# Tasks shorter than the first are fetched ahead, as many as take so long together: the broker has some until its answer
# to their results is here. Those longer than the last are fetched one per slot, so that priorities hold and no worker hoards.
_FAST: Final = 0.02
_AHEAD: Final = 0.2
_SLOW: Final = 0.5
_MOST: Final = 1000
_MOST_BYTES: Final = (
    64 * 1024 * 1024
)  # of memory, for tasks that have not begun and results that are not confirmed
ENOUGH: Final = 500
"""With so many at a time hardly anything waits for the broker."""


def wanted_prefetch(slots: int, mean_duration: float, mean_size: float = 0) -> int:
    """How many tasks to hold.

    Args:
        slots: How many can run at a time.
        mean_duration: Seconds that a task has taken of late.
        mean_size: Bytes that a task and its result have had of late.
    """
    if mean_duration > _SLOW:
        return slots
    if mean_duration > _FAST:
        return slots * 2
    most = min(_MOST, int(_MOST_BYTES / max(mean_size, 1)))
    return max(slots, min(most, max(slots * 2, int(slots * _AHEAD / max(mean_duration, 1e-6)))))


def is_too_large(prefetch: int, mean_size: float) -> bool:
    """Whether so many tasks of this size leave no room in memory for any more."""
    return prefetch * mean_size > _MOST_BYTES / 2


def is_unfit(prefetch: int, wanted: int) -> bool:
    """Whether another prefetch is so much better than this one that it is worth asking for."""
    return wanted >= prefetch * 2 or wanted <= prefetch // 2
