"""A queue's failures, for all who look: read once, kept on disk, and read again when others are there."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

from warrener.failures import in_batches
from warrener.web.failure_store import FailureStore

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from warrener.brokers import Broker
    from warrener.models import Failure

_NOT_BEFORE: Final = 2.0  # seconds between two readings
_SHARE: Final = 10
"""Of the time at most one part in so many goes into reading, which keeps others from the failures."""
_AGAIN: Final = 30.0
"""Seconds after which they are read again although they are as many: others may be among them."""
_PATIENCE: Final = 1.0
"""Seconds that who asks waits for a reading to end, before he gets what there is."""


class Failures:
    """What was read of them. For one event loop."""

    def __init__(self) -> None:
        self.store: FailureStore | None = None
        """Those of the last whole reading, or of the first one so far."""
        self.is_complete = False
        """Whether it has all that there were at `as_of`."""
        self.as_of = 0.0
        """When they were read, in seconds since the epoch."""
        self.expected = 0
        """How many there are, as far as the broker counts them."""
        self._passes = 0  # readings that are under way
        self._reading: asyncio.Task[None] | None = None
        self._seen = -1  # how many there were at the last reading
        self._read_at = self._due = 0.0
        self._is_old = False

    def look_again(self) -> None:
        """Somebody knows that others are there."""
        self._is_old, self._due = True, 0.0

    async def refresh(self, broker: Broker, count: int | None) -> FailureStore:
        """What there is now, or was a moment ago; of many the first time what was read so far.

        Args:
            broker: The open broker.
            count: How many the broker counts; None where that is unknown.

        Raises:
            BrokerError: They cannot be read.
        """
        self.expected = count or 0
        is_begun = (
            self._reading is not None and not self._reading.done()
        )  # and counts as a pass from its first step on
        if self._is_due(count) and not self._passes and not is_begun:
            self._is_old, self._seen = False, -1 if count is None else count
            self._reading = asyncio.create_task(self._read(broker))
        reading = self._reading  # which others may wait for, too, and let go of before it is our turn
        if reading and not (reading.done() and self.is_complete):
            await asyncio.wait({reading}, timeout=_PATIENCE)
            if reading.done():
                if self._reading is reading:
                    self._reading = None
                reading.result()
        return self.store or FailureStore()

    async def close(self) -> None:
        """Let go of all."""
        if self._reading:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

    def _is_due(self, count: int | None) -> bool:
        now = time.monotonic()
        if not self.is_complete:
            return True
        is_other = self._is_old or (count is not None and count != self._seen)
        is_other = is_other or (count != 0 and now > self._read_at + _AGAIN)
        return is_other and now > self._due

    async def _read(self, broker: Broker) -> None:
        async with aclosing(self.read(broker)) as batches:
            async for _ in batches:
                pass

    def overheard(self, broker: Broker) -> AsyncGenerator[Sequence[Failure]]:
        """All failures, for somebody else, and kept here unless that is being done already. Raises: as `Reader.failures`."""
        return in_batches(broker) if self._passes else self.read(broker)

    async def read(self, broker: Broker) -> AsyncGenerator[Sequence[Failure]]:
        """Read all of them, and keep them. Raises: as `Reader.failures`."""
        store, began_at = FailureStore(), time.monotonic()
        self._passes += 1
        if self.store is None:
            self.store = store
        try:
            async with aclosing(in_batches(broker)) as batches:
                async for batch in batches:
                    await asyncio.to_thread(store.add, batch)
                    yield batch
            self._keep(store, began_at)
        finally:
            self._passes -= 1

    def _keep(self, store: FailureStore, began_at: float) -> None:
        self.store, now = store, time.monotonic()
        self.is_complete, self.as_of, self._read_at = True, time.time(), now
        self._due = now + max(_NOT_BEFORE, (now - began_at) * _SHARE)
