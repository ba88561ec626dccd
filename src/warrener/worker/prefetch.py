"""How many tasks a worker asks for at a time."""

from __future__ import annotations

from typing import Final

# Tasks shorter than the first are fetched ahead in numbers that cover a round trip; those longer than the second
# are fetched one per slot, so that priorities hold and no worker hoards.
_FAST: Final = 0.02
_SLOW: Final = 0.5
_MOST: Final = 1000
ENOUGH: Final = 250
"""With so many at a time nothing waits for the broker."""


def wanted_prefetch(slots: int, mean_duration: float, depth: int) -> int:
    """How many tasks to hold.

    Args:
        slots: How many can run at a time.
        mean_duration: Seconds that a task has taken of late.
        depth: How many per slot are worth holding in a child.
    """
    if mean_duration > _SLOW:
        return slots
    if mean_duration > _FAST:
        return slots * 2
    return min(_MOST, max(slots * 2, slots * depth * 4))


def is_unfit(prefetch: int, wanted: int) -> bool:
    """Whether another prefetch is so much better than this one that it is worth asking for."""
    return wanted >= prefetch * 2 or wanted <= prefetch // 2
