"""How long tasks take, and how many of them are worth holding in a child."""

from __future__ import annotations

from typing import Final

# Enough tasks lie ready in a child to keep it busy for about so long, so that fast tasks do not wait for the
# supervisor's turn; slow ones lie where every child can have them.
READY_SECONDS: Final = 0.05
MOST_READY: Final = 64
_SLOW: Final = 1.0  # seconds, until shown otherwise: it takes a few dozen fast tasks to be sure that they are


class Pace:
    """The pace of a pool's tasks."""

    def __init__(self) -> None:
        self.mean = _SLOW
        """Seconds a task has taken of late."""

    def begin_anew(self) -> None:
        """Take tasks to be slow until shown otherwise."""
        self.mean = max(self.mean, _SLOW)

    def add(self, seconds: float) -> None:
        """A task has taken so long."""
        self.mean += (seconds - self.mean) * 0.1

    @property
    def depth(self) -> int:
        """How many tasks per slot are worth holding in a child, the running one included."""
        return min(MOST_READY, 1 + int(READY_SECONDS / max(self.mean, 1e-6)))
