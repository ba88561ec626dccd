"""How long tasks take, and how many of them are worth holding in a child."""

from __future__ import annotations

from typing import Final

# Enough tasks lie ready in a child to keep it busy for about so long, so that fast tasks do not wait for the
# supervisor's turn; slow ones lie where every child can have them.
READY_SECONDS: Final = 0.05
MOST_READY: Final = 64


# What a task's duration counts for: at first more, so that it does not take many to show that they are fast.
_AT_FIRST: Final = 0.3
_FIRST: Final = 20
_LATER: Final = 0.1


class Pace:
    """The pace of a pool's tasks."""

    def __init__(self) -> None:
        self.mean = 0.0
        """Seconds a task has taken of late."""
        self._weight = 0.0
        self._left = 0
        self.begin_anew()

    def begin_anew(self) -> None:
        """Take tasks to be slow until shown otherwise."""
        self.mean = 1.0
        self._weight = _AT_FIRST
        self._left = _FIRST

    def add(self, seconds: float) -> None:
        """A task has taken so long."""
        self.mean += (seconds - self.mean) * self._weight
        if self._left:
            self._left -= 1
            if not self._left:
                self._weight = _LATER

    @property
    def depth(self) -> int:
        """How many tasks per slot are worth holding in a child, the running one included."""
        return min(MOST_READY, 1 + int(READY_SECONDS / max(self.mean, 1e-6)))
