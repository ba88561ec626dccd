"""How long the broker takes to confirm outcomes, measured for whoever wants to know."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class ConfirmTimes:
    """Measures from each outcome to its confirm.

    Args:
        tell: Told the seconds of each.
    """

    def __init__(self, tell: Callable[[float], None]) -> None:
        self._tell = tell
        self._begun: dict[int, float] = {}

    def begin(self, tag: int) -> None:
        """An outcome is on its way."""
        self._begun[tag] = time.monotonic()

    def end(self, tags: Iterable[int]) -> None:
        """These are confirmed."""
        now = time.monotonic()
        for tag in tags:
            begun = self._begun.pop(tag, None)
            if begun is not None:
                self._tell(now - begun)

    def forget(self) -> None:
        """What was on its way is lost."""
        self._begun.clear()
