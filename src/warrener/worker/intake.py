"""When a worker takes tasks, and how many: as many as fit how long they take, none while one runs alone or an order forbids it."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from warrener.worker.pool import TICK
from warrener.worker.prefetch import ENOUGH, is_too_large, is_unfit, wanted_prefetch
from warrener.worker.settle_spans import trace_settling

if TYPE_CHECKING:
    from collections.abc import Callable

    from warrener.brokers import Broker
    from warrener.worker.dispatcher import Dispatcher
    from warrener.worker.pool import Pool

_STALLED_AFTER: Final = 1.0  # seconds in which no task begins here, though some wait


class Intake:
    """Tells the broker how many tasks to send to the dispatcher.

    Args:
        broker: An open broker.
        pool: Where they run.
        enforce: Called now and then, to stop what runs against an order.
    """

    def __init__(self, broker: Broker, pool: Pool, enforce: Callable[[], None]) -> None:
        trace_settling(broker)
        self._broker = broker
        self._pool = pool
        self._enforce = enforce
        self._attention = asyncio.Event()
        self._prefetch = 0
        self._is_paused = False
        self._dispatcher: Dispatcher

    async def begin(self, dispatcher: Dispatcher) -> None:
        """Take the first tasks, as many as can run, unless an order forbids it.

        Raises:
            BrokerError: The broker is lost for good, or the queue is missing.
        """
        self._dispatcher = dispatcher
        if dispatcher.is_held:
            self._is_paused = dispatcher.takes_nothing = True
        else:
            await self._take_more(self._pool.slots)

    @property
    def is_taking(self) -> bool:
        """Whether tasks are to come."""
        return self._prefetch > 0 and not self._is_paused

    def look(self) -> None:
        """There may be something to do at once."""
        self._attention.set()

    async def steer(self) -> None:
        """Keep the prefetch fit for how long tasks take, and let the quarantined run alone; for ever."""
        dispatcher = self._dispatcher
        quarantine = dispatcher.quarantine
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(TICK):
                    await self._attention.wait()
            self._attention.clear()
            dispatcher.redelivery.forget_expired()
            self._enforce()
            if dispatcher.is_held:
                await self._hold()
                continue
            dispatcher.takes_nothing = False
            if quarantine.is_occupied:
                self._look_at_quarantine()
            if quarantine.holds_up:
                await self._attend_quarantine()
            elif self._is_paused:
                # Only when the outcome of what ran alone is safe: until then the next one might take it down.
                await self._broker.settled()
                await self._take_more(1)
            else:
                await self._fit_prefetch()

    def on_report(self) -> None:
        """A task has ended."""
        if self._prefetch < ENOUGH and self._is_prefetch_unfit:
            self._attention.set()  # at the start each look makes it a few times faster

    @property
    def _is_prefetch_unfit(self) -> bool:
        return is_unfit(self._prefetch, self._wanted_prefetch)

    @property
    def _wanted_prefetch(self) -> int:
        return wanted_prefetch(self._pool.slots, self._pool.pace.mean, self._mean_size)

    @property
    def _mean_size(self) -> float:
        """Bytes that a task and its result have had of late."""
        return self._dispatcher.mean_task + self._dispatcher.mean_result

    async def _fit_prefetch(self) -> None:
        dispatcher, pace = self._dispatcher, self._pool.pace
        if dispatcher.backlog:
            begun_after = time.monotonic() - _STALLED_AFTER
            if all(attempt.started < begun_after for attempt in self._pool.unfinished):
                pace.begin_anew()  # fast ones were followed by slow ones
        if self._is_prefetch_unfit:
            wanted = self._wanted_prefetch
            await self._take_more(wanted)
            # Slow ones are better where there is a slot for them, and large ones where there is memory.
            if wanted <= 2 * self._pool.slots or is_too_large(wanted, self._mean_size):
                dispatcher.requeue_all_but(max(0, wanted - self._pool.held))

    async def _hold(self) -> None:
        """Take nothing, and return what has not begun."""
        if not self._is_paused:
            self._is_paused = True
            await self._broker.pause()
        if self._dispatcher.is_held:  # still
            self._dispatcher.takes_nothing = True
            self._dispatcher.requeue_waiting()

    async def _take_more(self, prefetch: int) -> None:
        self._prefetch = prefetch
        self._is_paused = False
        postponed = len(self._dispatcher.quarantine.waiting)  # which are held, and take no slot
        await self._broker.consume(self._dispatcher, prefetch + postponed)
        self._dispatcher.submit()

    def _look_at_quarantine(self) -> None:
        quarantine = self._dispatcher.quarantine
        quarantine.release_harmless()
        quarantine.look(is_busy=self._pool.held > 0)
        if quarantine.is_postponed:
            self._dispatcher.pass_on_quarantined()

    async def _attend_quarantine(self) -> None:
        quarantine, backlog = self._dispatcher.quarantine, self._dispatcher.backlog
        if not self._is_paused:
            self._is_paused = True
            await self._broker.pause()
        first = [] if quarantine.running or not quarantine.waiting else [quarantine.waiting.popleft()]
        self._dispatcher.requeue_waiting()
        quarantine.waiting.extend(first)
        if first and not self._pool.held:
            # What it may take down with the worker must be out of our hands for certain.
            await self._broker.settled()
            if [*backlog, *quarantine] != first:
                return  # something came meanwhile: requeue that first
            self._pool.submit(quarantine.waiting, most=1)
            if not quarantine.waiting:  # otherwise there is no child for it at the moment
                quarantine.begin(first[0])
