"""How long tasks take, and how many of them are worth holding in a child."""

from __future__ import annotations

from typing import Final

# Enough tasks lie ready in a child to keep it busy for about so long, so that fast tasks do not wait for the
# supervisor's turn; slow ones lie where every child can have them.
READY_SECONDS: Final = 0.05
MOST_READY: Final = 64
_SLOW: Final = 1.0  # seconds, until shown otherwise
# What a task's duration counts for. At first more, so that fast ones show soon that they are; two of them are no proof.
_AT_FIRST: Final = 0.2
_LATER: Final = 0.1
_FIRST: Final = 20


class Pace:
    """The pace of a pool's tasks."""

    def __init__(self) -> None:
        self.mean = _SLOW
        """Seconds a task has taken of late."""
        self._count = 0

    def begin_anew(self) -> None:
        """Take tasks to be slow until shown otherwise."""
        self.mean = max(self.mean, _SLOW)
        self._count = 0

    def add(self, seconds: float) -> None:
        """A task has taken so long."""
        self._count += 1
        self.mean += (seconds - self.mean) * (_LATER if self._count > _FIRST else _AT_FIRST)

    @property
    def depth(self) -> int:
        """How many tasks per slot are worth holding in a child, the running one included."""
        return min(MOST_READY, 1 + int(READY_SECONDS / max(self.mean, 1e-6)))
