"""RabbitMQ as a broker: one connection that is mended when it breaks, and a channel for each thing done over it."""

from __future__ import annotations

import asyncio
import logging
import random
from contextlib import suppress
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

from warrener.brokers.names import Names
from warrener.brokers.protocol import Counts, FailedTask, Finding, Message, Verdict
from warrener.brokers.rabbitmq import topology
from warrener.brokers.rabbitmq.bell import Bell
from warrener.brokers.rabbitmq.consuming import Consuming
from warrener.brokers.rabbitmq.link import PATIENCE, Link, QueueAway
from warrener.brokers.rabbitmq.management import Management
from warrener.brokers.rabbitmq.outbox import Outbox
from warrener.brokers.rabbitmq.publishing import Publishing, Session
from warrener.brokers.rabbitmq.reading import read_stream, reading_failures, stream_end
from warrener.errors import (
    AccessRefused,
    BrokerError,
    BrokerUnreachable,
    MessageTooLarge,
    QueueMismatch,
    QueueMissing,
    UsageError,
)
from warrener.retry import RetryPolicy, delay_schedule

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence

    from warrener.address import Address
    from warrener.brokers.protocol import Delivery, Listener, Outcome
    from warrener.brokers.rabbitmq.link import Lane

_log = logging.getLogger("warrener.broker")

RECONNECT_FOR: Final = 300.0
READ_AGAIN_FOR: Final = 30.0
_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 5.0
# What was on its way out of a delay when RabbitMQ was killed is sent again after three minutes
# (dead_letter_worker_publisher_confirm_timeout); in seconds, with some to spare.
_HIDDEN_FOR: Final = 190.0
# Seconds between two questions to the management API, whose numbers are as old anyway.
_TOLD_EVERY: Final = 1.0
_MAX_BODY: Final = 16 * 1024 * 1024
_MAX_BODY_BEFORE_4: Final = 128 * 1024 * 1024
# Errors that no new connection mends.
_NotMended = (AccessRefused, QueueMissing, QueueMismatch)


class _Role(Protocol):
    """Something that goes on over a new channel when the old one is gone."""

    async def attach(self, lane: Lane) -> None: ...
    def detach(self) -> None: ...
    def limit(self, error: MessageTooLarge) -> None: ...
    def fail(self, error: BrokerError) -> None: ...


class RabbitBroker:
    """One queue on one RabbitMQ. See `warrener.brokers.protocol.Broker` for what each method promises."""

    # Longer than twice the delay of a crashed delivery, which no count shows.
    drain_pause = 2 * topology.CRASH_DELAY[1] / 1000
    # RabbitMQ answers a declaration half a second before it has written down where it keeps the queue; killed before, it
    # forgets what was confirmed meanwhile (seen).
    settling = 1.0
    # Quorum queues tell what is unacknowledged every five seconds.
    counts_late = 6.0

    def __init__(self, address: Address) -> None:
        self.max_body = _MAX_BODY
        self._address = address
        self._names = Names(address.queue)
        self._management = Management(address)
        self._link: Link | None = None
        self._opening = asyncio.Lock()
        self._opening_publishing = asyncio.Lock()
        self._publishing: Publishing | None = None
        self._consuming: Consuming | None = None
        self._known_delays = delay_schedule([RetryPolicy()])
        self._mending: set[asyncio.Task[None]] = set()
        self._lost: BrokerError | None = None
        self._is_closing = False
        self._hidden_until = 0.0
        self._bell = Bell()

    async def __aenter__(self) -> Self:
        link = await self._linked()
        if lacks := topology.lacks(link.version):
            _warn_once(f"{self._address.shown} is RabbitMQ {link.version_text}, which {'; '.join(lacks)}")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._is_closing = True
        for task in self._mending:
            task.cancel()
        await asyncio.gather(*self._mending, return_exceptions=True)
        if self._link:
            await self._link.close()

    # --- the queue itself

    async def declare(self, delays: Sequence[int]) -> None:
        self._known_delays = sorted({*self._known_delays, *delays})
        if await self._make(delays):
            await asyncio.sleep(self.settling)

    async def delays(self, wanted: Sequence[int]) -> list[int]:
        async with _open(await self._linked()) as lane:
            await lane.call("queue_declare", self._names.queue, passive=True)
        ready = await self._ready(map(self._names.delay, wanted))
        self._known_delays = [delay for delay in sorted(wanted) if self._names.delay(delay) in ready]
        return self._known_delays

    async def purge(self) -> int:
        link = await self._linked()
        dropped = await stream_end(link, self._names.results)
        async with _open(link) as lane:
            # A stream cannot be purged. It is the first, since RabbitMQ lets whoever may read a queue purge it, but only
            # who may set it up delete it: others are refused before anything is lost.
            await lane.call("queue_delete", self._names.results)
            await self._make([])
            for queue in (
                self._names.queue,
                *map(self._names.delay, await self._existing_delays()),
                self._names.failed,
            ):
                dropped += (await lane.call("queue_purge", queue)).message_count
        return dropped

    async def delete(self) -> None:
        delays = await self._existing_delays()
        async with _open(await self._linked()) as lane:
            for queue in (
                self._names.queue,
                self._names.results,
                self._names.failed,
                *map(self._names.delay, delays),
            ):
                await lane.call("queue_delete", queue)
            for exchange in topology.exchanges(self._names):
                await lane.call("exchange_delete", exchange)

    # --- publishing

    def publish_session(self) -> Session:
        return Session(self._open_publishing, lambda: self.max_body, self._address.shown)

    async def _open_publishing(self) -> Publishing:
        async with self._opening_publishing:  # two first calls at once are to share one
            if self._publishing is None:
                publishing = Publishing(self._names, self._give_up)
                await self._attach(await self._linked(), publishing)
                self._publishing = publishing
        return self._publishing

    @property
    def blocked_reason(self) -> str | None:
        if self._link is None:
            return "the connection was lost; connecting again"
        if self._link.blocked:
            return f"the broker is in alarm ({self._link.blocked}) and takes no messages"
        if self._publishing and self._publishing.is_refused:
            return "the broker refuses tasks, as when a policy limits the queue's length; trying again"
        return None

    # --- working

    async def consume(self, listener: Listener, prefetch: int) -> None:
        if self._consuming is None:
            link = await self._linked()
            consuming = Consuming(
                self._names,
                listener,
                link.version,
                shortest=min(self._known_delays, default=None),
                give_up=self._give_up,
            )
            await self._attach(link, consuming)
            self._consuming = consuming
        with suppress(BrokerUnreachable, MessageTooLarge):  # being mended already
            await self._consuming.consume(prefetch)

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
        await self._bell.wait_for(lambda: self._lost is not None)
        if self._lost:
            raise self._lost

    async def drained(self) -> bool:
        # While connecting again nobody knows.
        with suppress(BrokerUnreachable):
            async with _open(await self._linked()) as lane:
                if (await lane.call("queue_declare", self._names.queue, passive=True)).message_count:
                    return False
            ready = await self._ready(map(self._names.delay, self._known_delays))
            if any(ready.values()):
                return False
            # A queue without a leader counts 0, too (seen for as long as its node was cut off).
            queues = [self._names.queue, *ready]
            async with _open(await self._linked()) as lane:
                if not all([await lane.is_empty(queue) for queue in queues]):
                    return False
            return await self._has_nothing_hidden()
        return False

    async def _has_nothing_hidden(self) -> bool:
        """Whether no task is where AMQP shows none: on its way from a delay to the work queue.

        A broker that is killed meanwhile leaves it there for three minutes after its start. Only the management API counts
        it; who may not ask that waits for so long after the broker was away.
        """
        hidden: list[int | None] = [None]
        with suppress(BrokerError):
            hidden = [delay.get("messages") for delay in self._delays_among(await self._management.queues())]
        if any(hidden):
            await asyncio.sleep(_TOLD_EVERY)
            return False
        is_told = None not in hidden  # a queue that is new, or whose broker is, is not counted yet
        return is_told or asyncio.get_running_loop().time() > self._hidden_until

    # --- reading

    async def counts(self) -> Counts:
        link = await self._linked()
        async with _open(link) as lane:
            work = await lane.call("queue_declare", self._names.queue, passive=True)
            failed = await lane.call("queue_declare", self._names.failed, passive=True)
        completed = await stream_end(link, self._names.results)
        try:
            queues = await self._management.queues()
        except BrokerError as error:
            delayed = await self._ready(map(self._names.delay, self._known_delays))
            return Counts(
                work.message_count,
                None,
                sum(delayed.values()),
                completed,
                failed.message_count,
                work.consumer_count,
                notes=(f"tasks in processing cannot be counted: {error}",),
            )
        processing, hidden = _held(queues.get(self._names.queue, {}))
        failed_held, _ = _held(queues.get(self._names.failed, {}))
        return Counts(
            ready=work.message_count,
            processing=processing,
            delayed=sum(delay.get("messages", 0) for delay in self._delays_among(queues)) + hidden,
            completed=completed,
            # What somebody is looking at just now is not ready, but still there.
            failed=failed.message_count + (failed_held if failed.consumer_count else 0),
            workers=work.consumer_count,
        )

    async def waiting_ids(self) -> AsyncIterator[str]:
        none: tuple[str, ...] = ()  # looking at tasks would mean to take them
        for task_id in none:
            yield task_id

    async def results(self, *, follow: bool = False) -> AsyncIterator[Sequence[bytes]]:
        loop = asyncio.get_running_loop()
        offset, give_up_at = 0, loop.time() + READ_AGAIN_FOR
        has_read = False
        while True:
            try:
                batches = read_stream(await self._linked(), self._names.results, offset, follow=follow)
                async for after, rows in batches:
                    yield rows
                    offset, give_up_at, has_read = after, loop.time() + READ_AGAIN_FOR, True
            except (BrokerUnreachable, QueueMissing) as error:
                # Streams need a moment longer than connections when a broker has been restarted; and a purge makes them anew.
                if loop.time() > give_up_at or (isinstance(error, QueueMissing) and not has_read):
                    raise
                await asyncio.sleep(_LONGEST_PAUSE / 10)
            else:
                return

    async def failures(self) -> AsyncIterator[FailedTask]:
        async with reading_failures(await self._linked(), self._names) as reader:
            async for _, task in reader.tasks():
                yield task

    async def sweep(self, decide: Callable[[FailedTask], Verdict | Message]) -> int:
        link = await self._linked()
        taken = 0
        waiting: set[int] = set()
        refused: list[BrokerError] = []
        bell = Bell()

        def on_confirm(tag: int, error: BrokerError | None) -> None:
            nonlocal taken
            waiting.discard(tag)
            if error:
                refused.append(error)
            elif reader.lane.is_open:
                reader.lane.ack(tag)
                taken += 1
            bell.ring()

        async with _open(link) as lane, reading_failures(link, self._names) as reader:
            outbox = await Outbox(lane).open()
            lane.watch(lambda _: bell.ring())  # a user who may not publish has the channel closed
            async for tag, task in reader.tasks():
                if lane.error:
                    break
                verdict = decide(task)
                if lane.error:
                    break
                if isinstance(verdict, Message):
                    waiting.add(tag)
                    outbox.publish(
                        self._names.queue,
                        topology.WORK_KEY,
                        verdict.body,
                        message_id=verdict.id,
                        priority=verdict.priority,
                        record=verdict.record,
                        then=partial(on_confirm, tag),
                    )
                    await asyncio.sleep(0)
                elif verdict is Verdict.DISCARD:
                    on_confirm(tag, None)
            await bell.wait_for(lambda: not waiting or lane.error is not None)
            error = refused[0] if refused else lane.error
        if error:
            raise BrokerError(f"{taken} failed tasks were taken out, then: {error}")
        return taken

    async def inspect(self) -> list[Finding]:
        from warrener.brokers.rabbitmq.inspection import inspect

        return await inspect(await self._linked(), self._management, self._names, self._address.shown)

    # --- the connection

    async def _linked(self) -> Link:
        async with self._opening:
            if self._link is None:
                link = await Link(self._address, self._on_link_lost, self._on_blocked).open()
                self._link = link
                self.max_body = _MAX_BODY if link.version >= (4, 0) else _MAX_BODY_BEFORE_4
        return self._link

    async def _attach(self, link: Link, role: _Role) -> None:
        lane = await link.lane()
        try:
            await role.attach(lane)
        except BrokerError:
            # Whoever attaches tries again; a lane that was watched already would have a second one do so.
            role.detach()
            raise
        lane.watch(partial(self._on_lane_lost, role))

    def _roles(self) -> list[_Role]:
        return [role for role in (self._publishing, self._consuming) if role]

    def _on_link_lost(self, error: BrokerError) -> None:
        self._link = None
        if self._roles():
            _log.warning("%s; connecting again", error)

    def _on_blocked(self) -> None:
        if self._publishing is None:  # whose progress says so
            _log.warning("%s", self.blocked_reason or "the broker takes messages again")

    def _on_lane_lost(self, role: _Role, error: BrokerError) -> None:
        role.detach()
        if self._is_closing:
            return
        if isinstance(error, MessageTooLarge):
            self.max_body = error.limit
            role.limit(error)
        elif isinstance(error, _NotMended):
            self._give_up(error)
            return
        elif self._link and self._link.is_open:
            _log.warning("%s; going on over a new channel", error)
        self._mend(role)

    def _mend(self, role: _Role) -> None:
        task = asyncio.get_running_loop().create_task(self._mend_role(role))
        self._mending.add(task)
        task.add_done_callback(self._mending.discard)

    async def _mend_role(self, role: _Role) -> None:
        loop = asyncio.get_running_loop()
        began_at = loop.time()
        give_up_at = began_at + RECONNECT_FOR
        pause = 0.1
        while True:
            try:
                await self._attach(await self._linked(), role)
            except _NotMended as error:
                self._give_up(error)
                return
            except (BrokerError, UsageError) as error:  # certificates that cannot be read may be there soon
                if loop.time() > give_up_at:
                    self._give_up(BrokerUnreachable(str(error)))
                    return
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - a jitter, no secret
                pause = min(pause * 2, _LONGEST_PAUSE)
            else:
                _log.warning("connected to %s again", self._address.shown)
                if loop.time() > began_at + 1:  # it was away, and not only the connection
                    self._hidden_until = loop.time() + _HIDDEN_FOR
                return

    def _give_up(self, error: BrokerError) -> None:
        self._lost = error
        for role in self._roles():
            role.fail(error)
        self._bell.ring()

    async def _make(self, delays: Sequence[int]) -> bool:
        """Create what is missing, and say whether anything was."""
        link = await self._linked()
        wanted = topology.queue_arguments(self._names, link.version, delays)
        loop = asyncio.get_running_loop()
        was_missing, give_up_at = False, loop.time() + PATIENCE
        while True:
            try:
                was_missing |= len(await self._ready(wanted)) < len(wanted)
                async with _open(link) as lane:
                    await topology.declare(lane, self._names, link.version, delays)
            except QueueAway:
                if loop.time() > give_up_at:
                    raise
                await asyncio.sleep(_PAUSE)
            else:
                return was_missing

    async def _ready(self, queues: Iterable[str]) -> dict[str, int]:
        """How many messages these queues have ready, of those that there are."""
        link = await self._linked()
        ready: dict[str, int] = {}
        left = [*queues]
        while left:  # over one channel as long as they are there: one that is missing closes it
            with suppress(QueueMissing):
                async with _open(link) as lane:
                    while left:
                        queue = left.pop()
                        found = await lane.call("queue_declare", queue, passive=True)
                        ready[queue] = found.message_count
        return ready

    def _delays_among(self, queues: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
        return [queue for name, queue in queues.items() if self._names.delay_of(name) is not None]

    async def _existing_delays(self) -> list[int]:
        """All delays the management API shows; without it, those that Warrener makes by itself."""
        try:
            names = await self._management.queues()
        except BrokerError:
            ready = await self._ready(map(self._names.delay, self._known_delays))
            return [delay for delay in self._known_delays if self._names.delay(delay) in ready]
        return [length for name in names if (length := self._names.delay_of(name)) is not None]


def _held(queue: dict[str, Any]) -> tuple[int, int]:
    """How many messages consumers hold, and how many nobody can have at the moment."""
    unacknowledged = queue.get("messages_unacknowledged", 0)
    ready = queue.get("messages_ready", 0)
    return unacknowledged, max(0, queue.get("messages", 0) - ready - unacknowledged)


@cache
def _warn_once(sentence: str) -> None:
    _log.warning("%s", sentence)


class _open:  # noqa: N801 - reads as the verb it is
    """A channel for the length of a block."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def __aenter__(self) -> Lane:
        self._lane = await self._link.lane()
        return self._lane

    async def __aexit__(self, *_: object) -> None:
        await self._lane.close()
