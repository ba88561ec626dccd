"""The worker's side: deliveries in, outcomes out, each acknowledged only after its outcome is confirmed.

Confirms and acknowledgements are pipelined. Whatever was on its way when a connection is lost comes back from the broker;
the listener is told what had been settled, and nothing is remembered here.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from warrener.brokers.protocol import Delayed, Delivery, Lost
from warrener.brokers.rabbitmq.acks import acknowledge, settle_for_certain
from warrener.brokers.rabbitmq.condition import Condition
from warrener.brokers.rabbitmq.confirms import ConfirmTracker
from warrener.brokers.rabbitmq.settling import Settling
from warrener.brokers.rabbitmq.topology import consumer_arguments, counts_returns
from warrener.codec import decode_record
from warrener.errors import BrokerError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from warrener.brokers.confirm_times import ConfirmTimes
    from warrener.brokers.names import Names
    from warrener.brokers.protocol import Identity, Listener, Outcome
    from warrener.brokers.rabbitmq.amqp.bulk import Delivered
    from warrener.brokers.rabbitmq.amqp.channel import Channel
    from warrener.brokers.rabbitmq.amqp.properties import Properties
    from warrener.errors import MessageTooLarge

_PLENTY: Final = 16  # who holds so many does not wait for the next one
# The last so many acknowledgements may not have reached the queue yet.
_RECENT: Final = 4000


class Consuming:
    """What is held, and what is being settled.

    Args:
        names: Of the queue to consume from.
        listener: Who gets the deliveries.
        version: The server's.
        shortest: The shortest retry delay, in milliseconds; None where there is none.
        give_up: Told of an error that no new connection mends.
        confirm_times: Measures how long confirms take.
    """

    def __init__(
        self,
        names: Names,
        listener: Listener,
        version: tuple[int, ...],
        *,
        shortest: int | None,
        give_up: Callable[[BrokerError], None],
        confirm_times: ConfirmTimes | None = None,
    ) -> None:
        self._names = names
        self._listener = listener
        self._arguments = consumer_arguments(version)
        self._is_return_counted = counts_returns(version)
        self._way_back = shortest if self._is_return_counted else None
        self._channel: Channel | None = None
        self._prefetch = 0
        self._consumers: list[str] = []  # by their tags, the newest last; one that is being begun, too
        self._held: dict[int, Delivery] = {}  # the oldest first
        self._settling = Settling(names, self._acknowledge, give_up, confirm_times)
        self._loop = asyncio.get_running_loop()
        self._confirmed: list[int] = []
        self._recent: deque[Identity] = deque(maxlen=_RECENT)
        # A consumer begins with the prefetch that its channel was last told, and whoever ends those there are misses none.
        self._beginning = asyncio.Lock()
        self._is_certain = True  # that the queue has all that was acknowledged and requeued
        self._error: BrokerError | None = None
        self._condition = Condition()

    async def attach(self, channel: Channel) -> None:
        """Go on over a new channel."""
        self._settling.attach(await ConfirmTracker(channel).open())
        self._channel = channel
        if self._prefetch:
            await self._begin(channel, self._prefetch)

    def detach(self) -> None:
        """The channel is gone, and every delivery with it; tell what the broker may not know yet."""
        if self._channel is None:
            return
        self._channel = None
        settled = [Lost(identity, None) for identity in self._recent]
        settled += [Lost(delivery.identity, outcome) for delivery, outcome in self._settling.detach()]
        self._recent.clear()
        self._held.clear()
        self._confirmed.clear()
        self._consumers.clear()
        self._listener.on_lost(settled)
        self._condition.notify()

    def limit(self, error: MessageTooLarge) -> None:
        """Nothing is kept here that may be too large; the listener minds it."""

    def fail(self, error: BrokerError) -> None:
        """Nothing more can be settled."""
        self._error = error
        self._condition.notify()

    async def consume(self, prefetch: int) -> None:
        """Receive tasks with this prefetch."""
        self._prefetch = prefetch
        if self._channel:
            await self._begin(self._channel, prefetch)

    async def pause(self) -> None:
        """Receive nothing more."""
        self._prefetch = 0
        if channel := self._channel:  # it may be gone before this ends
            async with self._beginning:
                await self._end_all_but(channel, 0)

    def settle(self, delivery: Delivery, outcome: Outcome) -> None:
        """Publish, wait for the confirm, acknowledge."""
        if self._channel and self._is_unsettled(delivery):
            self._settling.add(delivery, outcome, len(self._held))

    def acknowledge(self, delivery: Delivery) -> None:
        """The broker has its outcome already."""
        if self._is_unsettled(delivery):
            self._acknowledge([delivery])

    def requeue(self, deliveries: Sequence[Delivery]) -> None:
        """Return tasks, at no cost to them.

        `nack` with requeue raises no delivery count on RabbitMQ 4.3, `reject` does. Before 4.3 both do, so there a
        task goes round by the shortest delay, and what the broker has counted goes with it in its record.
        """
        for delivery in deliveries:
            if self._way_back:
                record = decode_record(delivery.record).add_lost(delivery.lost - delivery.explained)
                self.settle(delivery, Delayed(self._way_back, record))
            elif self._channel and self._is_unsettled(delivery):
                del self._held[delivery.tag]
                self._is_certain = False
                self._channel.requeue(delivery.tag)

    async def settled(self) -> None:
        """Wait until every outcome is confirmed and acknowledged, and the queue knows it."""
        await self._condition.wait_for(self._is_done)
        channel, is_certain = self._channel, self._is_certain
        self._is_certain = True
        if channel and not is_certain and not self._is_return_counted:
            # Whoever waits for it may be cancelled; a consumer that was ended for it begins again all the same.
            await asyncio.shield(asyncio.create_task(self._make_certain(channel)))

    @property
    def unsettled(self) -> int:
        """How many outcomes are on their way."""
        return len(self._settling)

    def _is_unsettled(self, delivery: Delivery) -> bool:
        return self._held.get(delivery.tag) is delivery and delivery.tag not in self._settling

    def _is_done(self) -> bool:
        if self._error:
            raise self._error
        return not self._settling and not self._confirmed

    async def _make_certain(self, channel: Channel) -> None:
        async with self._beginning:
            prefetch = self._prefetch  # which a pause may change meanwhile
            if not (prefetch and self._consumers):
                await settle_for_certain(channel, self._names.queue)
                return
            tag = self._consumers[-1]
            with suppress(BrokerError):  # then the channel is gone, and what it had
                # As `settle_for_certain` does it, but that a consumer which begins again keeps what it holds.
                await channel.call("basic_cancel", tag)
                await channel.call("basic_qos", prefetch_count=prefetch)
                await self._subscribe(channel, tag)

    async def _begin(self, channel: Channel, prefetch: int) -> None:
        channel.cork(wanted=prefetch >= _PLENTY)
        async with self._beginning:
            await channel.call("basic_qos", prefetch_count=prefetch)
            if self._prefetch != prefetch or self._channel is not channel:
                return  # whoever has changed that meanwhile sees to it, or was cancelled and wants nothing
            tag = uuid4().hex
            # After all that may be cancelled before the broker knows the tag, and before the answer, which may be, too.
            self._consumers.append(tag)
            await self._subscribe(channel, tag)
            await self._end_all_but(channel, 1 if self._prefetch else 0)

    async def _subscribe(self, channel: Channel, tag: str) -> None:
        await channel.call(
            "basic_consume", self._names.queue, self._on_message, consumer_tag=tag, arguments=self._arguments
        )

    async def _end_all_but(self, channel: Channel, count: int) -> None:
        """End consumers but for so many of the newest."""
        while len(self._consumers) > count:
            # Once: to end one again has no answer, and whoever waits for the first one may be cancelled.
            await channel.call("basic_cancel", self._consumers.pop(0))

    def _on_message(self, _: object, method: Delivered, properties: Properties, body: bytes) -> None:
        delivery = Delivery(
            body, properties.id, properties.priority, None, 0, method.delivery_tag, 0, properties.published_at
        )
        if properties.has_headers:
            delivery.record, delivery.trace = properties.record, properties.trace
        if method.redelivered:
            # Of a first delivery the headers are whatever its producer wrote.
            delivery.is_again, delivery.lost = True, properties.lost
        self._held[delivery.tag] = delivery
        self._listener.on_delivery(delivery)

    def _acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        if not self._confirmed:
            self._loop.call_soon(self._send_acks)
        for delivery in deliveries:
            del self._held[delivery.tag]
            self._recent.append(delivery.identity)
            self._confirmed.append(delivery.tag)

    def _send_acks(self) -> None:
        tags, self._confirmed = self._confirmed, []
        channel = self._channel
        if channel is None:
            return
        self._is_certain = False
        acknowledge(channel, tags, next(iter(self._held), None))
        self._condition.notify()
