"""Acknowledgements: as few as will do, and certainty that a queue has them."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING
from uuid import uuid4

from warrener.errors import BrokerError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warrener.brokers.rabbitmq.amqp.bulk import Delivered
    from warrener.brokers.rabbitmq.amqp.channel import Channel


def acknowledge(channel: Channel, tags: Sequence[int], oldest: int | None) -> None:
    """One acknowledgement for all that are before the oldest delivery still held, and one for each of the others."""
    first = tags if oldest is None else [tag for tag in tags if tag < oldest]
    if first:
        channel.ack(max(first), multiple=True)
    if oldest is not None:
        for tag in tags:
            if tag > oldest:
                channel.ack(tag)


async def settle_for_certain(channel: Channel, queue: str) -> None:
    """Wait until a quorum queue has seen all that was acknowledged and requeued over a channel.

    RabbitMQ's channel keeps back what it has for a quorum queue while 32 commands are under way (SOFT_LIMIT in
    its rabbit_fifo_client.erl). A channel that ends with some kept back loses them, and their tasks count as lost
    with their worker. To begin and end a consumer is two commands that are waited for: the first comes back when
    there is room for what was kept back, the second one when that is done.

    It leaves the channel's prefetch at 1, for consumers that are begun later.
    """
    tag = uuid4().hex

    def return_at_once(_: object, method: Delivered, *__: object) -> None:
        channel.requeue(method.delivery_tag)

    with suppress(BrokerError):  # then the channel is gone, and what it had
        await channel.call("basic_qos", prefetch_count=1)
        try:
            await channel.call("basic_consume", queue, return_at_once, consumer_tag=tag)
        except BaseException:  # one that stays would take and return for ever
            if channel.is_open:
                channel.begin("basic_cancel", tag)
            raise
        await channel.call("basic_cancel", tag)
