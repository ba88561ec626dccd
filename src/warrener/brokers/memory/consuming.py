"""What one consumer of a queue in memory holds."""

from __future__ import annotations

import asyncio
from itertools import count
from typing import TYPE_CHECKING

from warrener.brokers.protocol import Delivery

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warrener.brokers.memory.queue import Entry, Queue
    from warrener.brokers.protocol import Listener, Outcome


class Consuming:
    """Takes tasks for a listener. Its outcomes are on the queue at once."""

    def __init__(self) -> None:
        self.lost = asyncio.Event()
        self._queue: Queue | None = None
        self._listener: Listener | None = None
        self._prefetch = 0
        self._tags = count(1)
        self._held: dict[int, tuple[Delivery, Entry]] = {}
        self._look: asyncio.Handle | None = None
        self._alarm: asyncio.TimerHandle | None = None

    def consume(self, queue: Queue, listener: Listener, prefetch: int) -> None:
        """Begin, or go on with another number."""
        if self._queue is not queue:
            self.close()
            self._queue = queue
            queue.consumers += 1
            queue.watchers.add(self._look_soon)
        self._listener, self._prefetch = listener, prefetch
        self._look_soon()

    def pause(self) -> None:
        """Take nothing more."""
        self._prefetch = 0

    def settle(self, delivery: Delivery, outcome: Outcome) -> None:
        """End a task that is held here."""
        if entry := self._let_go(delivery):
            self._queue_of_mine.settle(entry, outcome)

    def acknowledge(self, delivery: Delivery) -> None:
        """End a task that is held here, without a word."""
        if entry := self._let_go(delivery):
            self._queue_of_mine.drop(entry)

    def requeue(self, deliveries: Sequence[Delivery]) -> None:
        """Give tasks back that are held here."""
        for delivery in deliveries:
            if entry := self._let_go(delivery):
                self._queue_of_mine.requeue(entry)

    def close(self) -> None:
        """End; what is held is lost."""
        for handle in (self._look, self._alarm):
            if handle:
                handle.cancel()
        self._look = self._alarm = None
        if self._queue is None:
            return
        queue, self._queue = self._queue, None
        queue.watchers.discard(self._look_soon)
        queue.consumers -= 1
        held = [entry for _, entry in self._held.values()]
        self._held.clear()
        for entry in held:
            queue.lose(entry)

    @property
    def _queue_of_mine(self) -> Queue:
        assert self._queue  # noqa: S101 - what is held came from it
        return self._queue

    def _let_go(self, delivery: Delivery) -> Entry | None:
        held, entry = self._held.get(delivery.tag, (None, None))
        if held is not delivery:
            return None
        del self._held[delivery.tag]
        return entry

    def _look_soon(self) -> None:
        # Not at once: a listener is told from the loop, and never from within a call of its own.
        if self._look is None:
            self._look = asyncio.get_running_loop().call_soon(self._deliver)

    def _deliver(self) -> None:
        self._look = None
        queue, listener = self._queue, self._listener
        if queue is None or listener is None:
            return
        if queue.is_deleted:
            self.lost.set()
            return
        for _ in range(self._prefetch - len(self._held)):
            # The listener may settle, requeue, pause or close meanwhile.
            if (
                len(self._held) >= self._prefetch
                or self._queue is not queue
                or (entry := queue.take()) is None
            ):
                break
            delivery = Delivery(
                entry.body,
                entry.id,
                entry.priority,
                entry.record,
                entry.lost,
                next(self._tags),
                published_at=entry.published_at,
                trace=entry.trace,
                is_again=entry.lost > 0,
            )
            self._held[delivery.tag] = delivery, entry
            listener.on_delivery(delivery)
        self._wake_when_due(queue)

    def _wake_when_due(self, queue: Queue) -> None:
        if self._alarm:
            self._alarm.cancel()
            self._alarm = None
        if queue.next_due is not None and self._queue is queue:
            seconds = queue.next_due - queue.now()
            self._alarm = asyncio.get_running_loop().call_later(seconds, self._look_soon)
