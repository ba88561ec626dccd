"""Whether a batch has ended, as far as its broker can tell."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from warrener.brokers import Broker, Counts


class Completion:
    """Proof that no task is left: a broker's counts may be late, so they must say so for as long as that.

    Args:
        broker: An open broker.
    """

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._seen: Counts | None = None
        self._since = 0.0

    async def is_proven_by(self, counts: Counts, *, is_cancelled: bool = False) -> bool:
        """Whether this look, after those before it, is enough.

        Args:
            counts: What was seen.
            is_cancelled: Whether the queue is, so that what waits there, and is not in these counts, is not left to do.
        """
        now = time.monotonic()
        if counts != self._seen:
            self._seen, self._since = counts, now
        if not counts.is_all_done or now - self._since < self._broker.counts_late:
            return False
        return is_cancelled or await self._broker.drained()
