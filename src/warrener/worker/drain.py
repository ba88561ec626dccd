"""When a worker that drains may leave: nothing runs here, and the broker has said twice that nothing is left."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from warrener.worker.pool import TICK

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from warrener.brokers import Broker
    from warrener.worker.runs import Runs

# One zero is no proof: a broker says 0 as well when its leader is slow.
_LOOKS: Final = 2
_ASK_AGAIN_AFTER: Final = 0.5  # seconds, where it may not leave yet
_LATER: Final = 3  # by what part of the pause between two looks an end may be seen too late


class Drain:
    """Looks whether a queue is empty, on its broker and in this worker.

    Args:
        broker: An open broker.
        is_idle: Whether this worker has nothing.
        is_proven_complete: Another proof that all is done, which makes a second look unnecessary.
        is_cancelled: Whether this worker takes nothing, since all that waits is cancelled.
        may_leave: Whether whoever waits for this worker can do without it; None where nobody does.
        runs: Of others, which may be publishing; None where nobody waits for them.
    """

    def __init__(
        self,
        broker: Broker,
        is_idle: Callable[[], bool],
        is_proven_complete: Callable[[], bool],
        is_cancelled: Callable[[], bool],
        *,
        may_leave: Callable[[], Awaitable[bool]] | None = None,
        runs: Runs | None = None,
    ) -> None:
        self.expects_more = False  # while more is being published, an empty queue is no end
        self._broker = broker
        self._is_idle = is_idle
        self._is_proven_complete = is_proven_complete
        self._is_cancelled = is_cancelled
        self._may_leave = may_leave
        self._runs = runs
        self._looks = 0
        self._rest = 0.0  # seconds until the next look, where the broker has tasks for later

    def begin_anew(self) -> None:
        """What was seen so far proves nothing."""
        self._looks = 0

    async def wait(self) -> None:
        """Return when the queue is drained, or what is left on it is cancelled."""
        self._looks = 0
        while True:
            await self._stay_idle(self._broker.drain_pause if self._looks else 0)
            if self._is_cancelled() and self._is_idle() and not self.expects_more:
                await self._broker.settled()
                return
            is_empty = await self._is_empty()
            self._looks = self._looks + 1 if is_empty and self._is_idle() else 0
            is_enough = self._looks == _LOOKS or (is_empty and self._is_proven_complete())
            if is_enough:
                if self._may_leave is None or await self._may_leave():
                    return
                self._looks = 0
                await asyncio.sleep(_ASK_AGAIN_AFTER)
            elif not is_empty:
                await asyncio.sleep(TICK)
                await self._while_idle(self._rest - TICK)

    async def _is_empty(self) -> bool:
        """Whether nothing is left, and nothing on its way."""
        rest, self._rest = self._rest, 0.0
        if self.expects_more or not self._is_idle():
            return False
        # Before the look: what a run has published by its end is there to be seen.
        is_known = self._runs is None or self._runs.is_followed
        if self._runs and is_known and await self._runs.publish():
            return False
        if not await self._broker.drained():
            # A delayed task comes by itself, to this worker or to another one, and each look costs the broker some channels.
            self._rest = min(2 * rest + TICK, self._broker.drain_pause / _LATER)
            return False
        if self._runs and not is_known:  # of many tasks nobody asks about runs before they are done
            await self._runs.follow()
        return is_known

    async def _stay_idle(self, seconds: float) -> None:
        """Return after so long without a task, or as soon as there is one."""
        while not self._is_idle():
            self._rest = 0.0
            await asyncio.sleep(TICK)
        await self._while_idle(seconds)

    async def _while_idle(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        # Whether this worker is idle depends on too much for an event.
        while self._is_idle() and time.monotonic() < end and not self._is_over():  # noqa: ASYNC110 - as said
            await asyncio.sleep(TICK)

    def _is_over(self) -> bool:
        return self._is_proven_complete() or self._is_cancelled()
