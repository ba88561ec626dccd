"""The broker in memory: the protocol's face of queues that all brokers of this process share."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Self

from warrener.brokers.memory.consuming import Consuming
from warrener.brokers.memory.publishing import Session
from warrener.brokers.memory.queue import Queue
from warrener.brokers.protocol import Counts, Depths, FailedTask, Finding, Log, Message, Verdict
from warrener.brokers.row_times import count_at
from warrener.errors import BrokerError, QueueMissing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from warrener.address import Address
    from warrener.brokers.protocol import Delivery, Listener, OnConfirmed, Outcome

POLL: Final = 0.05
PAGE: Final = 2000
_queues: Final[dict[tuple[str, str], Queue]] = {}


class MemoryBroker:
    """One queue in this process. See `warrener.brokers.protocol.Broker` for what each method promises."""

    drain_pause = 0.0
    counts_late = 0.0
    blocked_reason = None

    system = "warrener"

    def __init__(self, address: Address) -> None:
        self.queue = address.queue
        self.max_body = 512 * 1024 * 1024  # as much as the embedded broker takes
        self._address = address
        self._consuming = Consuming()
        self._is_closed = False

    async def __aenter__(self) -> Self:
        return self

    def be_patient(self) -> None:
        """It is always there."""

    async def __aexit__(self, *_: object) -> None:
        self._is_closed = True
        if queue := _queues.get(self._key):
            queue.beats.pop(self, None)
        self._consuming.close()
        self._consuming.lost.set()

    # --- the queue itself

    async def declare(self, delays: Sequence[int]) -> None:
        _queues.setdefault(self._key, Queue()).delays.update(delays)

    async def keep_output(self) -> None:
        self._queue().keeps_output = True

    async def delays(self, wanted: Sequence[int]) -> list[int]:
        return sorted(self._queue().delays & {*wanted})

    async def purge(self) -> int:
        return self._queue().purge()

    async def delete(self) -> None:
        if queue := _queues.pop(self._key, None):
            queue.delete()

    async def inspect(self) -> list[Finding]:
        self._queue()
        return [
            Finding(ok=True, text=f"broker in memory: {self._address.shown}, which ends with this process")
        ]

    @property
    def _key(self) -> tuple[str, str]:
        return self._address.broker, self._address.queue

    def _queue(self) -> Queue:
        if self._is_closed:
            raise BrokerError(f"the connection to {self._address.shown} is closed")
        if queue := _queues.get(self._key):
            return queue
        raise QueueMissing(
            f"queue {self._address.queue!r} does not exist on {self._address.shown}; publish tasks, or create it "
            "with `warrener setup`"
        )

    # --- publishing

    def publish_session(self) -> Session:
        return Session(self._queue, lambda: self.max_body)

    # --- working

    async def consume(self, listener: Listener, prefetch: int) -> None:
        self._consuming.consume(self._queue(), listener, prefetch)

    async def pause(self) -> None:
        self._consuming.pause()

    def settle(self, delivery: Delivery, outcome: Outcome) -> None:
        self._consuming.settle(delivery, outcome)

    def acknowledge(self, delivery: Delivery) -> None:
        self._consuming.acknowledge(delivery)

    def requeue(self, deliveries: Sequence[Delivery]) -> None:
        self._consuming.requeue(deliveries)

    async def settled(self) -> None:
        """Nothing is ever on its way."""

    @property
    def unsettled(self) -> int:
        return 0

    async def wait_lost(self) -> None:
        await self._consuming.lost.wait()
        self._queue()
        raise QueueMissing(f"queue {self._address.queue!r} was deleted while it was in use")

    def beat(self, body: bytes) -> None:
        if (queue := _queues.get(self._key)) and not self._is_closed:
            queue.told += 1
            queue.beats[self] = queue.told, body

    def time_confirms(self, tell: OnConfirmed) -> None:
        """They are there at once."""

    @property
    def is_connected(self) -> bool:
        return not self._is_closed

    async def depths(self) -> Depths:
        queue = self._queue()
        return Depths(queue.ready, queue.delayed, len(queue.failures))

    async def drained(self) -> bool:
        queue = self._queue()
        return not queue.ready and not queue.delayed

    # --- reading

    async def counts(self) -> Counts:
        queue = self._queue()
        return Counts(
            ready=queue.ready,
            processing=queue.processing,
            delayed=queue.delayed,
            completed=len(queue.results),
            failed=len(queue.failures),
            workers=queue.consumers,
        )

    async def ready_by_priority(self) -> Mapping[int, int]:
        return self._queue().ready_by_priority

    async def results(self, *, follow: bool = False) -> AsyncIterator[Sequence[bytes]]:
        kept, seen = self._queue().results, 0
        while True:
            if self._queue().results is not kept:  # it was purged, or made anew
                kept, seen = self._queue().results, 0
            rows = kept[seen : seen + PAGE]
            if not rows and not follow:
                return
            seen += len(rows)
            yield rows
            if not rows:
                await asyncio.sleep(POLL)

    async def newest_results(self, most: int, *, enough: int | None = None) -> Sequence[bytes]:  # noqa: ARG002 - all are there
        return self._queue().results[-most:]

    async def results_at(self, first: int, most: int) -> Sequence[bytes]:
        return self._queue().results[first : first + most]

    async def completed_at(self, times: Sequence[float]) -> Sequence[int]:
        rows = self._queue().results
        return count_at(times, len(rows), rows.__getitem__)

    async def beats(self) -> AsyncIterator[Sequence[bytes]]:
        seen, queue = 0, self._queue()
        while True:
            if self._queue() is not queue:
                seen, queue = 0, self._queue()
            new = [body for number, body in queue.beats.values() if number > seen]
            seen = queue.told
            yield new
            await asyncio.sleep(POLL)

    async def failures(self) -> AsyncIterator[FailedTask]:
        for task in (*self._queue().failures.values(),):
            yield task

    async def sweep(self, decide: Callable[[FailedTask], Verdict | Message]) -> int:
        queue = self._queue()
        taken = 0
        for number, task in (*queue.failures.items(),):
            verdict = decide(task)
            if verdict is not Verdict.KEEP:
                taken += queue.take_out(number, verdict if isinstance(verdict, Message) else None)
        return taken

    # --- the journal

    async def note(self, log: Log, records: Sequence[bytes]) -> None:
        self._log_of(log).note(log, records)

    async def noted(self, log: Log, *, follow: bool = False) -> AsyncIterator[Sequence[bytes]]:
        seen, queue = 0, self._log_of(log)
        while True:
            if self._queue() is not queue:
                raise QueueMissing(f"{self._address.queue!r} was deleted, and made anew, while it was read")
            seen = max(seen, queue.dropped[log])
            first = seen - queue.dropped[log]
            records = queue.noted[log][first : first + PAGE]
            seen += len(records)
            if not records and not follow:
                return
            yield records
            if not records:
                await asyncio.sleep(POLL)

    def output_since(self, at: float) -> AsyncIterator[Sequence[bytes]]:  # noqa: ARG002 - few are kept
        return self.noted(Log.OUTPUT)

    def _log_of(self, log: Log) -> Queue:
        queue = self._queue()
        if log is Log.OUTPUT and not queue.keeps_output:
            raise QueueMissing(f"queue {self._address.queue!r} keeps no output")
        return queue
