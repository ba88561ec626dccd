"""RabbitMQ as a broker: it hands on what it is asked."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing, suppress
from functools import partial
from typing import TYPE_CHECKING, ParamSpec, Self, TypeVar

from warrener.brokers.confirm_times import ConfirmTimes
from warrener.brokers.names import Names
from warrener.brokers.protocol import Log
from warrener.brokers.rabbitmq import (
    admin,
    beats,
    counting,
    failures,
    row_count,
    rows,
    stream,
    sweeping,
    topology,
)
from warrener.brokers.rabbitmq.consuming import Consuming
from warrener.brokers.rabbitmq.journal import Journal
from warrener.brokers.rabbitmq.management import Management
from warrener.brokers.rabbitmq.policies import warn_of_limits, warn_once
from warrener.brokers.rabbitmq.publishing import Publishing
from warrener.brokers.rabbitmq.queue import Queue
from warrener.brokers.rabbitmq.reconnect import RECONNECT_FOR, Reconnecting
from warrener.brokers.rabbitmq.session import Session
from warrener.brokers.rabbitmq.stream_ends import ends_at
from warrener.errors import AccessRefused, BrokerUnreachable, MessageTooLarge

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

    from warrener.address import Address
    from warrener.brokers.protocol import (
        Counts,
        Delivery,
        Depths,
        FailedTask,
        Finding,
        Listener,
        Message,
        OnConfirmed,
        Outcome,
        Verdict,
    )

P = ParamSpec("P")
T = TypeVar("T")

_log = logging.getLogger("warrener.broker")


class RabbitBroker:
    """One queue on one RabbitMQ. See `warrener.brokers.protocol.Broker` for what each method promises."""

    # Longer than twice the delay of a crashed delivery, which no count shows.
    drain_pause = 2 * topology.CRASH_DELAY[1] / 1000
    # RabbitMQ answers a declaration half a second before it has written down where it keeps the queue; killed before, it
    # forgets what was confirmed meanwhile (seen). No task is published, taken or left to others sooner.
    settling = 1.0
    # Quorum queues tell what is unacknowledged every five seconds.
    counts_late = 6.0

    system = "rabbitmq"

    def __init__(self, address: Address) -> None:
        self.queue = address.queue
        self.max_body = 0
        names = Names(address.queue)
        connections = Reconnecting(address, self._on_blocked, self._on_limit)
        self._connections = connections
        self._queue = Queue(
            address.shown, names, connections, Management(address), Journal(names, connections)
        )
        self._telling = beats.Telling(names.beats, connections)
        self._opening_role = asyncio.Lock()
        self._publishing: Publishing | None = None
        self._consuming: Consuming | None = None
        self._own_delays: frozenset[int] = frozenset()
        self._confirm_times: ConfirmTimes | None = None
        self._sees_failed = True
        self._warning: asyncio.Task[None] | None = None
        self._offsets = rows.Offsets()
        self._settled_at = 0.0  # by the loop's clock

    async def __aenter__(self) -> Self:
        connection = await self._connections.connection()
        if lacks := topology.lacks(connection.version):
            warn_once(f"{self._queue.shown} is RabbitMQ {connection.version_text}, which {'; '.join(lacks)}")
        return self

    def be_patient(self) -> None:
        self._connections.patience = RECONNECT_FOR

    async def __aexit__(self, error: object = None, *_: object) -> None:
        if error is None:
            await self._settle()
        if self._warning:
            self._warning.cancel()
        self._telling.close()
        self._queue.management.close()
        await self._connections.close()

    # --- the queue itself

    async def declare(self, delays: Sequence[int]) -> None:
        self._own_delays |= frozenset(delays)
        if await self._again(admin.declare, self._queue, delays):
            self._settled_at = asyncio.get_running_loop().time() + self.settling

    async def keep_output(self) -> None:
        await admin.keep_output(self._queue)

    async def delays(self, wanted: Sequence[int]) -> list[int]:
        return await self._again(admin.delays, self._queue, wanted)

    async def purge(self) -> int:
        return await admin.purge(self._queue)

    async def delete(self) -> None:
        await admin.delete(self._queue)

    async def inspect(self) -> list[Finding]:
        from warrener.brokers.rabbitmq.inspection import inspect

        return await inspect(self._queue)

    # --- publishing

    def publish_session(self) -> Session:
        return Session(self._open_publishing, lambda: self.max_body, self._queue.shown)

    async def _open_publishing(self) -> Publishing:
        async with self._opening_role:  # two first calls at once are to share one
            if self._publishing is None:
                await self._settle()
                publishing = Publishing(self._queue.names, self._connections.give_up)
                await self._again(self._connections.add, publishing)
                self._publishing = publishing
        return self._publishing

    @property
    def blocked_reason(self) -> str | None:
        if reason := self._connections.blocked_reason:
            return reason
        if self._publishing and self._publishing.is_refused:
            return "the broker refuses tasks, as when a policy limits the queue's length; trying again"
        return None

    # --- working

    async def consume(self, listener: Listener, prefetch: int) -> None:
        consuming = await self._open_consuming(listener)
        with suppress(BrokerUnreachable, MessageTooLarge):  # being mended already
            await consuming.consume(prefetch)

    async def _open_consuming(self, listener: Listener) -> Consuming:
        async with self._opening_role:
            if self._consuming is None:
                await self._settle()
                version = (await self._connections.connection()).version
                existing = await self.delays([*admin.DEFAULT_DELAYS, *self._own_delays])
                consuming = Consuming(
                    self._queue.names,
                    listener,
                    version,
                    shortest=min(existing, default=None),
                    give_up=self._connections.give_up,
                    confirm_times=self._confirm_times,
                )
                await self._again(self._connections.add, consuming)
                self._consuming = consuming
                self._warning = asyncio.create_task(warn_of_limits(self._queue))
        return self._consuming

    async def pause(self) -> None:
        if self._consuming:
            with suppress(BrokerUnreachable, MessageTooLarge):
                await self._consuming.pause()

    def settle(self, delivery: Delivery, outcome: Outcome) -> None:
        if self._consuming:
            self._consuming.settle(delivery, outcome)

    def acknowledge(self, delivery: Delivery) -> None:
        if self._consuming:
            self._consuming.acknowledge(delivery)

    def requeue(self, deliveries: Sequence[Delivery]) -> None:
        if self._consuming:
            self._consuming.requeue(deliveries)

    async def settled(self) -> None:
        if self._consuming:
            await self._consuming.settled()

    @property
    def unsettled(self) -> int:
        return self._consuming.unsettled if self._consuming else 0

    async def wait_lost(self) -> None:
        await self._connections.wait_lost()

    def beat(self, body: bytes) -> None:
        self._telling.tell(body)

    def time_confirms(self, tell: OnConfirmed) -> None:
        self._confirm_times = self._confirm_times or ConfirmTimes()
        self._confirm_times.add(tell)

    @property
    def is_connected(self) -> bool:
        return self._connections.current is not None

    async def depths(self) -> Depths:
        if self._sees_failed:
            try:
                return await counting.depths(self._queue, self._own_delays, with_failed=True)
            except AccessRefused:  # as a worker's user is; and RabbitMQ's log has a line for each time
                self._sees_failed = False
        return await counting.depths(self._queue, self._own_delays, with_failed=False)

    async def drained(self) -> bool:
        return await counting.drained(self._queue, self._own_delays)

    # --- reading

    async def counts(self) -> Counts:
        return await self._again(counting.counts, self._queue, self._offsets)

    async def ready_by_priority(self) -> Mapping[int, int] | None:
        return await self._again(counting.ready_by_priority, self._queue)

    def results(self, *, follow: bool = False) -> AsyncIterator[Sequence[bytes]]:
        return rows.read(self._queue, self._offsets, follow=follow)

    async def newest_results(self, most: int, *, enough: int | None = None) -> Sequence[bytes]:
        return await self._again(rows.newest, self._queue, most, enough)

    async def results_at(self, first: int, most: int) -> Sequence[bytes]:
        return await self._again(rows.at, self._queue, self._offsets, first, most)

    async def completed_at(self, times: Sequence[float]) -> Sequence[int]:
        return await self._again(row_count.counts_at, self._queue, self._offsets, times)

    def beats(self) -> AsyncIterator[Sequence[bytes]]:
        return beats.listen(self._queue)

    def failures(self) -> AsyncIterator[FailedTask]:
        return failures.read(self._queue)

    async def sweep(self, decide: Callable[[FailedTask], Verdict | Message]) -> int:
        return await sweeping.sweep(self._queue, decide)

    # --- the journal

    async def note(self, log: Log, records: Sequence[bytes]) -> None:
        await self._again(self._queue.journal.note, log, records)

    def noted(self, log: Log, *, follow: bool = False) -> AsyncIterator[Sequence[bytes]]:
        place = topology.place_of(self._queue.names, log)
        return stream.messages(self._queue, place.stream, follow=follow, by=place.exchange)

    async def output_since(self, at: float) -> AsyncIterator[Sequence[bytes]]:
        place = topology.place_of(self._queue.names, Log.OUTPUT).stream
        connection = await self._queue.connections.connection()
        (first,) = await ends_at(connection, place, [at])
        async with aclosing(stream.read_stream(connection, place, first, follow=False)) as batches:
            async for _, messages in batches:
                yield [message.body for message in messages]

    # --- the connection, and what it tells

    async def _settle(self) -> None:
        """Wait until what was declared is safe."""
        await asyncio.sleep(self._settled_at - asyncio.get_running_loop().time())

    async def _again(self, do: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._connections.again(partial(do, *args, **kwargs))

    def _on_limit(self, max_body: int) -> None:
        self.max_body = max_body

    def _on_blocked(self) -> None:
        if self._publishing is None:  # whose progress says so
            _log.warning("%s", self.blocked_reason or "the broker takes messages again")
