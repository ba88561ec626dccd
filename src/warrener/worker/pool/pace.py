"""How long tasks take, and how many of them are worth holding in a child."""

from __future__ import annotations

from typing import Final

# Enough tasks lie ready in a child to keep it busy for about so long, so that fast tasks do not wait for the
# supervisor's turn; slow ones lie where every child can have them.
READY_SECONDS: Final = 0.05
MOST_READY: Final = 64


class Pace:
    """The pace of a pool's tasks."""

    def __init__(self) -> None:
        self.mean = 1.0
        """Seconds a task has taken of late; slow until shown otherwise."""

    def add(self, seconds: float) -> None:
        """A task has taken so long."""
        self.mean += (seconds - self.mean) * 0.1

    @property
    def depth(self) -> int:
        """How many tasks per slot are worth holding in a child, the running one included."""
        return min(MOST_READY, 1 + int(READY_SECONDS / max(self.mean, 1e-6)))
