"""How long the broker takes to confirm outcomes, measured for whoever wants to know."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from warrener.brokers.protocol import Delivery, OnConfirmed, Outcome


class ConfirmTimes:
    """Measures from each outcome to its confirm."""

    def __init__(self) -> None:
        self._tell: list[OnConfirmed] = []
        self._begun: dict[int, float] = {}

    def add(self, tell: OnConfirmed) -> None:
        """Have this told of each, too."""
        self._tell.append(tell)

    def begin(self, tag: int) -> None:
        """An outcome is on its way."""
        self._begun[tag] = time.monotonic()

    def end(self, settled: Iterable[tuple[Delivery, Outcome | None]]) -> None:
        """These are confirmed; those without an outcome had none to be confirmed."""
        now = time.monotonic()
        for delivery, outcome in settled:
            begun = self._begun.pop(delivery.tag, None)
            if begun is not None and outcome is not None:
                for tell in self._tell:
                    tell(delivery, outcome, now - begun)

    def forget(self) -> None:
        """What was on its way is lost."""
        self._begun.clear()
