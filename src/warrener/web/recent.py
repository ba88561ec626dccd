"""How many tasks were done of late, in steps."""

from __future__ import annotations

from collections import deque
from typing import Final

STEP: Final = 2.0
"""Seconds."""
STEPS: Final = 150
"""Five minutes."""


class Recent:
    """Counts per step, from how many were done at each look."""

    def __init__(self) -> None:
        self._ends: deque[tuple[int, int]] = deque(
            maxlen=STEPS + 1
        )  # a step, and how many were done at its end

    def add(self, now: float, done: int) -> None:
        """So many are done by now.

        Args:
            now: Seconds, on a clock that nobody sets.
            done: How many.
        """
        step = int(now // STEP)
        if self._ends and done < self._ends[-1][1]:
            self._ends.clear()  # failures are tried again, or the queue was purged
        if self._ends and self._ends[-1][0] == step:
            self._ends[-1] = step, done
        else:
            self._ends.append((step, done))

    @property
    def counts(self) -> list[int]:
        """Tasks done in each step, the newest last; those of a step that nobody looked at count to the next one."""
        if not self._ends:
            return []
        found: list[int] = []
        ends = iter(self._ends)
        step, done = next(ends)
        for next_step, next_done in ends:
            found += [0] * (next_step - step - 1)
            found.append(next_done - done)
            step, done = next_step, next_done
        return found[-STEPS:]
