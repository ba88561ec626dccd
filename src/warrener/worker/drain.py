"""When a worker that drains may leave: nothing runs here, and the broker has said twice that nothing is left."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from warrener.worker.pool import TICK

if TYPE_CHECKING:
    from collections.abc import Callable

    from warrener.brokers import Broker


class Drain:
    """Looks whether a queue is empty, on its broker and in this worker.

    Args:
        broker: An open broker.
        is_idle: Whether this worker has nothing.
        is_proven_complete: Another proof that all is done, which makes a second look unnecessary.
        is_cancelled: Whether this worker takes nothing, since all that waits is cancelled.
    """

    def __init__(
        self,
        broker: Broker,
        is_idle: Callable[[], bool],
        is_proven_complete: Callable[[], bool],
        is_cancelled: Callable[[], bool],
    ) -> None:
        self.expects_more = False  # while more is being published, an empty queue is no end
        self._broker = broker
        self._is_idle = is_idle
        self._is_proven_complete = is_proven_complete
        self._is_cancelled = is_cancelled
        self._looks = 0

    def begin_anew(self) -> None:
        """What was seen so far proves nothing."""
        self._looks = 0

    async def wait(self) -> None:
        """Return when the queue is drained, or what is left on it is cancelled."""
        self._looks = 0
        while self._looks < 2:  # noqa: PLR2004 - one zero is no proof: a broker says 0 as well when its leader is slow
            await self._stay_idle(self._broker.drain_pause if self._looks else 0)
            if self._is_cancelled() and self._is_idle() and not self.expects_more:
                await self._broker.settled()
                return
            is_empty = not self.expects_more and self._is_idle() and await self._broker.drained()
            if is_empty and self._is_proven_complete():
                return
            self._looks = self._looks + 1 if is_empty and self._is_idle() else 0
            if not is_empty:
                await asyncio.sleep(TICK)

    async def _stay_idle(self, seconds: float) -> None:
        """Return after so long without a task, or as soon as there is one."""
        end = time.monotonic() + seconds
        while not self._is_idle():
            await asyncio.sleep(TICK)
            end = time.monotonic() + seconds
        # Whether this worker is idle depends on too much for an event.
        while self._is_idle() and time.monotonic() < end and not self._is_over():  # noqa: ASYNC110 - as said
            await asyncio.sleep(TICK)

    def _is_over(self) -> bool:
        return self._is_proven_complete() or self._is_cancelled()
